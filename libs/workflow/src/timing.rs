//! What the schedules of a file come to. The arithmetic is that of the scheduler; here is only what
//! is said of it.

use gearmesh_schedule::{Budget, Kind, Mark, RuleError, Spec, Timetable, instant};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{Report, quote};
use crate::source::Span;

/// Steps that all schedules of a document may take together: those of a rule that never matches are
/// a tenth of it, and the whole is a tenth of a second.
pub const STEPS_MAX: u32 = 200_000;

/// How far ahead changes of the clock are told of: two years have each of them twice.
const CHANGES_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 366 * 2);

/// The creation of a schedule where nobody tells what time it is: 1 January 2000.
const CREATED: i64 = 946_684_800;

/// A schedule with the places that faults are shown at.
pub(crate) struct Schedule<'a> {
    pub(crate) spec: Spec,
    /// As the file writes it, with the key: `cron: 30 2 * * *`.
    pub(crate) rule: String,
    /// What has it, as `trigger 1`.
    pub(crate) owner: &'a str,
    /// The value of the rule.
    pub(crate) span: Span,
    /// The value of a setting, by its key.
    pub(crate) setting: &'a dyn Fn(&str) -> Option<Span>,
    /// Whether the file can say what a change of the clock does.
    pub(crate) decides: bool,
}

/// A zone of the bundled database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    // Nothing is no name, though the scheduler takes it for UTC.
    let known = gearmesh_schedule::zone(name).ok();
    known.filter(|_| !name.is_empty())
}

/// Whether a text is an instant: RFC 3339, or a local time in the zone.
pub(crate) fn is_instant(text: &str, zone: &TimeZone) -> bool {
    instant("", text, zone).is_ok()
}

/// Whether a text is a day, as `2027-12-31`.
pub(crate) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok()
}

/// Says what is wrong with a schedule, and what changes of the clock do to it; whether it can be
/// used. Without the time it is only asked whether it can fire at all.
pub(crate) fn check(report: &mut Report<'_>, schedule: &Schedule<'_>) -> bool {
    let now = report.now();
    let created = now.unwrap_or(Timestamp::constant(CREATED, 0));
    let found = Timetable::parse(&schedule.spec, created).and_then(|table| {
        fires(report, schedule, &table, now)?;
        match now {
            Some(now) => told(report, schedule, &table, now),
            None => Ok(()),
        }
    });
    match found {
        Ok(()) => true,
        Err(RuleError::Text { why, .. }) => rule_fault(report, schedule, "INVALID_VALUE", &why),
        Err(RuleError::Invalid { field, message }) => {
            let span = (schedule.setting)(field).unwrap_or(schedule.span);
            let message = format!("{}: {message}", schedule.owner);
            report.error("INVALID_VALUE", span, message);
            false
        }
        Err(RuleError::InPast(_)) => {
            let why = "has passed; give a later time";
            rule_fault(report, schedule, "SCHEDULE_IN_PAST", why)
        }
        Err(RuleError::NeverFires) => {
            let why = "never fires: no day of the calendar fits it";
            rule_fault(report, schedule, "SCHEDULE_NEVER_FIRES", why)
        }
        Err(RuleError::TooCostly) => {
            let why = format!(
                "takes too long to look ahead: the schedules of a file have {STEPS_MAX} steps; make it simpler"
            );
            rule_fault(report, schedule, "INVALID_VALUE", &why)
        }
    }
}

/// Reports what is wrong with the rule itself.
fn rule_fault(
    report: &mut Report<'_>,
    schedule: &Schedule<'_>,
    code: &'static str,
    why: &str,
) -> bool {
    let rule = quote(&schedule.rule);
    report.error(code, schedule.span, format!("`{rule}` {why}"));
    false
}

/// Whether it fires; from now on, if the time is known. What is over is reported here.
fn fires(
    report: &mut Report<'_>,
    schedule: &Schedule<'_>,
    table: &Timetable,
    now: Option<Timestamp>,
) -> Result<(), RuleError> {
    let budget = report.steps();
    let Some(now) = now else {
        return ever(table, budget);
    };
    if let (Some(until), false) = (table.until(), matches!(schedule.spec.kind, Kind::Once(_)))
        && until <= now
    {
        let span = (schedule.setting)("until").unwrap_or(schedule.span);
        let message = format!(
            "`until: {}` of {} has passed; give a later time",
            quote(schedule.spec.until.as_deref().unwrap_or_default()),
            schedule.owner
        );
        report.error("SCHEDULE_IN_PAST", span, message);
        return Ok(());
    }
    match table.first_within(&schedule.spec, now, budget) {
        Ok(_) => return Ok(()),
        Err(RuleError::NeverFires) => {}
        Err(other) => return Err(other),
    }
    if let Some(first) = table.next_within(now, budget)? {
        let why = format!("fires first at {}, more than 10 years from now", first.at);
        rule_fault(report, schedule, "SCHEDULE_NEVER_FIRES", &why);
        return Ok(());
    }
    // Either it never did, or its last fire is over.
    let before = Timetable::parse(&schedule.spec, Timestamp::constant(CREATED, 0))?;
    ever(&before, budget)?;
    let why = "has had its last fire; give a later end";
    rule_fault(report, schedule, "SCHEDULE_IN_PAST", why);
    Ok(())
}

fn ever(table: &Timetable, budget: &mut Budget) -> Result<(), RuleError> {
    match table.ever_fires(budget)? {
        true => Ok(()),
        false => Err(RuleError::NeverFires),
    }
}

/// Warns of the first time that the clock skips and of the first that comes twice, unless the file
/// says what is to be done then.
fn told(
    report: &mut Report<'_>,
    schedule: &Schedule<'_>,
    table: &Timetable,
    now: Timestamp,
) -> Result<(), RuleError> {
    let to = now.saturating_add(CHANGES_WITHIN).unwrap_or(Timestamp::MAX);
    let changes = table.changes(now, to, report.steps())?;
    for (mark, decided, key) in [
        (Mark::Gap, &schedule.spec.gap, "gap"),
        (Mark::Overlap, &schedule.spec.overlap, "overlap"),
    ] {
        let Some(change) = changes.iter().find(|change| change.mark == mark) else {
            continue;
        };
        if decided.is_none() {
            let rule = quote(&schedule.rule);
            let message = format!("`{rule}` of {}: {change}", schedule.owner);
            let warning = report.warning("SCHEDULE_DST", schedule.span, message);
            if schedule.decides {
                warning.hint(format!("a `dst` with `{key}` says what is meant"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gearmesh_schedule::zone;

    use super::*;

    #[test]
    fn zones_and_instants_are_known() {
        // WF-1.14
        assert!(zone("Europe/Chisinau").is_ok() && zone("UTC").is_ok());
        assert!(zone("Europe/Chisinua").is_err());
        let zone = zone("Europe/Chisinau").unwrap();
        assert!(is_instant("2027-01-31T09:00:00Z", &zone));
        assert!(is_instant("2027-01-31T09:00:00", &zone));
        assert!(!is_instant("tomorrow", &zone) && !is_instant("2027-02-30T09:00:00Z", &zone));
    }
}
