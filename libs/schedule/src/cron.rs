//! Cron: five fields, or six with seconds first.

use croner::Weekday;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};

use crate::RuleError;
use crate::budget::Budget;
use crate::civil::Civil;
use crate::rule_text::RULE_MAX;

/// JSON name of the field that holds it.
const FIELD: &str = "cronExpression";

/// Short names; `@reboot` is none, since a schedule knows no start of a machine.
const NAMES: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// A cron expression. croner reads it and tells which days it means; the walk
/// over days and times is ours, since croner's own knows zones by rules of its own.
#[derive(Debug, Clone)]
pub(crate) struct Cron {
    cron: croner::Cron,
    seconds: Vec<i8>,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    elapsed: bool,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`RuleError::Text`] says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let refuse = |why: String| RuleError::text(FIELD, text, why);
        if text.len() > RULE_MAX {
            return Err(refuse(format!("has more than {RULE_MAX} bytes")));
        }
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if let [name] = fields[..]
            && name.starts_with('@')
        {
            if !NAMES.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(refuse(format!("is none of {}", NAMES.join(", "))));
            }
        } else if !(5..=6).contains(&fields.len()) {
            let count = fields.len();
            return Err(refuse(format!(
                "has {count} fields; cron has 5, or 6 with seconds first"
            )));
        }
        if fields.iter().any(|f| f.starts_with('+')) {
            return Err(refuse("has a `+`, which is no cron".to_owned()));
        }
        for field in &mut fields {
            match *field {
                "?" => *field = "*",
                f if f.eq_ignore_ascii_case("@midnight") => *field = "@daily",
                _ => {}
            }
        }
        let hours_field = fields[..].iter().rev().nth(3).copied();
        let elapsed = hours_field.is_some_and(|f| f.starts_with('*'))
            || fields.iter().any(|f| f.eq_ignore_ascii_case("@hourly"));
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(&fields.join(" "))
            .map_err(|e| refuse(format!("is no cron expression: {}", lower(&e.to_string()))))?;
        let values = |part: &croner::CronComponent| -> Vec<i8> {
            let mut values: Vec<i8> = (part.values().into_iter())
                .filter_map(|v| i8::try_from(v).ok())
                .collect();
            values.sort_unstable();
            values
        };
        Ok(Self {
            seconds: values(&cron.pattern.seconds),
            minutes: values(&cron.pattern.minutes),
            hours: values(&cron.pattern.hours),
            cron,
            elapsed,
        })
    }

    /// Whether it runs on elapsed time: its field of hours begins with `*`.
    pub(crate) fn elapsed(&self) -> bool {
        self.elapsed
    }

    /// What it means.
    pub(crate) fn words(&self) -> String {
        let text = self.cron.describe();
        text.trim_end_matches('.').to_owned()
    }

    /// Whether it fires on a day.
    fn on(&self, date: Date) -> bool {
        let (year, month, day) = (date.year(), date.month(), date.day());
        let (month, day) = (month.unsigned_abs().into(), day.unsigned_abs().into());
        let pattern = &self.cron.pattern;
        pattern.month_match(month).unwrap_or_default()
            && (pattern.day_match(year.into(), month, day, weekday(date))).unwrap_or_default()
    }

    /// The first time of a day that is not before `from`.
    fn time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        for h in self.hours.iter().copied().filter(|h| *h >= hour) {
            let minute = if h == hour { minute } else { 0 };
            for m in self.minutes.iter().copied().filter(|m| *m >= minute) {
                let same = h == hour && m == from.minute();
                let least = if same { second } else { 0 };
                if let Some(s) = self.seconds.iter().copied().find(|s| *s >= least) {
                    return Time::new(h, m, s, 0).ok();
                }
            }
        }
        None
    }
}

impl Civil for Cron {
    fn next(
        &self,
        from: DateTime,
        horizon: DateTime,
        budget: &mut Budget,
    ) -> Result<Option<DateTime>, RuleError> {
        let (mut date, mut time) = (from.date(), from.time());
        while date <= horizon.date() {
            budget.spend(1)?;
            let month = date.month().unsigned_abs().into();
            let step: Span = if self.cron.pattern.month_match(month).unwrap_or_default() {
                if self.on(date)
                    && let Some(time) = self.time(time)
                {
                    return Ok(Some(date.to_datetime(time)));
                }
                1.day()
            } else {
                i64::from(date.days_in_month() - date.day() + 1).days()
            };
            let Ok(next) = date.checked_add(step) else {
                return Ok(None);
            };
            (date, time) = (next, Time::midnight());
        }
        Ok(None)
    }
}

fn weekday(date: Date) -> Weekday {
    use jiff::civil::Weekday as Day;
    match date.weekday() {
        Day::Sunday => Weekday::Sunday,
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
    }
}

/// An error's text as part of a sentence.
fn lower(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
