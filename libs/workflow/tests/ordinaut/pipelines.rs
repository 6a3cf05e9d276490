//! Tasks of Ordinaut.

use std::time::Duration;

use expect_test::expect;
use gearmesh_workflow::{Backoff, Dialect, Node, OnConflict, OnError, RunIf, Source, check};
use serde_json::{Value, json};

use crate::support::{MORNING, checked, listed, pipeline, workflow};

// WF-10.10, WF-10.12, WF-10.13, WF-10.14
#[test]
fn briefing_is_read_as_its_user_wrote_it() {
    let workflow = workflow(MORNING);
    assert_eq!(workflow.dialect, Dialect::Ordinaut);
    assert_eq!(workflow.name, "weekday-morning-briefing");
    assert_eq!(workflow.title.as_deref(), Some("Weekday Morning Briefing"));
    assert_eq!(workflow.on_error, OnError::Stop);
    let [trigger] = workflow.triggers.as_slice() else {
        panic!("one trigger")
    };
    assert_eq!(trigger.kind, "rrule");
    assert_eq!(
        trigger.value,
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30"
    );
    assert_eq!(trigger.settings["timezone"], "Europe/Chisinau");
    let tasks: Vec<_> = workflow
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task.tool(), task.save_as.as_deref()))
        .collect();
    assert_eq!(
        tasks,
        [
            (
                "calendar",
                Some("google_calendar_mcp.list_events"),
                Some("events")
            ),
            ("weather", Some("weather_mcp.forecast"), Some("weather")),
            ("emails", Some("imap_mcp.top_unread"), Some("inbox")),
            ("brief", Some("llm.plan"), Some("summary")),
            ("notify", Some("telegram_mcp.send_message"), None),
        ]
    );
    assert!(workflow.tasks.iter().all(|t| t.run_if == RunIf::NoneFailed));
    // Each needs the one before, and what its expressions read.
    let needs = [vec![], vec![0], vec![1], vec![2, 0, 1], vec![3]];
    assert_eq!(workflow.graph().needs, needs);
    assert_eq!(workflow.graph().levels.len(), 5);
    let reasons: Vec<&str> = workflow
        .graph()
        .edges
        .iter()
        .map(|e| e.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "pipeline",
            "pipeline",
            "pipeline",
            "params.calendar",
            "params.weather",
            "pipeline"
        ]
    );
}

// WF-10.15
#[test]
fn limits_have_the_defaults_of_the_dialect() {
    let plain = workflow(&pipeline(&json!([{"uses": "a.b"}]), &json!({})));
    let task = &plain.tasks[0];
    assert_eq!(task.id, "step_1");
    assert_eq!(task.timeout, Some(Duration::from_secs(30)));
    let retry = task.retry.as_ref().expect("it is tried again");
    assert_eq!(
        (retry.attempts, retry.backoff, retry.jitter),
        (4, Backoff::Exponential, true)
    );
    assert_eq!(retry.max_delay, Some(Duration::from_secs(300)));
    assert_eq!(
        (retry.wait(1, 0.0), retry.wait(1, 1.0)),
        (Duration::from_millis(500), Duration::from_secs(1))
    );
    assert!(plain.triggers.is_empty() && plain.dedupe.is_none() && plain.concurrency.is_none());
    assert_eq!(plain.priority, 5);
}

