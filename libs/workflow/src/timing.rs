//! Rules of schedules, as far as a file alone tells: whether they can be read, and whether they
//! can fire at all. When they fire is the scheduler's to say, which has a clock.

use chrono::TimeZone as _;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};
use rrule::{RRule, Unvalidated};

/// Short names of cron; `@reboot` is none, since a schedule knows no start of a machine.
const NAMES: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// Longest text of a rule, in bytes: the scheduler stores it and reads it at every fire.
pub const RULE_MAX: usize = 4 * 1024;

/// How many years are looked through for a day on which cron fires: two leap years at least.
const YEARS: i16 = 10;

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    /// Goes on after the rule in quotes, as in `` `x` is no cron expression``.
    pub(crate) message: String,
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault {
        code: "INVALID_VALUE",
        message: message.into(),
    }
}

fn never() -> Fault {
    Fault {
        code: "SCHEDULE_NEVER_FIRES",
        message: "never fires: no day of the calendar fits it".to_owned(),
    }
}

/// A zone of the bundled database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Whether a text is an instant: RFC 3339, or a local time in the zone.
pub(crate) fn is_instant(text: &str, zone: &TimeZone) -> bool {
    let local = || text.parse::<DateTime>().ok();
    text.parse::<Timestamp>().is_ok() || local().is_some_and(|l| zone.to_timestamp(l).is_ok())
}

/// Whether a text is a day, as `2027-12-31`.
pub(crate) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok()
}

/// Whether the text of a rule is short enough.
fn fits(text: &str) -> Result<(), Fault> {
    if text.len() > RULE_MAX {
        return Err(invalid(format!("has more than {RULE_MAX} bytes")));
    }
    Ok(())
}

/// What is wrong with a cron expression.
pub(crate) fn cron(text: &str) -> Result<(), Fault> {
    fits(text)?;
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    if let [name] = fields[..]
        && name.starts_with('@')
    {
        let known = NAMES.contains(&name.to_ascii_lowercase().as_str());
        return if known {
            Ok(())
        } else {
            Err(invalid(format!("is none of {}", NAMES.join(", "))))
        };
    }
    if !(5..=6).contains(&fields.len()) {
        let count = fields.len();
        return Err(invalid(format!(
            "has {count} fields; cron has 5, or 6 with seconds first"
        )));
    }
    if fields.iter().any(|field| field.starts_with('+')) {
        return Err(invalid("has a `+`, which is no cron"));
    }
    for field in &mut fields {
        if *field == "?" {
            *field = "*";
        }
    }
    let cron = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
        .parse(&fields.join(" "))
        .map_err(|e| {
            invalid(format!(
                "is no cron expression: {}",
                e.to_string().to_lowercase()
            ))
        })?;
    fires(&cron).then_some(()).ok_or_else(never)
}

/// Whether a cron expression has a day in some years that have every kind of day.
fn fires(cron: &croner::Cron) -> bool {
    let pattern = &cron.pattern;
    for (year, month) in (0..YEARS).flat_map(|year| (1..=12).map(move |month| (2000 + year, month)))
    {
        let Ok(first) = Date::new(year, month, 1) else {
            continue;
        };
        let number = u32::from(month.unsigned_abs());
        if !pattern.month_match(number).unwrap_or_default() {
            continue;
        }
        for day in 0..first.days_in_month() {
            let Ok(date) = first.checked_add(i64::from(day).days()) else {
                continue;
            };
            let at = u32::from(date.day().unsigned_abs());
            let here = pattern.day_match(i32::from(year), number, at, weekday(date));
            if here.unwrap_or_default() {
                return true;
            }
        }
    }
    false
}

fn weekday(date: Date) -> croner::Weekday {
    match date.weekday() {
        Weekday::Sunday => croner::Weekday::Sunday,
        Weekday::Monday => croner::Weekday::Monday,
        Weekday::Tuesday => croner::Weekday::Tuesday,
        Weekday::Wednesday => croner::Weekday::Wednesday,
        Weekday::Thursday => croner::Weekday::Thursday,
        Weekday::Friday => croner::Weekday::Friday,
        Weekday::Saturday => croner::Weekday::Saturday,
    }
}

