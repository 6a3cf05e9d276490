//! The text of a rule of RFC 5545 with the lines that may stand beside it.

use std::collections::BTreeSet;

use chrono::TimeZone as _;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use rrule::{Frequency, NWeekday, RRule, Unvalidated};

use crate::RuleError;

/// JSON name of the field that holds it.
const FIELD: &str = "rrule";

/// Longest text of a rule, in bytes: it is stored, and read at every fire.
pub const RULE_MAX: usize = 4 * 1024;

/// Excluded and added dates of one rule: each is stored and looked at for each fire.
const DATES_MAX: usize = 1_000;

/// Occurrences of a rule with COUNT, which are walked from the first for each fire.
const COUNT_MAX: u32 = 10_000;

/// The parts of a rule. Texts are in the schedule's zone.
#[derive(Debug, Clone)]
pub(crate) struct RuleText {
    pub(crate) freq: Frequency,
    pub(crate) interval: i64,
    pub(crate) count: Option<u32>,
    /// The last local time.
    pub(crate) until: Option<DateTime>,
    pub(crate) week_start: Weekday,
    pub(crate) set_pos: Vec<i32>,
    pub(crate) months: Vec<i8>,
    pub(crate) month_days: Vec<i8>,
    pub(crate) year_days: Vec<i16>,
    pub(crate) week_numbers: Vec<i8>,
    pub(crate) weekdays: Vec<(Option<i16>, Weekday)>,
    pub(crate) hours: Vec<i8>,
    pub(crate) minutes: Vec<i8>,
    pub(crate) seconds: Vec<i8>,
    pub(crate) excluded: BTreeSet<DateTime>,
    pub(crate) added: BTreeSet<DateTime>,
}

/// A text taken apart into its lines.
#[derive(Debug, Default)]
struct Lines<'a> {
    rule: Option<&'a str>,
    start: Option<DateTime>,
    excluded: BTreeSet<DateTime>,
    added: BTreeSet<DateTime>,
}

/// Why a text is no rule: goes on after the text in quotes.
type Read<T> = Result<T, String>;

fn told<T>(text: &str, read: Read<T>) -> Result<T, RuleError> {
    read.map_err(|why| RuleError::text(FIELD, text, why))
}

/// The first instant that a line DTSTART of the text gives.
pub(crate) fn dtstart(text: &str, zone: &TimeZone) -> Result<Option<DateTime>, RuleError> {
    Ok(told(text, lines(text, zone))?.start)
}

impl RuleText {
    /// Reads a text; `start` is the first local time of the rule.
    pub(crate) fn parse(text: &str, start: DateTime, zone: &TimeZone) -> Result<Self, RuleError> {
        told(text, Self::read(text, start, zone))
    }

    fn read(text: &str, start: DateTime, zone: &TimeZone) -> Read<Self> {
        let lines = lines(text, zone)?;
        let rule = lines.rule.ok_or("has no rule; write `FREQ=..`")?;
        if rule.to_ascii_uppercase().contains("BYEASTER") {
            return Err("has BYEASTER, which is no part of RFC 5545".to_owned());
        }
        let (rest, until) = split_until(rule, zone)?;
        let read: RRule<Unvalidated> = rest
            .parse()
            .map_err(|e| format!("is no rule of RFC 5545: {e}"))?;
        let first = naive(start).ok_or("has a `start` outside the calendar")?;
        (read.clone().validate(first)).map_err(|e| format!("is no rule of RFC 5545: {e}"))?;
        if read.get_count().is_some_and(|c| c > COUNT_MAX) {
            return Err(format!("has a COUNT above {COUNT_MAX}; use UNTIL"));
        }
        if read.get_interval() == 0 {
            return Err("has INTERVAL=0; it is at least 1".to_owned());
        }
        let signed = |values: &[u8]| -> Vec<i8> {
            let mut values: Vec<i8> = values
                .iter()
                .filter_map(|v| i8::try_from(*v).ok())
                .collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        Ok(Self {
            freq: read.get_freq(),
            interval: i64::from(read.get_interval()),
            count: read.get_count(),
            until,
            week_start: weekday(read.get_week_start()),
            set_pos: read.get_by_set_pos().to_vec(),
            months: signed(read.get_by_month()),
            month_days: read.get_by_month_day().to_vec(),
            year_days: read.get_by_year_day().to_vec(),
            week_numbers: read.get_by_week_no().to_vec(),
            weekdays: read.get_by_weekday().iter().map(nth_weekday).collect(),
            hours: signed(read.get_by_hour()),
            minutes: signed(read.get_by_minute()),
            seconds: signed(read.get_by_second()),
            excluded: lines.excluded,
            added: lines.added,
        })
    }

    /// Whether it counts hours, minutes or seconds.
    pub(crate) fn sub_daily(&self) -> bool {
        matches!(
            self.freq,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly
        )
    }
}

fn lines<'a>(text: &'a str, zone: &TimeZone) -> Read<Lines<'a>> {
    if text.len() > RULE_MAX {
        return Err(format!("has more than {RULE_MAX} bytes"));
    }
    let mut found = Lines::default();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (head, value) = match line.split_once(':') {
            Some(parts) => parts,
            None => ("RRULE", line),
        };
        let mut params = head.split(';');
        let name = params.next().unwrap_or_default().to_ascii_uppercase();
        for param in params {
            let zoned = param
                .split_once('=')
                .filter(|(k, _)| k.eq_ignore_ascii_case("TZID"));
            if let Some((_, id)) = zoned
                && zone.iana_name() != Some(id)
            {
                let own = zone.iana_name().unwrap_or("UTC");
                return Err(format!(
                    "has `TZID={id}`, another zone than that of the schedule, which is {own}"
                ));
            }
        }
        match name.as_str() {
            "RRULE" if found.rule.is_none() => found.rule = Some(value),
            "RRULE" => return Err("has two rules; make two schedules".to_owned()),
            "DTSTART" => found.start = Some(local(value, zone)?),
            "EXDATE" => found.excluded.extend(dates(value, zone)?),
            "RDATE" => found.added.extend(dates(value, zone)?),
            _ => {
                return Err(format!(
                    "has `{name}`, which is none of RRULE, DTSTART, EXDATE and RDATE"
                ));
            }
        }
    }
    if found.excluded.len() + found.added.len() > DATES_MAX {
        return Err(format!(
            "has more than {DATES_MAX} dates in EXDATE and RDATE"
        ));
    }
    Ok(found)
}

