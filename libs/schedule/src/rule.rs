//! A rule of one kind, read.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use crate::RuleError;
use crate::cron::Cron;
use crate::elapsed::Elapsed;
use crate::instant::instant;
use crate::recurrence::Recurrence;
use crate::rule_text::{self, RuleText};
use crate::spec::{INTERVAL_MAX_MS, INTERVAL_MIN_MS, Kind, Spec};

/// A rule of one kind.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Cron(Box<Cron>),
    Recurrence(Box<Recurrence>),
    Elapsed(Box<Elapsed>, BTreeSet<DateTime>),
    Interval { start_ms: i64, every_ms: i64 },
    Once(Timestamp),
}

impl Rule {
    /// Reads the rule of a schedule that was made at `created`.
    pub(crate) fn read(
        spec: &Spec,
        zone: &TimeZone,
        created: Timestamp,
    ) -> Result<Self, RuleError> {
        let takes_start = matches!(spec.kind, Kind::Rrule(_) | Kind::Interval(_));
        if spec.start.is_some() && !takes_start {
            let message = format!(
                "`start` belongs to rrule and interval, not to {}",
                spec.kind.name()
            );
            return Err(RuleError::invalid("start", message));
        }
        Ok(match &spec.kind {
            Kind::Cron(text) => Self::Cron(Box::new(Cron::parse(text)?)),
            Kind::Once(text) => Self::Once(instant("executeAt", text, zone)?),
            Kind::Interval(every_ms) => {
                if !(INTERVAL_MIN_MS..=INTERVAL_MAX_MS).contains(every_ms) {
                    let message = "an interval lasts from 1 s to 10 years";
                    return Err(RuleError::invalid("interval", message));
                }
                let start = match &spec.start {
                    Some(text) => instant("start", text, zone)?,
                    None => created,
                };
                Self::Interval {
                    start_ms: start.as_millisecond(),
                    every_ms: *every_ms,
                }
            }
            Kind::Rrule(text) => {
                let start = local_start(spec, text, zone, created)?;
                let rule = RuleText::parse(text, start, zone)?;
                if rule.sub_daily() {
                    let added = rule.added.clone();
                    let first = zone.to_timestamp(start).map_err(|_| {
                        RuleError::invalid("start", "`start` lies outside the calendar")
                    })?;
                    Self::Elapsed(Box::new(Elapsed::new(rule, first)), added)
                } else {
                    Self::Recurrence(Box::new(Recurrence::new(rule, start)))
                }
            }
        })
    }
}

/// The first local time of a rule, in whole seconds. A local time that was written
/// stays as it is, also where the clock skips it: the rule's other days have it.
fn local_start(
    spec: &Spec,
    text: &str,
    zone: &TimeZone,
    created: Timestamp,
) -> Result<DateTime, RuleError> {
    let written = match &spec.start {
        Some(text) => Some(match text.parse::<Timestamp>() {
            Ok(at) => zone.to_datetime(at),
            Err(_) => {
                instant("start", text, zone)?;
                text.parse::<DateTime>().unwrap_or(DateTime::MIN)
            }
        }),
        None => None,
    };
    let own = rule_text::dtstart(text, zone)?;
    let start = match (written, own) {
        (Some(a), Some(b)) if a != b => {
            let message = "`start` and the line DTSTART differ; give one of them";
            return Err(RuleError::invalid("start", message));
        }
        (Some(start), _) | (None, Some(start)) => start,
        (None, None) => zone.to_datetime(created),
    };
    let whole = Time::new(start.hour(), start.minute(), start.second(), 0);
    Ok(start.date().to_datetime(whole.unwrap_or(Time::midnight())))
}
