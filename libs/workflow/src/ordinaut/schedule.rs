//! When the task runs: one trigger.

use gearmesh_schedule::{Kind, Spec};
use serde_json::{Map, Value, json};

use super::expression::translate_condition;
use super::names::{Names, identifier};
use super::value::{INVALID, given, text, wrong};
use crate::diagnostic::{Report, quote};
use crate::schedule::PERIOD_MIN;
use crate::timing::Schedule;
use crate::tree::{Data, Entry, Tree};
use crate::trigger::Trigger;
use crate::{duration, timing};

/// The zone of a document that names none.
const TIMEZONE: &str = "Europe/Chisinau";

/// How often a `condition` is looked at.
const LOOK: &str = "1m";

/// The kinds, and whether they go by the clock of a zone.
const KINDS: [(&str, bool); 6] = [
    ("cron", true),
    ("rrule", true),
    ("once", true),
    ("event", false),
    ("condition", false),
    ("interval", false),
];

/// States of a task in which its schedule does nothing.
const RESTING: [&str; 2] = ["paused", "canceled"];

/// The trigger of a document, if it has a schedule that is awake.
pub(super) fn read(report: &mut Report<'_>, root: &Tree, params: &[Entry]) -> Option<Trigger> {
    let kind = kind(report, root)?;
    let Some(entry) = given(root, "schedule_expr") else {
        let place = root
            .get("schedule_kind")
            .map_or(root.span, |kind| kind.span);
        let message = format!("`schedule_kind: {}` needs a `schedule_expr`", kind.0);
        report.error(INVALID, place, message);
        return None;
    };
    let trigger = trigger(report, root, entry, kind, params)?;
    is_awake(report, root).then_some(trigger)
}

fn kind(report: &mut Report<'_>, root: &Tree) -> Option<(&'static str, bool)> {
    let entry = given(root, "schedule_kind")?;
    let text = entry.value.text();
    let kind = KINDS.iter().find(|(kind, _)| text == Some(kind));
    if kind.is_none() {
        let all: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        let expected = format!("one of {}", all.join(", "));
        wrong(
            report,
            &entry.value,
            "`schedule_kind` of the task",
            &expected,
        );
    }
    kind.copied()
}

fn trigger(
    report: &mut Report<'_>,
    root: &Tree,
    entry: &Entry,
    (kind, zoned): (&str, bool),
    params: &[Entry],
) -> Option<Trigger> {
    let mut trigger = Trigger {
        id: None,
        kind: kind.to_owned(),
        value: Value::Null,
        when: None,
        inputs: Vec::new(),
        settings: Map::new(),
    };
    let zone = match given(root, "timezone").filter(|_| zoned) {
        Some(zone) => text(report, zone, "the task")?,
        None => TIMEZONE.to_owned(),
    };
    match (kind, &entry.value.data) {
        ("interval", Data::Number(seconds)) => trigger.value = json!(format!("{seconds}s")),
        ("condition", _) => {
            trigger.kind = "interval".to_owned();
            trigger.value = json!(LOOK);
            trigger.when = Some(condition(report, entry, params)?);
        }
        _ => trigger.value = text(report, entry, "the task")?.into(),
    }
    let expr = trigger.value.as_str().unwrap_or_default();
    match rule(kind, expr, &zone) {
        Ok(None) => {}
        Ok(Some(rule)) => is_fit(report, root, entry, rule, &zone).then_some(())?,
        Err(fault) => {
            let span = match fault.at_zone {
                true => root.get("timezone").map_or(root.span, |zone| zone.span),
                false => entry.value.span,
            };
            report.error(INVALID, span, fault.message);
            return None;
        }
    }
    if zoned {
        trigger.settings.insert("timezone".to_owned(), zone.into());
    }
    Some(trigger)
}

/// Why a schedule is none.
struct Unfit {
    message: String,
    at_zone: bool,
}