// WF-10.15, WF-10.16
#[test]
fn limits_are_those_of_the_document() {
    let text = json!({
        "title": "T", "max_retries": 10, "backoff_strategy": "linear", "priority": 9,
        "concurrency_key": "house", "dedupe_key": "k", "dedupe_window_seconds": 90,
        "payload": {"pipeline": [
            {"uses": "a.b", "timeout_seconds": 1.5},
            {"uses": "a.b", "timeout": 7, "max_retries": 0},
            {"uses": "a.b", "max_retries": 1}
        ]}
    });
    let read = workflow(&text.to_string());
    let attempts: Vec<Option<(u32, Backoff)>> = read
        .tasks
        .iter()
        .map(|task| {
            task.retry
                .as_ref()
                .map(|retry| (retry.attempts, retry.backoff))
        })
        .collect();
    assert_eq!(
        attempts,
        [
            Some((11, Backoff::Linear)),
            None,
            Some((2, Backoff::Linear))
        ]
    );
    let timeouts: Vec<_> = read
        .tasks
        .iter()
        .map(|task| task.timeout.expect("one"))
        .collect();
    assert_eq!(timeouts, [1500, 7000, 30_000].map(Duration::from_millis));
    assert_eq!(read.priority, 9);
    assert_eq!(read.dedupe, Some(("k".to_owned(), Duration::from_secs(90))));
    let concurrency = read.concurrency.expect("it has a key");
    assert_eq!(
        (concurrency.limit, concurrency.on_conflict),
        (1, OnConflict::Queue)
    );
    assert!(
        matches!(concurrency.key, Some(Node::Constant(Value::String(key))) if key == "global:house")
    );
}

// WF-10.11
#[test]
fn params_are_inputs_with_defaults() {
    let read = workflow(&pipeline(
        &json!([]),
        &json!({"city": "Chisinau", "count": 5, "deep": true, "tags": [], "none": null}),
    ));
    assert!(read.tasks.is_empty(), "an empty pipeline is one");
    let given = json!({"count": 7});
    let bound = read
        .bind_inputs(given.as_object().expect("a map"))
        .expect("it fits");
    assert_eq!(
        Value::Object(bound),
        json!({"city": "Chisinau", "count": 7, "deep": true, "tags": [], "none": null})
    );
    // A command line gives texts: each is read as its default is.
    let texts = [("count".to_owned(), "8".to_owned())];
    assert_eq!(read.bind_input_texts(&texts).expect("it fits")["count"], 8);
}

fn trigger(kind: &str, expr: &Value, more: &Value) -> String {
    let mut document = json!({"schedule_kind": kind, "schedule_expr": expr, "payload": {"pipeline": [], "params": {"most": 3}}});
    let (Some(map), Some(more)) = (document.as_object_mut(), more.as_object()) else {
        panic!("maps")
    };
    map.extend(more.clone());
    let read = workflow(&document.to_string());
    let [trigger] = read.triggers.as_slice() else {
        panic!("one trigger of {document}")
    };
    let when = trigger.when.as_ref().map(|when| when.text());
    format!(
        "{} {} {} {:?}",
        trigger.kind,
        trigger.value,
        json!(trigger.settings),
        when
    )
}

