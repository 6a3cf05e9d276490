//! Schedules of a file at a time: what is over, what never comes, what changes of the clock do.

use expect_test::expect;
use gearmesh_workflow::{RULE_MAX, STEPS_MAX, Source, check_all_at, check_at};

use crate::support::{listed, listed_at};

const NOW: &str = "2027-01-01T00:00:00Z";

fn file(triggers: &str) -> String {
    format!("name: x\ntriggers:\n{triggers}\ntasks: [{{id: a, set: {{v: 1}}}}]\n")
}

#[test]
fn what_is_over_is_refused_when_the_time_is_known() {
    // WF-7.5, WF-7.15, WF-9.24
    let over = file(
        "  - {once: \"2026-12-31T23:59:59Z\"}
  - {once: \"2027-01-01T01:59:59\", timezone: Europe/Chisinau}
  - {cron: \"0 9 * * *\", until: \"2027-01-01T00:00:00Z\"}
  - {rrule: \"FREQ=DAILY;UNTIL=20261231T000000Z\"}
  - {rrule: \"FREQ=DAILY;COUNT=3\", start: \"2026-01-01T09:00:00Z\"}
  - {interval: 5m, until: \"2026-06-01T00:00:00Z\"}",
    );
    expect![[r#"
        3:12 SCHEDULE_IN_PAST `once: 2026-12-31T23:59:59Z` has passed; give a later time
        4:12 SCHEDULE_IN_PAST `once: 2027-01-01T01:59:59` has passed; give a later time
        5:32 SCHEDULE_IN_PAST `until: 2027-01-01T00:00:00Z` of trigger 3 has passed; give a later time
        6:13 SCHEDULE_IN_PAST `rrule: FREQ=DAILY;UNTIL=20261231T000000Z` has had its last fire; give a later end
        7:13 SCHEDULE_IN_PAST `rrule: FREQ=DAILY;COUNT=3` has had its last fire; give a later end
        8:27 SCHEDULE_IN_PAST `until: 2026-06-01T00:00:00Z` of trigger 6 has passed; give a later time
    "#]]
    .assert_eq(&listed_at(&over, NOW));
    // A run of the file starts whatever its triggers say, and knows no time.
    assert_eq!(listed(&over), "");
    let to_come = file(
        "  - {once: \"2027-01-01T00:00:01Z\"}
  - {once: \"2027-01-01T02:00:01\", timezone: Europe/Chisinau}
  - {cron: \"0 9 * * *\", until: \"2027-01-01T09:00:00Z\"}
  - {rrule: \"FREQ=DAILY;UNTIL=20270102T000000Z\"}
  - {rrule: \"FREQ=DAILY;COUNT=3\"}
  - {interval: 5m, until: \"2027-06-01T00:00:00Z\"}",
    );
    assert_eq!(listed_at(&to_come, NOW), "");
}

#[test]
fn what_comes_too_late_or_never_is_refused() {
    // WF-7.17
    let never = file(
        "  - {cron: \"30 2 30 2 *\"}
  - {rrule: \"FREQ=DAILY\", start: \"2040-01-01T09:00:00Z\"}
  - {rrule: \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"}
  - {rrule: \"FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30\"}
  - {cron: \"0 9 * * *\", except: [\"2027-01-01\"], until: \"2027-01-01T12:00:00Z\"}",
    );
    expect![[r#"
        3:12 SCHEDULE_NEVER_FIRES `cron: 30 2 30 2 *` never fires: no day of the calendar fits it
        4:13 SCHEDULE_NEVER_FIRES `rrule: FREQ=DAILY` fires first at 2040-01-01T09:00:00Z, more than 10 years from now
        5:13 SCHEDULE_NEVER_FIRES `rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30` never fires: no day of the calendar fits it
        6:13 SCHEDULE_NEVER_FIRES `rrule: FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30` never fires: no day of the calendar fits it
        7:12 SCHEDULE_IN_PAST `cron: 0 9 * * *` has had its last fire; give a later end
    "#]]
    .assert_eq(&listed_at(&never, NOW));
}

#[test]
fn changes_of_the_clock_are_warned_of() {
    // WF-7.12, WF-9.24
    let zone = "timezone: Europe/Chisinau";
    let touched = file(&format!(
        "  - {{cron: \"30 3 * * *\", {zone}}}
  - {{cron: \"30 3 * * *\", {zone}, dst: {{gap: skip}}}}
  - {{rrule: \"FREQ=WEEKLY;BYDAY=SU\", start: \"2027-01-03T03:15:00\", {zone}, dst: {{overlap: both}}}}"
    ));
    expect![[r#"
        3:12 SCHEDULE_DST `cron: 30 3 * * *` of trigger 1: 2027-03-28 03:30 does not exist in Europe/Chisinau; it fires at 04:00, 2027-03-28T01:00:00Z (dst.gap: after) [a `dst` with `gap` says what is meant]
        3:12 SCHEDULE_DST `cron: 30 3 * * *` of trigger 1: 2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at the first, 2027-10-31T00:30:00Z (dst.overlap: first) [a `dst` with `overlap` says what is meant]
        4:12 SCHEDULE_DST `cron: 30 3 * * *` of trigger 2: 2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at the first, 2027-10-31T00:30:00Z (dst.overlap: first) [a `dst` with `overlap` says what is meant]
        5:13 SCHEDULE_DST `rrule: FREQ=WEEKLY;BYDAY=SU` of trigger 3: 2027-03-28 03:15 does not exist in Europe/Chisinau; it fires at 04:15, 2027-03-28T01:15:00Z (dst.gap: shift) [a `dst` with `gap` says what is meant]
    "#]]
    .assert_eq(&listed_at(&touched, NOW));
    assert_eq!(listed(&touched), "");
    // What is decided, what no change touches, and what goes by elapsed time.
    let untouched = file(&format!(
        "  - {{cron: \"30 3 * * *\", {zone}, dst: {{gap: after, overlap: last}}}}
  - {{cron: \"30 2 * * *\", {zone}}}
  - {{cron: \"30 3 * * *\"}}
  - {{cron: \"30 3 * * *\", {zone}, until: \"2027-03-01T00:00:00Z\"}}
  - {{cron: \"*/5 * * * *\", {zone}}}
  - {{interval: 1h, {zone}}}
  - {{once: \"2027-10-31T03:30:00\", {zone}}}"
    ));
    assert_eq!(listed_at(&untouched, NOW), "");
    // Two years ahead, no further: the next change is in March 2029.
    let later = file("  - {cron: \"30 3 25 3 *\", timezone: Europe/Chisinau}");
    assert_eq!(listed_at(&later, NOW), "");
    assert!(listed_at(&later, "2028-01-01T00:00:00Z").contains("2029-03-25 03:30 does not exist"));
}

#[test]
fn documents_of_ordinaut_are_told_too() {
    // WF-10.10, WF-9.24
    let task = |kind: &str, expr: &str| {
        format!(
            r#"{{"title": "t", "schedule_kind": "{kind}", "schedule_expr": "{expr}", "payload": {{"pipeline": []}}}}"#
        )
    };
    let said = |kind: &str, expr: &str| {
        let text = task(kind, expr);
        let source = Source {
            text: &text,
            file_name: "t.json",
            dialect: None,
        };
        let checked = check_at(&source, None, NOW.parse().unwrap());
        let all = checked.errors.into_iter().chain(checked.warnings);
        all.map(|d| format!("{} {}\n", d.code, d.message))
            .collect::<String>()
    };
    expect![[r#"
        SCHEDULE_IN_PAST `once: 2026-01-01T08:00:00` has passed; give a later time
    "#]]
    .assert_eq(&said("once", "2026-01-01T08:00:00"));
    expect![[r#"
        SCHEDULE_DST `cron: 30 3 * * *` of the task: 2027-03-28 03:30 does not exist in Europe/Chisinau; it fires at 04:00, 2027-03-28T01:00:00Z (dst.gap: after)
        SCHEDULE_DST `cron: 30 3 * * *` of the task: 2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at the first, 2027-10-31T00:30:00Z (dst.overlap: first)
    "#]]
    .assert_eq(&said("cron", "30 3 * * *"));
    assert_eq!(said("cron", "0 8 * * *"), "");
}

#[test]
fn each_document_is_told_of() {
    // WF-1.17, WF-9.24
    let one = |name: &str| file("  - {once: \"2026-01-01T00:00:00Z\"}").replacen("x", name, 1);
    let text = format!("{}---\n{}", one("x"), one("y"));
    let source = Source {
        text: &text,
        file_name: "f.yaml",
        dialect: None,
    };
    let all = check_all_at(&source, None, NOW.parse().unwrap());
    let lines: Vec<usize> = all
        .iter()
        .flat_map(|checked| checked.errors.iter().map(|d| d.location.line))
        .collect();
    assert_eq!(lines, [3, 8]);
}

#[test]
fn texts_of_rules_end_at_their_limit() {
    // WF-7.2, WF-7.3
    let cron = |length: usize| {
        file(&format!(
            "  - {{cron: \"* * * * {}1\"}}",
            "1,".repeat(length)
        ))
    };
    let fits = (RULE_MAX - 9) / 2;
    assert_eq!(listed(&cron(fits)), "");
    assert!(listed(&cron(fits + 1)).contains("has more than 4096 bytes"));
}

#[test]
fn looking_ahead_ends_at_its_limit() {
    // WF-7.17
    // Each looks at some 18,300 days before it is known that there is none.
    let never = "  - {rrule: \"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\"}\n";
    let costly = |count: usize| listed(&file(never.repeat(count).trim_end()));
    let whole = STEPS_MAX as usize / 18_301;
    let said = costly(whole);
    assert_eq!(
        said.matches("SCHEDULE_NEVER_FIRES").count(),
        whole,
        "{said}"
    );
    let said = costly(whole + 1);
    assert_eq!(
        said.matches("SCHEDULE_NEVER_FIRES").count(),
        whole,
        "{said}"
    );
    assert_eq!(said.matches("have 200000 steps").count(), 1, "{said}");
    // What is usual is far from it.
    let usual =
        "  - {cron: \"30 3 * * *\", timezone: Europe/Chisinau, dst: {gap: skip, overlap: last}}\n";
    let all = file(usual.repeat(100).trim_end());
    assert_eq!(listed_at(&all, NOW), "");
}
