//! What a rule means, for people.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use rrule::Frequency;

use crate::RuleError;
use crate::cron::Cron;
use crate::instant::instant;
use crate::rule_text::RuleText;
use crate::spec::{Kind, Spec};

/// The meaning of a schedule's rule, in its zone.
pub(crate) fn of(spec: &Spec, zone: &TimeZone) -> Result<String, RuleError> {
    let name = if spec.timezone.is_empty() {
        "UTC"
    } else {
        &spec.timezone
    };
    Ok(match &spec.kind {
        Kind::Cron(text) => format!("{}, in {name}", Cron::parse(text)?.words()),
        Kind::Rrule(text) => {
            // Words tell what is written; what a start would add is told beside them.
            let epoch = zone.to_datetime(jiff::Timestamp::UNIX_EPOCH);
            let start = crate::rule_text::dtstart(text, zone)?.unwrap_or(epoch);
            format!("{}, in {name}", rule(&RuleText::parse(text, start, zone)?))
        }
        Kind::Interval(ms) => {
            let every = jiff::SignedDuration::from_millis(*ms);
            format!("Every {every:#}")
        }
        Kind::Once(text) => {
            let at = instant("executeAt", text, zone)?;
            format!(
                "Once, at {} in {name}",
                zone.to_datetime(at).strftime("%F %T")
            )
        }
    })
}

fn rule(rule: &RuleText) -> String {
    let (one, many) = match rule.freq {
        Frequency::Yearly => ("year", "years"),
        Frequency::Monthly => ("month", "months"),
        Frequency::Weekly => ("week", "weeks"),
        Frequency::Daily => ("day", "days"),
        Frequency::Hourly => ("hour", "hours"),
        Frequency::Minutely => ("minute", "minutes"),
        Frequency::Secondly => ("second", "seconds"),
    };
    let mut text = match rule.interval {
        1 => format!("Every {one}"),
        n => format!("Every {n} {many}"),
    };
    let mut list = |before: &str, values: Vec<String>| {
        if !values.is_empty() {
            text.push_str(before);
            text.push_str(&values.join(", "));
        }
    };
    let numbers = |values: &[i8]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    list(" in ", rule.months.iter().map(|m| month(*m)).collect());
    list(" in week ", numbers(&rule.week_numbers));
    let year_days = rule.year_days.iter().map(ToString::to_string).collect();
    list(" on day of the year ", year_days);
    list(
        " on day ",
        rule.month_days
            .iter()
            .map(|d| place(i64::from(*d)))
            .collect(),
    );
    list(" on ", rule.weekdays.iter().map(nth).collect());
    let positions = rule.set_pos.iter().map(|p| place(i64::from(*p)));
    list(", of these the ", positions.collect());
    if let ([hour], [minute], true) = (
        &rule.hours[..],
        &rule.minutes[..],
        rule.seconds.is_empty() || rule.seconds == [0],
    ) {
        list(" at ", vec![format!("{hour:02}:{minute:02}")]);
    } else {
        list(" at hour ", numbers(&rule.hours));
        list(" at minute ", numbers(&rule.minutes));
        list(" at second ", numbers(&rule.seconds));
    }
    if let Some(count) = rule.count {
        text.push_str(&format!(", {count} times"));
    }
    if let Some(until) = rule.until {
        text.push_str(&format!(", until {}", until.strftime("%F %R")));
    }
    text
}

fn nth((nth, weekday): &(Option<i16>, Weekday)) -> String {
    let name = match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    match nth {
        None => name.to_owned(),
        Some(n) => format!("the {} {name}", place(i64::from(*n))),
    }
}

/// A place from the front or the back.
fn place(n: i64) -> String {
    match n {
        -1 => "last".to_owned(),
        n if n < 0 => format!("{} from the end", -n),
        n => n.to_string(),
    }
}

fn month(n: i8) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let at = usize::try_from(n - 1).ok();
    at.and_then(|at| NAMES.get(at)).unwrap_or(&"?").to_string()
}