/// The rule by the clock of a zone that the schedule is, if it is one.
fn rule(kind: &str, expr: &str, zone: &str) -> Result<Option<Kind>, Unfit> {
    let unfit = |message| Unfit {
        message,
        at_zone: false,
    };
    let expected = |what: &str| {
        let message = format!(
            "`schedule_expr` of the task: expected {what}, found text \"{}\"",
            quote(expr)
        );
        Err(unfit(message))
    };
    let Some(known) = timing::zone(zone) else {
        let message = format!(
            "`timezone` of the task: no zone is called `{}`; write an IANA name such as {TIMEZONE}",
            quote(zone)
        );
        return Err(Unfit {
            at_zone: true,
            ..unfit(message)
        });
    };
    Ok(match kind {
        "cron" => Some(Kind::Cron(expr.to_owned())),
        "rrule" => Some(Kind::Rrule(expr.to_owned())),
        "once" if !timing::is_instant(expr, &known) => {
            return expected("an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time");
        }
        "once" => Some(Kind::Once(expr.to_owned())),
        "interval" if duration::parse(expr).map_or(true, |every| every < PERIOD_MIN) => {
            return expected("a duration as `30m`, or seconds, at least 1s");
        }
        _ => None,
    })
}

/// Whether a rule of a zone can be used, which is reported else.
fn is_fit(report: &mut Report<'_>, root: &Tree, entry: &Entry, rule: Kind, zone: &str) -> bool {
    let text = entry.value.text().unwrap_or_default();
    let schedule = Schedule {
        rule: format!("{}: {text}", rule.name()),
        spec: Spec {
            kind: rule,
            start: None,
            timezone: zone.to_owned(),
            gap: None,
            overlap: None,
            until: None,
            except: Vec::new(),
        },
        owner: "the task",
        span: entry.value.span,
        decides: false,
        setting: &|key| root.get(key).map(|value| value.span),
    };
    timing::check(report, &schedule)
}

/// The condition, with the values of params in it: a trigger has no inputs yet.
fn condition(
    report: &mut Report<'_>,
    entry: &Entry,
    params: &[Entry],
) -> Option<gearmesh_expr::Expression> {
    let text = text(report, entry, "the task")?;
    let names = Names {
        steps: &[],
        before: 0,
        params,
        input: identifier,
    };
    let translated = match translate_condition(&text, &names) {
        Ok(translated) => translated,
        Err(errors) => {
            for error in errors {
                report.error(error.code, entry.value.span, error.message);
            }
            return None;
        }
    };
    for unknown in translated.unknown {
        report.warning("UNKNOWN_NAME", entry.value.span, unknown.message);
    }
    let text = with_values(&translated.text, params);
    match gearmesh_expr::Expression::condition(&text) {
        Ok(expression) => Some(expression),
        Err(error) => {
            report.error(error.code, entry.value.span, error.message);
            None
        }
    }
}

/// The text with the values of params in the place of their names.
fn with_values(text: &str, params: &[Entry]) -> String {
    let Ok(expression) = gearmesh_expr::Expression::parse(text) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut paths: Vec<_> = expression.paths().iter().collect();
    paths.sort_by_key(|path| path.span.start);
    for path in paths.into_iter().filter(|path| path.root == "inputs") {
        let (Some(gearmesh_expr::Step::Field(name)), Some(first)) =
            (path.steps.first(), path.step_spans.first())
        else {
            continue;
        };
        let Some(param) = params.iter().find(|param| param.key == *name) else {
            continue;
        };
        out.push_str(text.get(at..path.span.start).unwrap_or_default());
        let json = param.value.value().to_string().replace('`', "\\u0060");
        out.push_str(&format!("`{json}`"));
        at = first.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Whether the schedule is to run. A state is no part of a workflow: it is said, not taken over.
fn is_awake(report: &mut Report<'_>, root: &Tree) -> bool {
    let Some(entry) = given(root, "status") else {
        return true;
    };
    let status = entry.value.text().unwrap_or_default();
    if status == "active" {
        return true;
    }
    if !RESTING.contains(&status) {
        let expected = "one of active, paused, canceled";
        wrong(report, &entry.value, "`status` of the task", expected);
        return false;
    }
    let message = format!("the task is {}: its schedule is left out", quote(status));
    report.warning("SCHEDULE_LEFT_OUT", entry.value.span, message);
    false
}
