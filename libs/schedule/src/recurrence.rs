//! Rules of RFC 5545 by day, week, month and year, on the local clock.
//!
//! The crate `rrule` reads and checks the text and is the oracle of the tests. It
//! does not expand here: its iterator has no bound on a rule that never matches
//! and walks from the start for each answer.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};
use rrule::Frequency;

use crate::RuleError;
use crate::budget::Budget;
use crate::civil::Civil;
use crate::rule_text::RuleText;

/// A rule with its first local time.
#[derive(Debug, Clone)]
pub(crate) struct Recurrence {
    rule: RuleText,
    start: DateTime,
    times: Vec<Time>,
}

impl Recurrence {
    pub(crate) fn new(mut rule: RuleText, start: DateTime) -> Self {
        // What a rule leaves open is that of its start.
        let days_open = rule.week_numbers.is_empty()
            && rule.year_days.is_empty()
            && rule.month_days.is_empty()
            && rule.weekdays.is_empty();
        if days_open {
            match rule.freq {
                Frequency::Yearly => {
                    if rule.months.is_empty() {
                        rule.months.push(start.month());
                    }
                    rule.month_days.push(start.day());
                }
                Frequency::Monthly => rule.month_days.push(start.day()),
                Frequency::Weekly => rule.weekdays.push((None, start.weekday())),
                _ => {}
            }
        }
        let or = |values: &[i8], own: i8| {
            if values.is_empty() {
                vec![own]
            } else {
                values.to_vec()
            }
        };
        let mut times = Vec::new();
        for hour in or(&rule.hours, start.hour()) {
            for minute in or(&rule.minutes, start.minute()) {
                for second in or(&rule.seconds, start.second()) {
                    // A leap second is no time of a schedule.
                    times.extend(Time::new(hour, minute, second, 0));
                }
            }
        }
        Self { rule, start, times }
    }

    /// Its first local time.
    pub(crate) fn start(&self) -> DateTime {
        self.start
    }

    /// The period that a local time lies in, counted from that of the start.
    fn period(&self, local: DateTime) -> i64 {
        let (from, to) = (self.start.date(), local.date());
        let months = |d: Date| i64::from(d.year()) * 12 + i64::from(d.month());
        let units = match self.rule.freq {
            Frequency::Yearly => i64::from(to.year()) - i64::from(from.year()),
            Frequency::Monthly => months(to) - months(from),
            Frequency::Weekly => days(self.week(from), self.week(to)) / 7,
            _ => days(from, to),
        };
        units.div_euclid(self.rule.interval)
    }

    /// The first day of the week that a day lies in.
    fn week(&self, date: Date) -> Date {
        let back = date.weekday().since(self.rule.week_start);
        date.saturating_sub(i64::from(back).days())
    }

    /// First and last day of a period; none outside the calendar.
    fn bounds(&self, period: i64) -> Option<(Date, Date)> {
        let start = self.start.date();
        let steps = period.checked_mul(self.rule.interval)?;
        match self.rule.freq {
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(start.year()) + steps).ok()?;
                let first = Date::new(year, 1, 1).ok()?;
                Some((first, first.last_of_year()))
            }
            Frequency::Monthly => {
                let first = start.first_of_month().checked_add(steps.months()).ok()?;
                Some((first, first.last_of_month()))
            }
            Frequency::Weekly => {
                let first = self.week(start).checked_add((steps * 7).days()).ok()?;
                Some((first, first.checked_add(6.days()).ok()?))
            }
            _ => {
                let day = start.checked_add(steps.days()).ok()?;
                Some((day, day))
            }
        }
    }

    /// Local times of a period, in order.
    fn occurrences(
        &self,
        period: i64,
        budget: &mut Budget,
    ) -> Result<Option<Vec<DateTime>>, RuleError> {
        let Some((first, last)) = self.bounds(period) else {
            return Ok(None);
        };
        budget.spend(u32::try_from(days(first, last) + 1).unwrap_or(u32::MAX))?;
        let mut found = Vec::new();
        for day in first.series(1.day()).take_while(|d| *d <= last) {
            if self.on(day) {
                found.extend(self.times.iter().map(|t| day.to_datetime(*t)));
            }
        }
        if !self.rule.set_pos.is_empty() {
            found = positions(&found, &self.rule.set_pos);
        }
        Ok(Some(found))
    }

    fn on(&self, day: Date) -> bool {
        let nth_in_year = self.rule.freq == Frequency::Yearly && self.rule.months.is_empty();
        self.rule.on(day, nth_in_year)
    }
}

