//! What a change of the clock does to a schedule, told before it happens.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::RuleError;
use crate::budget::Budget;
use crate::civil::{Ahead, Civil};
use crate::line::{Dst, Gap, Mark, Overlap};

/// A local time of a schedule that the clock skips or shows twice, and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The time as the rule has it.
    pub local: DateTime,
    /// [`Mark::Gap`] or [`Mark::Overlap`].
    pub mark: Mark,
    /// The instants at which it fires instead, by its policy; none: it does not.
    pub fires: Vec<Timestamp>,
    zone: TimeZone,
    policy: &'static str,
}

/// A local time that a change of the clock touches.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) local: DateTime,
    mark: Mark,
    /// The instant of the change.
    at: Timestamp,
}

/// The first local time of a rule that each change of the clock in `from..=to` touches.
pub(crate) fn touching(
    zone: &TimeZone,
    civil: &dyn Civil,
    from: Timestamp,
    to: Timestamp,
    budget: &mut Budget,
) -> Result<Vec<Touched>, RuleError> {
    let horizon = zone.to_datetime(to).saturating_add(2.days());
    let mut ahead = Ahead::new(civil, horizon, budget);
    let mut found = Vec::new();
    for change in zone.following(from) {
        let at = change.timestamp();
        let Some(moment_before) = at.checked_sub(1.nanosecond()).ok().filter(|_| at <= to) else {
            break;
        };
        let before = zone.to_offset(moment_before).to_datetime(at);
        let behind = change.offset().to_datetime(at);
        let mark = if before < behind {
            Mark::Gap
        } else {
            Mark::Overlap
        };
        if let Some(local) = ahead.within(before.min(behind), before.max(behind))? {
            found.push(Touched { local, mark, at });
        }
    }
    Ok(found)
}

impl Change {
    pub(crate) fn new(zone: &TimeZone, dst: Dst, touched: Touched) -> Self {
        let Touched { local, mark, at } = touched;
        let twice = zone.to_ambiguous_timestamp(local);
        let (policy, fires) = if mark == Mark::Gap {
            match dst.gap {
                Gap::After => ("dst.gap: after", vec![Some(at)]),
                Gap::Shift => ("dst.gap: shift", vec![zone.to_timestamp(local).ok()]),
                Gap::Skip => ("dst.gap: skip", Vec::new()),
            }
        } else {
            let (first, last) = (twice.earlier().ok(), twice.later().ok());
            match dst.overlap {
                Overlap::First => ("dst.overlap: first", vec![first]),
                Overlap::Last => ("dst.overlap: last", vec![last]),
                Overlap::Both => ("dst.overlap: both", vec![first, last]),
            }
        };
        Self {
            local,
            mark,
            fires: fires.into_iter().flatten().collect(),
            zone: zone.clone(),
            policy,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let local = self.local.strftime("%F %R");
        let what = match self.mark {
            Mark::Overlap => "comes twice",
            Mark::Gap | Mark::Plain => "does not exist",
        };
        write!(f, "{local} {what} in {zone}; ")?;
        match &self.fires[..] {
            [] => f.write_str("it does not fire")?,
            [at] if self.mark == Mark::Gap => {
                let moved = self.zone.to_datetime(*at);
                write!(f, "it fires at {}, {at}", moved.strftime("%R"))?;
            }
            [at] if self.policy.ends_with("last") => write!(f, "it fires at the second, {at}")?,
            [at] => write!(f, "it fires at the first, {at}")?,
            [first, last, ..] => write!(f, "it fires at both, {first} and {last}")?,
        }
        write!(f, " ({})", self.policy)
    }
}