fn dates(value: &str, zone: &TimeZone) -> Read<Vec<DateTime>> {
    value.split(',').map(|v| local(v.trim(), zone)).collect()
}

/// UNTIL is taken out and read here: the crate asks for its zone to be that of the start.
fn split_until(rule: &str, zone: &TimeZone) -> Read<(String, Option<DateTime>)> {
    let mut until = None;
    let mut rest = Vec::new();
    for part in rule.split(';').filter(|p| !p.is_empty()) {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("UNTIL") => {
                // A date without a time means the whole day.
                until = Some(if value.len() == DATE_LENGTH {
                    local(value, zone)?.date().to_datetime(Time::MAX)
                } else {
                    local(value, zone)?
                });
            }
            _ => rest.push(part),
        }
    }
    Ok((rest.join(";"), until))
}

/// Length of `20270131`.
const DATE_LENGTH: usize = 8;

/// `20270131`, `20270131T090000` or `20270131T090000Z`, as a local time.
fn local(text: &str, zone: &TimeZone) -> Read<DateTime> {
    let read = || {
        let (text, utc) = match text.strip_suffix(['Z', 'z']) {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) if time.len() == 6 => (date, time),
            None => (text, "000000"),
            Some(_) => return None,
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if date.len() != DATE_LENGTH || !digits(date) || !digits(time) {
            return None;
        }
        let date = Date::new(
            date.get(..4)?.parse().ok()?,
            date.get(4..6)?.parse().ok()?,
            date.get(6..)?.parse().ok()?,
        );
        let time = Time::new(
            time.get(..2)?.parse().ok()?,
            time.get(2..4)?.parse().ok()?,
            time.get(4..)?.parse().ok()?,
            0,
        );
        let local = date.ok()?.to_datetime(time.ok()?);
        if utc {
            let at: Timestamp = TimeZone::UTC.to_timestamp(local).ok()?;
            Some(zone.to_datetime(at))
        } else {
            Some(local)
        }
    };
    read().ok_or_else(|| format!("has `{text}`, which is no time; write 20270131T090000"))
}

/// A local time as the crate takes it: it is told that all is UTC.
fn naive(local: DateTime) -> Option<chrono::DateTime<rrule::Tz>> {
    let part = |n: i8| u32::from(n.unsigned_abs());
    rrule::Tz::UTC
        .with_ymd_and_hms(
            i32::from(local.year()),
            part(local.month()),
            part(local.day()),
            part(local.hour()),
            part(local.minute()),
            part(local.second()),
        )
        .single()
}

fn nth_weekday(day: &NWeekday) -> (Option<i16>, Weekday) {
    match day {
        NWeekday::Every(day) => (None, weekday(*day)),
        NWeekday::Nth(n, day) => (Some(*n), weekday(*day)),
    }
}

fn weekday(day: rrule::Weekday) -> Weekday {
    match day {
        rrule::Weekday::Mon => Weekday::Monday,
        rrule::Weekday::Tue => Weekday::Tuesday,
        rrule::Weekday::Wed => Weekday::Wednesday,
        rrule::Weekday::Thu => Weekday::Thursday,
        rrule::Weekday::Fri => Weekday::Friday,
        rrule::Weekday::Sat => Weekday::Saturday,
        rrule::Weekday::Sun => Weekday::Sunday,
    }
}
