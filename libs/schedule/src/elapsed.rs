//! Rules that count elapsed time: intervals, and rules of RFC 5545 by hour,
//! minute and second.
//!
//! Their steps are instants; local fields only filter them. So a day has as many
//! hours as it lasts, whatever the clock shows.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rrule::Frequency;

use crate::RuleError;
use crate::budget::Budget;
use crate::recurrence::positions;
use crate::rule_text::RuleText;

/// The least change of a clock that is in use, in seconds: a walk to the next hour
/// looks again after it.
const LOOK_AGAIN: i64 = 1800;

/// A rule by hour, minute or second, with its first instant.
#[derive(Debug, Clone)]
pub(crate) struct Elapsed {
    rule: RuleText,
    start: i64,
    /// Seconds from step to step.
    step: i64,
}

impl Elapsed {
    pub(crate) fn new(rule: RuleText, start: Timestamp) -> Self {
        let unit = match rule.freq {
            Frequency::Hourly => 3600,
            Frequency::Minutely => 60,
            _ => 1,
        };
        Self {
            step: unit * rule.interval,
            start: start.as_second(),
            rule,
        }
    }

    /// Its first instant.
    pub(crate) fn start(&self) -> Timestamp {
        Timestamp::from_second(self.start).unwrap_or_default()
    }

    /// The first instant after one and at most at `last`.
    pub(crate) fn next(
        &self,
        zone: &TimeZone,
        after: Timestamp,
        last: Timestamp,
        budget: &mut Budget,
    ) -> Result<Option<Timestamp>, RuleError> {
        let after = after.as_millisecond().div_euclid(1000);
        let mut left = self.rule.count.unwrap_or(u32::MAX);
        // The step before may reach beyond this instant: BYMINUTE spreads it over an hour.
        let mut step = match self.rule.count {
            Some(_) => 0,
            None => ((after - self.start).div_euclid(self.step) - 1).max(0),
        };
        loop {
            budget.spend(1)?;
            let base = self.start + step * self.step;
            let Ok(at) = Timestamp::from_second(base) else {
                return Ok(None);
            };
            if at > last {
                return Ok(None);
            }
            let local = zone.to_datetime(at);
            if let Some(skip) = self.skip(zone, local, at) {
                let to = (skip - self.start + self.step - 1).div_euclid(self.step);
                step = to.max(step + 1);
                continue;
            }
            for second in self.spread(base, local) {
                if second < self.start {
                    continue;
                }
                let Ok(at) = Timestamp::from_second(second) else {
                    return Ok(None);
                };
                let local = zone.to_datetime(at);
                if left == 0 || self.rule.until.is_some_and(|until| local > until) {
                    return Ok(None);
                }
                left -= u32::from(self.rule.count.is_some());
                if second > after && !self.rule.excluded.contains(&local) {
                    return Ok(Some(at).filter(|at| *at <= last));
                }
            }
            step += 1;
        }
    }

    /// For a step that is no fire: no later step before this second is one.
    fn skip(&self, zone: &TimeZone, local: DateTime, at: Timestamp) -> Option<i64> {
        let rule = &self.rule;
        let base = at.as_second();
        if !rule.on(local.date(), false) {
            let next = local.date().saturating_add(1.day());
            let midnight = zone.to_timestamp(next.to_datetime(jiff::civil::Time::midnight()));
            return Some(midnight.map_or(i64::MAX / 2, Timestamp::as_second));
        }
        let (minute, second) = (i64::from(local.minute()), i64::from(local.second()));
        if !rule.hours.is_empty() && !rule.hours.contains(&local.hour()) {
            let to_hour = 3600 - minute * 60 - second;
            return Some(base + to_hour.min(LOOK_AGAIN));
        }
        let minute_open = rule.freq == Frequency::Hourly
            || rule.minutes.is_empty()
            || rule.minutes.contains(&local.minute());
        if !minute_open {
            return Some(base + 60 - second);
        }
        let second_open = rule.freq != Frequency::Secondly
            || rule.seconds.is_empty()
            || rule.seconds.contains(&local.second());
        (!second_open).then_some(base + 1)
    }

    /// The instants of a step: finer fields of the rule spread it.
    fn spread(&self, base: i64, local: DateTime) -> Vec<i64> {
        let (minute, second) = (i64::from(local.minute()), i64::from(local.second()));
        let or = |values: &[i8], own: i64| -> Vec<i64> {
            if values.is_empty() {
                vec![own]
            } else {
                values.iter().map(|v| i64::from(*v)).collect()
            }
        };
        let mut found = match self.rule.freq {
            Frequency::Hourly => {
                let hour = base - minute * 60 - second;
                let seconds = or(&self.rule.seconds, second);
                (or(&self.rule.minutes, minute).into_iter())
                    .flat_map(|m| seconds.iter().map(move |s| hour + m * 60 + s))
                    .collect()
            }
            Frequency::Minutely => (or(&self.rule.seconds, second).into_iter())
                .map(|s| base - second + s)
                .collect(),
            _ => vec![base],
        };
        if !self.rule.set_pos.is_empty() {
            found = positions(&found, &self.rule.set_pos);
        }
        found
    }
}
