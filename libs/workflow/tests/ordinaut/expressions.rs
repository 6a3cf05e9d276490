//! Expressions over `now`, `params`, `steps` and `trigger`.

use gearmesh_workflow::{Kind, Workflow};
use serde_json::{Map, Value, json};

use crate::support::{checked, listed, pipeline, workflow};

/// What a run knows when its last step starts.
fn scope() -> Map<String, Value> {
    let scope = json!({
        "now": "2026-03-01T08:00:00.000Z",
        "inputs": {"city": "Chisinau", "none": null},
        "trigger": {"kind": "event", "payload": {"id": 7}},
        "first": {"result": {"items": [{"n": 1}, {"n": 2}], "zero": 0, "empty": null}, "status": "succeeded"},
        "step_2": {"result": {"text": "second"}, "status": "succeeded"},
        "skipped": {"result": null, "status": "skipped"},
        "look-up": {"result": 5},
        "task:run": {"result": "mine"}
    });
    scope.as_object().expect("a map").clone()
}

fn steps(last: Value) -> Value {
    json!([
        {"id": "first", "uses": "a.b", "save_as": "found"},
        {"uses": "a.b", "save_as": "other"},
        {"id": "skipped", "uses": "a.b", "if": "`false`", "save_as": "other"},
        {"id": "look-up", "uses": "a.b"},
        {"id": "run", "uses": "a.b"},
        last
    ])
}

fn read(last: Value) -> Workflow {
    workflow(&pipeline(
        &steps(last),
        &json!({"city": "Chisinau", "none": null}),
    ))
}

/// The value of a text, and what was missing.
fn value(text: &str) -> (Value, Vec<String>) {
    let workflow = read(json!({"uses": "a.b", "with": {"v": text}}));
    let Kind::Tool { params, .. } = &workflow.tasks[5].kind else {
        panic!("a tool")
    };
    let missing = params.missing(&scope());
    let mut value = params.evaluate(&scope()).expect("it has a value");
    let missing = missing.into_iter().map(|error| error.message).collect();
    (value["v"].take(), missing)
}

// WF-10.17, WF-10.14
#[test]
fn names_of_the_dialect_have_their_values() {
    for (text, expected) in [
        ("${now}", json!("2026-03-01T08:00:00.000Z")),
        ("${params.city}", json!("Chisinau")),
        ("Weather in ${params.city}!", json!("Weather in Chisinau!")),
        ("${steps.found.items[1].n}", json!(2)),
        ("${steps.first.items[*].n}", json!([1, 2])),
        ("${length(steps.found.items)}", json!(2)),
        ("${steps.found.zero}", json!(0)),
        ("n: ${steps.found.items}", json!("n: [{\"n\":1},{\"n\":2}]")),
        ("${trigger.payload.id}", json!(7)),
        // The last step that was not skipped keeps the name.
        ("${steps.other.text}", json!("second")),
        ("${steps.\"look-up\"}", json!(5)),
        // An id that means something else to us.
        ("${steps.run}", json!("mine")),
        ("${params}", json!({"city": "Chisinau", "none": null})),
        (
            "${sort(keys(steps))}",
            json!(["found", "look-up", "other", "run"]),
        ),
        ("${steps.[other.text, \"look-up\"]}", json!(["second", 5])),
        ("$${now}", json!("${now}")),
        (
            "${{a: params.city, b: steps.found.items[?n > `1`].n | [0]}}",
            json!({"a": "Chisinau", "b": 2}),
        ),
    ] {
        assert_eq!(value(text), (expected, Vec::new()), "{text}");
    }
}

