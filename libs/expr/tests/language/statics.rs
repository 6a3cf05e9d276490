//! What is told of an expression without evaluating it. WF-4.10 is checked by its users, from this.

use gearmesh_expr::{Expression, Query, Template};
use serde_json::json;

#[test]
fn paths_of_a_text_have_their_places_in_it() {
    let text =
        "Order ${inputs.id}: ${join(', ', fetch.result.items[*].name)} $${no} ${a.b || c[0].d}";
    let template = Template::parse(text).unwrap();
    let found: Vec<(&str, bool)> = template
        .paths()
        .map(|path| {
            for span in &path.step_spans {
                assert!(path.span.start < span.start && span.end <= path.span.end);
            }
            (&text[path.span.start..path.span.end], path.exact)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("inputs.id", true),
            ("fetch.result.items", false),
            ("a.b", false),
            ("c[0].d", false)
        ]
    );
    assert_eq!(Template::parse("plain").unwrap().paths().count(), 0);
}

#[test]
fn backticks_without_json_are_told_at_their_place() {
    let text = "a == `running` && b";
    let error = Expression::parse(text).unwrap_err();
    assert_eq!(error.code, "EXPRESSION_SYNTAX");
    assert_eq!(&text[error.span.start..error.span.end], "`running`");
    let whole = "x ${a == `running`}";
    let errors = Template::parse(whole).unwrap_err();
    assert_eq!(
        &whole[errors[0].span.start..errors[0].span.end],
        "`running`"
    );
}

#[test]
fn a_query_looks_at_one_value() {
    let value = json!({"items": [{"n": 1}, {"n": 2}], "total": 2});
    for (text, expected) in [
        ("items[*].n", json!([1, 2])),
        ("@", value.clone()),
        ("length(@)", json!(2)),
        ("missing.x", json!(null)),
        ("items[?n > 1] | [0].n", json!(2)),
        ("*", json!([[{"n": 1}, {"n": 2}], 2])),
    ] {
        assert_eq!(
            Query::parse(text).unwrap().search(&value),
            Ok(expected),
            "{text}"
        );
    }
    assert_eq!(
        Query::parse("[1]").unwrap().search(&json!([1, 2])),
        Ok(json!(2))
    );
    assert_eq!(Query::parse("a b").unwrap_err().code, "EXPRESSION_SYNTAX");
    let error = Query::parse("uuid()").unwrap().search(&value).unwrap_err();
    assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
}