/// What is wrong with a rule of RFC 5545, with or without `RRULE:` and the lines beside it.
pub(crate) fn rule(text: &str) -> Result<(), Fault> {
    fits(text)?;
    let mut found = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, value) = line.split_once(':').unwrap_or(("RRULE", line));
        let name = head.split(';').next().unwrap_or_default();
        match name.to_ascii_uppercase().as_str() {
            "RRULE" if found.is_none() => found = Some(value),
            "RRULE" => return Err(invalid("has two rules; make two triggers")),
            "DTSTART" | "EXDATE" | "RDATE" => {}
            _ => {
                return Err(invalid(format!(
                    "has `{name}`, which is none of RRULE, DTSTART, EXDATE and RDATE"
                )));
            }
        }
    }
    let rule = found.ok_or_else(|| invalid("has no rule; write `FREQ=..`"))?;
    if rule.to_ascii_uppercase().contains("BYEASTER") {
        return Err(invalid("has BYEASTER, which is no part of RFC 5545"));
    }
    // UNTIL is in the zone of the trigger, which the parser does not know.
    let parts = rule.split(';').filter(|part| !part.is_empty());
    let rest: Vec<&str> = parts
        .filter(|part| !part.to_ascii_uppercase().starts_with("UNTIL="))
        .collect();
    let wrong = |e: rrule::RRuleError| invalid(format!("is no rule of RFC 5545: {e}"));
    let read: RRule<Unvalidated> = rest.join(";").parse().map_err(wrong)?;
    if read.get_interval() == 0 {
        return Err(invalid("has INTERVAL=0; it is at least 1"));
    }
    let start = rrule::Tz::UTC
        .with_ymd_and_hms(2000, 1, 1, 0, 0, 0)
        .single();
    if let Some(start) = start {
        read.clone().validate(start).map_err(wrong)?;
    }
    possible(&read).then_some(()).ok_or_else(never)
}

/// Whether some month of the rule has some day of it; rules without both always may.
fn possible(rule: &RRule<Unvalidated>) -> bool {
    let (months, days) = (rule.get_by_month(), rule.get_by_month_day());
    if months.is_empty() || days.is_empty() {
        return true;
    }
    let longest = |month: &u8| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    months
        .iter()
        .any(|month| days.iter().any(|day| day.unsigned_abs() <= longest(month)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Fault>) -> &'static str {
        result.map_or_else(|fault| fault.code, |()| "")
    }

    #[test]
    fn cron_is_read_and_fires() {
        // WF-7.2, WF-7.17
        for good in [
            "30 2 * * *",
            "*/5 * * * * *",
            "0 0 29 2 *",
            "0 9 L * *",
            "0 9 15W * *",
            "0 9 * * MON#2",
            "0 0 * * 7",
            "0 0 * * 0",
            "0 0 ? * sun",
            "@daily",
            "0 0 31 * *",
        ] {
            assert_eq!(code(cron(good)), "", "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * * *",
            "61 * * * *",
            "@reboot",
            "+1 * * * *",
            "x * * * *",
        ] {
            assert_eq!(code(cron(bad)), "INVALID_VALUE", "{bad}");
        }
        for never in ["30 2 30 2 *", "0 0 31 4,6 *"] {
            assert_eq!(code(cron(never)), "SCHEDULE_NEVER_FIRES", "{never}");
        }
    }

    #[test]
    fn rules_are_read_and_fire() {
        // WF-7.3, WF-7.17
        for good in [
            "FREQ=DAILY;BYHOUR=9",
            "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20301231T000000Z",
            "DTSTART:20270101T090000\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR",
        ] {
            assert_eq!(rule(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "FREQ=SOMETIMES",
            "INTERVAL=2",
            "FREQ=DAILY;INTERVAL=0",
            "EXRULE:FREQ=DAILY",
            "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY",
            "FREQ=YEARLY;BYEASTER=1",
        ] {
            assert_eq!(code(rule(bad)), "INVALID_VALUE", "{bad}");
        }
        for never in [
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31",
        ] {
            assert_eq!(code(rule(never)), "SCHEDULE_NEVER_FIRES", "{never}");
        }
    }

    #[test]
    fn rules_end_at_their_limit() {
        // WF-7.2, WF-7.3
        let cron_of = |length: usize| format!("* * * * {}", "1,".repeat(length)) + "1";
        let fits = (RULE_MAX - 9) / 2;
        assert_eq!(code(cron(&cron_of(fits))), "");
        assert_eq!(code(cron(&cron_of(fits + 1))), "INVALID_VALUE");
        let rule_of = |length: usize| format!("FREQ=YEARLY;BYMONTH={}1", "1,".repeat(length));
        let fits = (RULE_MAX - 21) / 2;
        assert_eq!(code(rule(&rule_of(fits))), "");
        assert_eq!(code(rule(&rule_of(fits + 1))), "INVALID_VALUE");
    }

    #[test]
    fn zones_and_instants_are_known() {
        // WF-1.14
        assert!(zone("Europe/Chisinau").is_some() && zone("UTC").is_some());
        assert!(zone("Europe/Chisinua").is_none() && zone("").is_none());
        let zone = zone("Europe/Chisinau").unwrap();
        assert!(
            is_instant("2027-01-31T09:00:00Z", &zone) && is_instant("2027-01-31T09:00:00", &zone)
        );
        assert!(!is_instant("tomorrow", &zone) && !is_instant("2027-02-30T09:00:00Z", &zone));
    }
}
