//! Triggers that go by the clock: `cron`, `rrule`, `interval`, `once`.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::tree::{Data, Entry};
use crate::{duration, field, keys, timing};

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
    match kind {
        "interval" => {
            if let Some(every) = field::duration(report, entry, owner, false)
                && every < PERIOD_MIN
            {
                field::unexpected(report, entry, owner, "at least 1s");
            }
        }
        "once" => instant(report, entry, owner, zone.as_ref()),
        _ => {
            if let Some(text) = field::text(report, entry, owner) {
                let rule = if kind == "cron" {
                    timing::cron(&text)
                } else {
                    timing::rule(&text)
                };
                if let Err(fault) = rule {
                    let message = format!("`{kind}: {}` {}", quote(&text), fault.message);
                    report.error(fault.code, entry.value.span, message);
                }
            }
        }
    }
    for key in ["start", "until"] {
        if let Some(entry) = fields.get(key) {
            instant(report, entry, owner, zone.as_ref());
        }
    }
    policies(report, fields, owner);
    if let Some(entry) = fields.get("overlap")
        && concurrency
    {
        let message =
            format!("`overlap` of {owner}: the workflow has `concurrency`, which decides");
        report.error("INVALID_VALUE", entry.key_span, message);
    }
}

/// The settings of when a fire counts.
fn policies(report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) {
    if let Some(entry) = fields.get("dst") {
        dst(report, entry, owner);
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
        except(report, entry, owner);
    }
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

fn instant(report: &mut Report<'_>, entry: &Entry, owner: &str, zone: Option<&TimeZone>) {
    let Some(zone) = zone else { return };
    let text = entry.value.text();
    if !text.is_some_and(|text| timing::is_instant(text, zone)) {
        let expected = "an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time";
        field::unexpected(report, entry, owner, expected);
    }
}

fn dst(report: &mut Report<'_>, entry: &Entry, owner: &str) {
    let Some(entries) = entry.value.map() else {
        field::unexpected(
            report,
            entry,
            owner,
            "a map as `{gap: after, overlap: first}`",
        );
        return;
    };
    let owner = &format!("`dst` of {owner}");
    let fields = keys::DST.check(report, entries, owner);
    for (key, all) in [("gap", &GAP), ("overlap", &TWICE)] {
        if let Some(entry) = fields.get(key) {
            word(report, entry, owner, all);
        }
    }
}

/// One of the words.
pub(crate) fn word(report: &mut Report<'_>, entry: &Entry, owner: &str, all: &[&'static str]) {
    let words: Vec<(&str, ())> = all.iter().map(|word| (*word, ())).collect();
    field::choice(report, entry, owner, &words);
}

/// Days on which nothing fires, or the name of a calendar of them.
fn except(report: &mut Report<'_>, entry: &Entry, owner: &str) {
    if matches!(&entry.value.data, Data::Text(name, _) if !name.is_empty()) {
        return;
    }
    let Some(days) = field::texts(report, entry, owner) else {
        return;
    };
    for (day, span) in days {
        let moment = || timing::is_instant(&day, &TimeZone::UTC);
        if !timing::is_date(&day) && !moment() {
            let message = format!(
                "`except` of {owner}: expected a day as `2027-12-31`, found text \"{}\"",
                quote(&day)
            );
            report.error("INVALID_VALUE", span, message);
        }
    }
}