// WF-10.17
#[test]
fn now_moves_by_durations() {
    let moment = |text: &str| {
        let (value, missing) = value(text);
        assert!(missing.is_empty());
        value
            .as_str()
            .expect("a text")
            .get(..16)
            .expect("an instant")
            .to_owned()
    };
    for (text, expected) in [
        ("${now+24h}", "2026-03-02T08:00"),
        ("${now-30m}", "2026-03-01T07:30"),
        ("${ now + 1w }", "2026-03-08T08:00"),
        ("${now-1d}", "2026-02-28T08:00"),
        ("${now+90s}", "2026-03-01T08:01"),
        ("${not_null(steps.found.empty, now+1h)}", "2026-03-01T09:00"),
    ] {
        assert_eq!(moment(text), expected, "{text}");
    }
    assert_eq!(
        value("from ${now-1h} on").0.as_str().map(|t| &t[..21]),
        Some("from 2026-03-01T07:00")
    );
}

// WF-10.17
#[test]
fn missing_values_are_null_and_told() {
    let (found, missing) = value("${steps.found.title}");
    assert_eq!(found, Value::Null);
    assert_eq!(
        missing,
        ["cannot resolve `first.result.title`: `title` is not in `first.result`"]
    );
    let (found, missing) = value("a ${steps.found.title} b");
    assert_eq!((found, missing.len()), (json!("a null b"), 1));
    // A null that is there is none that is missing.
    assert_eq!(value("${steps.found.empty}"), (Value::Null, Vec::new()));
    assert_eq!(value("a ${params.none}"), (json!("a null"), Vec::new()));
    assert_eq!(
        value("${steps.found.title || 'none'}"),
        (json!("none"), Vec::new())
    );
}

#[test]
fn names_that_nothing_has_are_null_with_a_warning() {
    for (text, said) in [
        (
            "${steps.fuond.x}",
            "no step before this one is called `fuond`: the value is null; did you mean `found`?",
        ),
        (
            "${params.ciyt}",
            "no param is called `ciyt`: the value is null; did you mean `city`?",
        ),
        (
            "${step.found}",
            "no name here is called `step`: the value is null; did you mean `steps`?",
        ),
    ] {
        assert_eq!(value(text).0, Value::Null, "{text}");
        let text = pipeline(
            &steps(json!({"uses": "a.b", "with": {"v": text}})),
            &json!({"city": 1}),
        );
        assert!(
            listed(&text).contains(&format!("UNKNOWN_NAME {said} <")),
            "{}",
            listed(&text)
        );
    }
    // What comes later is not there yet.
    let later =
        json!([{"uses": "a.b", "with": {"v": "${steps.last}"}}, {"id": "last", "uses": "a.b"}]);
    let checked = checked(&pipeline(&later, &json!({})));
    assert_eq!(checked.warnings.len(), 1);
    assert_eq!(checked.workflow.expect("it runs").graph().edges.len(), 1);
}

// WF-10.12
#[test]
fn conditions_are_written_with_braces_or_without() {
    for (written, held) in [
        ("steps.found.zero == `0`", true),
        ("steps.found.zero == 0", true),
        ("${steps.found.items}", true),
        ("steps.found.title", false),
        ("params.none", false),
        ("steps.nothing", false),
        ("contains(params.city, 'Chis')", true),
        ("trigger.kind == 'event' && !steps.found.empty", true),
    ] {
        let workflow = read(json!({"uses": "a.b", "if": written}));
        let when = workflow.tasks[5].when.as_ref().expect("a condition");
        assert_eq!(
            when.holds(&scope()).expect("it holds or not"),
            held,
            "{written}"
        );
    }
    let workflow = read(json!({"uses": "a.b", "if": false}));
    let when = workflow.tasks[5].when.as_ref().expect("a condition");
    assert!(!when.holds(&scope()).expect("it does not"));
}

#[test]
fn faults_stand_where_they_are() {
    let text = pipeline(
        &json!([{"uses": "a.b", "with": {"v": "at ${now +}", "w": "${length()} ${now+1h} ${a..b}"}}]),
        &json!({}),
    );
    expect_test::expect![[r#"
        EXPRESSION_SYNTAX `+` has no meaning in an expression <+>
        EXPRESSION_SYNTAX `length` takes 1 argument, not 0 <${length()} ${now+1h} ${a..b}>
        EXPRESSION_SYNTAX expected a name after the dot, found `.` <${length()} ${now+1h} ${a..b}>
    "#]]
    .assert_eq(&listed(&text));
}
