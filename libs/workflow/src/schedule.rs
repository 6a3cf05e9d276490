//! Triggers that go by the clock: `cron`, `rrule`, `interval`, `once`.

use std::time::Duration;

use gearmesh_schedule::{Kind, Spec};
use jiff::tz::TimeZone;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::timing::{self, Schedule};
use crate::tree::{Data, Entry, Tree};
use crate::{duration, field, keys};

/// Shortest period of a schedule.
pub const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Longest `jitter`: beyond it a start has little to do with its schedule.
pub const JITTER_MAX: Duration = Duration::from_secs(3_600);

/// Shortest `catchUpWindow`.
pub const WINDOW_MIN: Duration = Duration::from_secs(10);

/// Most fires that are caught up.
pub const CATCH_UP_MAX: u64 = 1_000;

const CATCH_UP: [&str; 3] = ["none", "last", "all"];
const GAP: [&str; 3] = ["after", "shift", "skip"];
const TWICE: [&str; 3] = ["first", "last", "both"];
const OVERLAP: [&str; 5] = ["skip", "queueOne", "queue", "allow", "cancelRunning"];

/// Checks a schedule; `concurrency` says whether the workflow has that key.
pub(crate) fn check(
    report: &mut Report<'_>,
    kind: &str,
    entry: &Entry,
    fields: &Fields<'_>,
    owner: &str,
    concurrency: bool,
) {
    let zone = zone(report, fields, owner);
    let rule = rule(report, kind, entry, owner, zone.as_ref());
    let mut readable = zone.is_some();
    for key in ["start", "until"] {
        if let Some(entry) = fields.get(key) {
            readable &= instant(report, entry, owner, zone.as_ref());
        }
    }
    readable &= policies(report, fields, owner);
    if let (Some(rule), true) = (rule, readable) {
        timing::check(
            report,
            &Schedule {
                spec: spec(rule, fields),
                rule: format!("{kind}: {}", entry.value.text().unwrap_or_default()),
                owner,
                span: entry.value.span,
                decides: true,
                setting: &|key| {
                    let outer = key.split('.').next().unwrap_or_default();
                    fields.get(outer).map(|entry| entry.value.span)
                },
            },
        );
    }
    if let Some(entry) = fields.get("overlap")
        && concurrency
    {
        let message =
            format!("`overlap` of {owner}: the workflow has `concurrency`, which decides");
        report.error("INVALID_VALUE", entry.key_span, message);
    }
}

/// The rule of a schedule, when its text has the form of one.
fn rule(
    report: &mut Report<'_>,
    kind: &str,
    entry: &Entry,
    owner: &str,
    zone: Option<&TimeZone>,
) -> Option<Kind> {
    match kind {
        "interval" => {
            let every = field::duration(report, entry, owner, false)?;
            if every < PERIOD_MIN {
                field::unexpected(report, entry, owner, "at least 1s");
                return None;
            }
            let every = i64::try_from(every.as_millis()).ok()?;
            Some(Kind::Interval(every))
        }
        "once" => {
            let readable = instant(report, entry, owner, zone);
            let text = entry.value.text().filter(|_| readable)?;
            Some(Kind::Once(text.to_owned()))
        }
        "cron" => field::text(report, entry, owner).map(Kind::Cron),
        _ => field::text(report, entry, owner).map(Kind::Rrule),
    }
}

/// What the scheduler is to be told.
fn spec(kind: Kind, fields: &Fields<'_>) -> Spec {
    let text = |key: &str| fields.get(key).and_then(|entry| entry.value.text());
    let dst = |key: &str| {
        let value = fields.get("dst").and_then(|entry| entry.value.get(key));
        value.and_then(Tree::text).map(str::to_owned)
    };
    let counts = matches!(kind, Kind::Rrule(_) | Kind::Interval(_));
    let days = fields.get("except").and_then(|entry| entry.value.list());
    let days = days.unwrap_or_default().iter().filter_map(Tree::text);
    Spec {
        kind,
        // With others it is reported as a key that does not go with them.
        start: counts.then(|| text("start").map(str::to_owned)).flatten(),
        timezone: text("timezone").unwrap_or_default().to_owned(),
        gap: dst("gap"),
        overlap: dst("overlap"),
        until: text("until").map(str::to_owned),
        except: days
            .filter(|day| timing::is_date(day))
            .map(str::to_owned)
            .collect(),
    }
}

