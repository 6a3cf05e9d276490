//! Templates of Ordinaut pipelines.

use gearmesh_expr::ordinaut::{Resolved, Template};
use serde_json::{Map, Value, json};

use crate::scope;

fn world() -> Map<String, Value> {
    scope(json!({
        "now": "2026-01-25T12:00:00.000Z",
        "params": {"city": "Iași", "limit": 3, "none": null},
        "steps": {"fetch": {"items": [{"n": 1}, {"n": 2}]}},
        "trigger": {"kind": "schedule"},
    }))
}

fn resolved(text: &str) -> Resolved {
    let template = Template::parse(text).expect(text);
    template.evaluate(&world()).expect(text)
}

#[test]
fn a_whole_text_keeps_its_type() {
    for (text, expected) in [
        ("${params.limit}", json!(3)),
        ("${steps.fetch.items[*].n}", json!([1, 2])),
        ("${length(steps.fetch.items) > 1}", json!(true)),
        ("${params.none}", json!(null)),
        ("${params.city}", json!("Iași")),
        (
            "in ${params.city}: ${steps.fetch.items[0]}",
            json!("in Iași: {\"n\":1}"),
        ),
        (
            "$${params.city} of ${trigger.kind}",
            json!("${params.city} of schedule"),
        ),
        ("plain", json!("plain")),
        ("", json!("")),
    ] {
        let resolved = resolved(text);
        assert_eq!(resolved.value, expected, "{text}");
        assert!(resolved.missing.is_empty(), "{text}");
    }
}

#[test]
fn what_is_missing_is_null_and_told() {
    for (text, expected, places) in [
        ("${steps.gone.x}", json!(null), vec!["gone"]),
        ("${steps.fetch.items[7]}", json!(null), vec!["[7]"]),
        ("${nobody}", json!(null), vec!["nobody"]),
        (
            "a ${steps.gone} b ${params.none} c ${params.x}",
            json!("a null b null c null"),
            vec!["gone", "x"],
        ),
        // With an operator JMESPath's own rules hold.
        ("${steps.gone || 'none'}", json!("none"), vec![]),
        ("${steps.fetch.items[?n == 9] | [0]}", json!(null), vec![]),
    ] {
        let resolved = resolved(text);
        assert_eq!(resolved.value, expected, "{text}");
        let found: Vec<&str> = resolved
            .missing
            .iter()
            .map(|error| {
                assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
                &text[error.span.start..error.span.end]
            })
            .collect();
        assert_eq!(found, places, "{text}");
    }
}

#[test]
fn other_errors_stay_errors() {
    for text in ["${abs(params.city)}", "x ${abs(params.city)}"] {
        let template = Template::parse(text).unwrap();
        let error = template.evaluate(&world()).unwrap_err();
        assert_eq!(error.code, "EXPRESSION_TYPE", "{text}");
        assert_eq!(&text[error.span.start..error.span.end], "params.city");
    }
    // There is no run here, which is nothing that is missing in the data.
    let template = Template::parse("${uuid()}").unwrap();
    let error = template.evaluate(&world()).unwrap_err();
    assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
    assert_eq!(Template::parse("${a b} ${c").unwrap_err().len(), 2);
}

#[test]
fn paths_have_their_places_in_the_text() {
    let text = "at ${not_null(now)}: ${steps.fetch.items[0].n}";
    let template = Template::parse(text).unwrap();
    let found: Vec<(&str, bool)> = template
        .paths()
        .map(|path| (&text[path.span.start..path.span.end], path.exact))
        .collect();
    assert_eq!(found, [("now", false), ("steps.fetch.items[0].n", true)]);
    assert!(!template.is_whole() && !template.is_constant());
    let roots: Vec<&str> = template
        .expressions()
        .flat_map(|(expression, _)| expression.roots())
        .map(|root| root.name.as_str())
        .collect();
    assert_eq!(roots, ["now", "steps"]);
}