impl RuleText {
    /// Whether the parts of the rule that speak of days allow this one.
    pub(crate) fn on(&self, day: Date, nth_in_year: bool) -> bool {
        let month_length = i64::from(day.days_in_month());
        let year_day = i64::from(day.day_of_year());
        let year_length = i64::from(day.days_in_year());
        let allowed = (self.months.is_empty() || self.months.contains(&day.month()))
            && listed(&self.month_days, i64::from(day.day()), month_length)
            && listed(&self.year_days, year_day, year_length);
        if !allowed {
            return false;
        }
        if !self.week_numbers.is_empty() {
            let (week, of) = week_number(day, self.week_start);
            if !listed(&self.week_numbers, week, of) {
                return false;
            }
        }
        self.weekdays.is_empty()
            || self.weekdays.iter().any(|(nth, weekday)| {
                day.weekday() == *weekday
                    && nth.is_none_or(|nth| {
                        let (at, length) = if nth_in_year {
                            (year_day, year_length)
                        } else {
                            (i64::from(day.day()), month_length)
                        };
                        let forward = (at - 1) / 7 + 1;
                        let backward = -((length - at) / 7 + 1);
                        i64::from(nth) == forward || i64::from(nth) == backward
                    })
            })
    }
}

impl Civil for Recurrence {
    fn next(
        &self,
        from: DateTime,
        horizon: DateTime,
        budget: &mut Budget,
    ) -> Result<Option<DateTime>, RuleError> {
        let added = (self.rule.added.range(from..))
            .find(|d| !self.rule.excluded.contains(d))
            .copied();
        let own = self.by_rule(from, horizon.min(added.unwrap_or(horizon)), budget)?;
        Ok(match (own, added) {
            (Some(own), Some(added)) => Some(own.min(added)),
            (own, added) => own.or(added),
        })
    }
}

impl Recurrence {
    fn by_rule(
        &self,
        from: DateTime,
        horizon: DateTime,
        budget: &mut Budget,
    ) -> Result<Option<DateTime>, RuleError> {
        // Occurrences with COUNT are counted from the first.
        let mut period = match self.rule.count {
            Some(_) => 0,
            None => self.period(from).max(0),
        };
        let mut left = self.rule.count.unwrap_or(u32::MAX);
        while let Some((first, _)) = self.bounds(period) {
            if first > horizon.date() {
                break;
            }
            for local in self.occurrences(period, budget)?.unwrap_or_default() {
                if local < self.start {
                    continue;
                }
                if left == 0 || self.rule.until.is_some_and(|until| local > until) {
                    return Ok(None);
                }
                left -= u32::from(self.rule.count.is_some());
                if local >= from && !self.rule.excluded.contains(&local) {
                    return Ok(Some(local));
                }
            }
            period += 1;
        }
        Ok(None)
    }
}

/// The values at these positions, from 1 from the front, from -1 from the back.
pub(crate) fn positions<T: Copy + Ord>(values: &[T], positions: &[i32]) -> Vec<T> {
    let mut found: Vec<T> = positions
        .iter()
        .filter_map(|position| {
            let at = usize::try_from(position.unsigned_abs())
                .ok()?
                .checked_sub(1)?;
            if *position > 0 {
                values.get(at).copied()
            } else {
                values.iter().rev().nth(at).copied()
            }
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a number is in a list that counts from both ends; an empty list allows all.
fn listed<T: Copy + Into<i64>>(values: &[T], n: i64, length: i64) -> bool {
    let mut values = values.iter().map(|v| (*v).into());
    values.len() == 0 || values.any(|v| v == n || v == n - length - 1)
}

/// Days from one to another.
fn days(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |s| i64::from(s.get_days()))
}

/// The number of the week that a day lies in, and how many weeks that year has. A
/// week belongs to the year that has most of its days.
fn week_number(day: Date, week_start: Weekday) -> (i64, i64) {
    let middle = |date: Date| {
        let back = i64::from(date.weekday().since(week_start));
        date.saturating_add((3 - back).days())
    };
    let number = |middle: Date| i64::from((middle.day_of_year() - 1) / 7 + 1);
    let own = middle(day);
    // Three days before its end every year is in its last week.
    let last = own.last_of_year().saturating_sub(3.days());
    (number(own), number(middle(last)))
}