/// The settings of when a fire counts; whether those that say when there is one can be read.
fn policies(report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) -> bool {
    let mut readable = true;
    if let Some(entry) = fields.get("dst") {
        readable = dst(report, entry, owner);
    }
    let mut one_of = |key: &str, all: &[&'static str]| {
        if let Some(entry) = fields.get(key) {
            word(report, entry, owner, all);
        }
    };
    one_of("catchUp", &CATCH_UP);
    one_of("overlap", &OVERLAP);
    if let Some(entry) = fields.get("catchUpMax") {
        field::whole(report, entry, owner, 1, CATCH_UP_MAX);
    }
    let mut span = |key: &str, least: Duration, most: Duration| {
        let Some(entry) = fields.get(key) else { return };
        let given = field::duration(report, entry, owner, least.is_zero());
        if given.is_some_and(|given| given < least || given > most) {
            let (least, most) = (duration::Text(least), duration::Text(most));
            field::unexpected(report, entry, owner, &format!("{least} to {most}"));
        }
    };
    span("jitter", Duration::ZERO, JITTER_MAX);
    span("catchUpWindow", WINDOW_MIN, field::DURATION_MAX);
    if let Some(entry) = fields.get("except") {
        readable &= except(report, entry, owner);
    }
    readable
}

/// The zone of a schedule; `None` when there is none of the name, which is reported.
fn zone(report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) -> Option<TimeZone> {
    let Some(entry) = fields.get("timezone") else {
        return Some(TimeZone::UTC);
    };
    let name = field::text(report, entry, owner)?;
    let zone = timing::zone(&name);
    if zone.is_none() {
        let message = format!(
            "`timezone` of {owner}: no zone is called `{}`; write an IANA name such as Europe/Chisinau",
            quote(&name)
        );
        report.error("INVALID_VALUE", entry.value.span, message);
    }
    zone
}

fn instant(report: &mut Report<'_>, entry: &Entry, owner: &str, zone: Option<&TimeZone>) -> bool {
    let Some(zone) = zone else { return false };
    let text = entry.value.text();
    let readable = text.is_some_and(|text| timing::is_instant(text, zone));
    if !readable {
        let expected = "an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time";
        field::unexpected(report, entry, owner, expected);
    }
    readable
}

fn dst(report: &mut Report<'_>, entry: &Entry, owner: &str) -> bool {
    let Some(entries) = entry.value.map() else {
        field::unexpected(
            report,
            entry,
            owner,
            "a map as `{gap: after, overlap: first}`",
        );
        return false;
    };
    let owner = &format!("`dst` of {owner}");
    let fields = keys::DST.check(report, entries, owner);
    let mut readable = true;
    for (key, all) in [("gap", &GAP), ("overlap", &TWICE)] {
        if let Some(entry) = fields.get(key) {
            readable &= word(report, entry, owner, all);
        }
    }
    readable
}

/// Whether it is one of the words; what is none is reported.
pub(crate) fn word(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
    all: &[&'static str],
) -> bool {
    let words: Vec<(&str, ())> = all.iter().map(|word| (*word, ())).collect();
    field::choice(report, entry, owner, &words).is_some()
}

/// Days on which nothing fires, or the name of a calendar of them; whether they can be read.
fn except(report: &mut Report<'_>, entry: &Entry, owner: &str) -> bool {
    if matches!(&entry.value.data, Data::Text(name, _) if !name.is_empty()) {
        return true;
    }
    let Some(days) = field::texts(report, entry, owner) else {
        return false;
    };
    let mut readable = true;
    for (day, span) in days {
        let moment = || timing::is_instant(&day, &TimeZone::UTC);
        if !timing::is_date(&day) && !moment() {
            let message = format!(
                "`except` of {owner}: expected a day as `2027-12-31`, found text \"{}\"",
                quote(&day)
            );
            report.error("INVALID_VALUE", span, message);
            readable = false;
        }
    }
    readable
}
