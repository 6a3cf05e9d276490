//! What a schedule was told.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::RuleError;
use crate::line::{Dst, Gap, Overlap};

/// The shortest period of an interval, in milliseconds: the loop that fires looks
/// some times a second.
pub const INTERVAL_MIN_MS: i64 = 1_000;

/// The longest period of an interval, in milliseconds: 10 years, the horizon of a
/// first fire.
pub const INTERVAL_MAX_MS: i64 = 315_360_000_000;

/// Dates that a schedule leaves out: each is stored and read with it.
pub const EXCEPT_MAX: usize = 1_000;

/// What a schedule was told, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The one kind.
    pub kind: Kind,
    /// The first instant of a rule or an interval.
    #[serde(default)]
    pub start: Option<String>,
    /// An IANA name; empty: UTC.
    pub timezone: String,
    /// `after`, `shift` or `skip`: what a local time does that the clock skips.
    #[serde(default)]
    pub gap: Option<String>,
    /// `first`, `last` or `both`: what a local time does that the clock shows twice.
    #[serde(default)]
    pub overlap: Option<String>,
    /// The last instant.
    #[serde(default)]
    pub until: Option<String>,
    /// Local dates that are left out, as `2027-12-31`.
    #[serde(default)]
    pub except: Vec<String>,
}

/// The one kind that a schedule has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Cron: five fields, or six with seconds first.
    Cron(String),
    /// A rule of RFC 5545 with the lines beside it.
    Rrule(String),
    /// Milliseconds.
    Interval(i64),
    /// One instant.
    Once(String),
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cron(_) => "cron",
            Self::Rrule(_) => "rrule",
            Self::Interval(_) => "interval",
            Self::Once(_) => "once",
        }
    }
}

impl Spec {
    /// What it does where the clock is changed.
    pub(crate) fn dst(&self) -> Result<Dst, RuleError> {
        let rrule = matches!(self.kind, Kind::Rrule(_));
        let gap = match self.gap.as_deref().unwrap_or_default() {
            "" if rrule => Gap::Shift,
            "" | "after" => Gap::After,
            "shift" => Gap::Shift,
            "skip" => Gap::Skip,
            other => {
                let message = format!("`{other}` is none of after, shift and skip");
                return Err(RuleError::invalid("dst.gap", message));
            }
        };
        let overlap = match self.overlap.as_deref().unwrap_or_default() {
            "" | "first" => Overlap::First,
            "last" => Overlap::Last,
            "both" => Overlap::Both,
            other => {
                let message = format!("`{other}` is none of first, last and both");
                return Err(RuleError::invalid("dst.overlap", message));
            }
        };
        Ok(Dst { gap, overlap })
    }

    /// The days on which it does not fire.
    pub(crate) fn left_out(&self) -> Result<BTreeSet<Date>, RuleError> {
        if self.except.len() > EXCEPT_MAX {
            let message = format!("at most {EXCEPT_MAX} dates are left out");
            return Err(RuleError::invalid("except", message));
        }
        let date = |text: &String| {
            text.parse::<Date>().map_err(|_| {
                RuleError::invalid("except", format!("`{text}` is no date; write 2027-01-31"))
            })
        };
        self.except.iter().map(date).collect()
    }
}