// WF-10.10
#[test]
fn every_kind_of_schedule_is_one_trigger() {
    let none = &json!({});
    let all = [
        trigger("cron", &json!("0 8 * * 1-5"), none),
        trigger("cron", &json!("0 8 * * 1-5"), &json!({"timezone": "UTC"})),
        trigger("rrule", &json!("RRULE:FREQ=DAILY"), none),
        trigger("once", &json!("2030-01-01T08:00:00"), none),
        trigger("event", &json!("orders.*"), none),
        trigger("interval", &json!("15m"), none),
        trigger("interval", &json!(90), none),
        trigger("condition", &json!("trigger.load > params.most"), none),
        trigger(
            "condition",
            &json!("${params.most}"),
            &json!({"status": "active"}),
        ),
    ];
    expect![[r#"
        cron "0 8 * * 1-5" {"timezone":"Europe/Chisinau"} None
        cron "0 8 * * 1-5" {"timezone":"UTC"} None
        rrule "RRULE:FREQ=DAILY" {"timezone":"Europe/Chisinau"} None
        once "2030-01-01T08:00:00" {"timezone":"Europe/Chisinau"} None
        event "orders.*" {} None
        interval "15m" {} None
        interval "90s" {} None
        interval "1m" {} Some("trigger.load > `3`")
        interval "1m" {} Some("`3`")"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn schedule_that_rests_is_left_out() {
    for status in ["paused", "canceled"] {
        let text = json!({"schedule_kind": "interval", "schedule_expr": "1h", "status": status, "pipeline": []});
        let checked = checked(&text.to_string());
        assert!(checked.workflow.expect("it is read").triggers.is_empty());
        assert_eq!(checked.warnings[0].code, "SCHEDULE_LEFT_OUT");
    }
}

// WF-10.1
#[test]
fn pipeline_or_schedule_makes_it_ordinauts() {
    let dialect = |text: &str| checked(text).dialect;
    assert_eq!(
        dialect(r#"{"name": "x", "pipeline": []}"#),
        Dialect::Ordinaut
    );
    assert_eq!(
        dialect(r#"{"payload": {"pipeline": []}, "tasks": []}"#),
        Dialect::Ordinaut
    );
    assert_eq!(dialect(r#"{"schedule_kind": "cron"}"#), Dialect::Ordinaut);
    assert_eq!(
        dialect("schedule_kind: event\nschedule_expr: a\npipeline: []\n"),
        Dialect::Ordinaut
    );
    assert_eq!(
        dialect(r#"{"name": "x", "tasks": [{"id": "a", "tool": "b"}]}"#),
        Dialect::Native
    );
    assert_eq!(
        dialect(r#"{"payload": {}, "tasks": [{"id": "a", "tool": "b"}]}"#),
        Dialect::Oktyv
    );
    let told = |text, dialect| {
        let source = Source {
            text,
            file_name: "f",
            dialect: Some(dialect),
        };
        check(&source, None).dialect
    };
    assert_eq!(told(r#"{"pipeline": []}"#, Dialect::Oktyv), Dialect::Oktyv);
    assert_eq!(
        told(r#"{"name": "x"}"#, Dialect::Ordinaut),
        Dialect::Ordinaut
    );
}

// WF-10.13
#[test]
fn all_faults_are_told_at_once() {
    let text = r#"{"title": 5, "schedule_kind": "daily", "priority": 10, "max_retries": 11, "backoff_strategy": "random",
        "dedupe_key": "", "dedupe_window_seconds": -1, "colour": "red",
        "payload": {"pipeline": [
            {"id": "a", "uses": "x.y", "with": []},
            {"id": "a", "uses": 7, "timeout": 0, "if": 3},
            {"with": {"p": "${steps.}"}},
            5,
            {"uses": "x.y", "if": "steps.a ==", "max_retries": "2"}
        ]}}"#;
    expect![[r#"
        INVALID_PARAMETERS `title` of the task: expected text, found number 5 <5>
        INVALID_PARAMETERS `schedule_kind` of the task: expected one of cron, rrule, once, event, condition, interval, found text "daily" <"daily">
        INVALID_PARAMETERS `priority` of the task: expected a whole number from 1 to 9, found number 10 <10>
        INVALID_PARAMETERS `max_retries` of the task: expected a whole number from 0 to 10, found number 11 <11>
        INVALID_PARAMETERS `backoff_strategy` of the task: expected one of exponential_jitter, linear, fixed, found text "random" <"random">
        INVALID_PARAMETERS `dedupe_key` of the task: expected text, found text "" <"">
        INVALID_PARAMETERS `dedupe_window_seconds` of the task: expected seconds, at most 31622400, found number -1 <-1>
        INVALID_PARAMETERS `with` of step `a`: expected a map, found a list <[]>
        DUPLICATE_ID `id: a` is used twice (first at line 4) <"a">
        INVALID_PARAMETERS `uses` of step `a`: expected text, found number 7 <7>
        INVALID_PARAMETERS `timeout` of step `a`: expected seconds, at most 31622400, found number 0 <0>
        INVALID_PARAMETERS `if` of step `a`: expected a condition as `params.n > 5`, found number 3 <3>
        INVALID_PARAMETERS step 3 has no `uses` <>
        EXPRESSION_SYNTAX expected a name after the dot, found the end <>
        INVALID_PARAMETERS step 4: expected a map, found number 5 <5>
        EXPRESSION_SYNTAX expected a name, a value or a function, found the end <>
        INVALID_PARAMETERS `max_retries` of step 5: expected a whole number from 0 to 10, found text "2" <"2">
        UNKNOWN_KEY unknown key `colour` in the task <"colour">
    "#]].assert_eq(&listed(text));
    let cases = [
        r#"{"schedule_kind": "cron", "pipeline": []}"#,
        r#"{"schedule_kind": "interval", "schedule_expr": "soon", "pipeline": []}"#,
        r#"{"schedule_kind": "condition", "schedule_expr": "a b", "pipeline": []}"#,
        r#"{"schedule_kind": "event", "schedule_expr": "x", "payload": {}}"#,
        r#"{"schedule_kind": "cron", "schedule_expr": "* * * *", "pipeline": []}"#,
        r#"{"schedule_kind": "cron", "schedule_expr": "30 2 30 2 *", "pipeline": []}"#,
        r#"{"schedule_kind": "rrule", "schedule_expr": "FREQ=OFTEN", "pipeline": []}"#,
        r#"{"schedule_kind": "once", "schedule_expr": "tomorrow", "pipeline": []}"#,
        r#"{"schedule_kind": "once", "schedule_expr": "2030-01-01T08:00:00", "timezone": "Europe/Kishinew", "pipeline": []}"#,
        r#"{"schedule_kind": "interval", "schedule_expr": "999ms", "pipeline": []}"#,
        r#"{"pipeline": {}}"#,
        r#"{"title": "t", "schedule_kind": "event", "schedule_expr": "x", "status": "asleep", "pipeline": []}"#,
    ];
    let said: String = cases.iter().map(|text| listed(text)).collect();
    expect![[r#"
        INVALID_PARAMETERS `schedule_kind: cron` needs a `schedule_expr` <"cron">
        INVALID_PARAMETERS `schedule_expr` of the task: expected a duration as `30m`, or seconds, at least 1s, found text "soon" <"soon">
        EXPRESSION_SYNTAX expected an operator before `b` <"a b">
        INVALID_PARAMETERS the task has no `payload.pipeline` <{}>
        INVALID_VALUE `cron: * * * *` has 4 fields; cron has 5, or 6 with seconds first <"* * * *">
        SCHEDULE_NEVER_FIRES `cron: 30 2 30 2 *` never fires: no day of the calendar fits it <"30 2 30 2 *">
        INVALID_VALUE `rrule: FREQ=OFTEN` is no rule of RFC 5545: RRule parsing error: `OFTEN` is not a valid frequency. <"FREQ=OFTEN">
        INVALID_PARAMETERS `schedule_expr` of the task: expected an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time, found text "tomorrow" <"tomorrow">
        INVALID_PARAMETERS `timezone` of the task: no zone is called `Europe/Kishinew`; write an IANA name such as Europe/Chisinau <"Europe/Kishinew">
        INVALID_PARAMETERS `schedule_expr` of the task: expected a duration as `30m`, or seconds, at least 1s, found text "999ms" <"999ms">
        INVALID_PARAMETERS `pipeline`: expected a list of steps, found a map <{}>
        INVALID_PARAMETERS `status` of the task: expected one of active, paused, canceled, found text "asleep" <"asleep">
    "#]].assert_eq(&said);
}

// The edges of what a number may be.
#[test]
fn numbers_are_held_to_their_limits() {
    let errors = |key: &str, value: Value| {
        let mut document = json!({"dedupe_key": "k", "pipeline": []});
        document[key] = value;
        checked(&document.to_string()).errors.len()
    };
    for (key, good, bad) in [
        ("priority", json!(1), json!(0)),
        ("priority", json!(9), json!(10)),
        ("max_retries", json!(0), json!(-1)),
        ("max_retries", json!(10), json!(11)),
        ("dedupe_window_seconds", json!(0), json!(-1)),
        (
            "dedupe_window_seconds",
            json!(31_622_400),
            json!(31_622_401),
        ),
        (
            "concurrency_key",
            json!("k".repeat(100)),
            json!("k".repeat(101)),
        ),
        ("dedupe_key", json!("k".repeat(100)), json!("k".repeat(101))),
    ] {
        assert_eq!(errors(key, good.clone()), 0, "{key} {good}");
        assert_eq!(errors(key, bad.clone()), 1, "{key} {bad}");
    }
}
