//! Bare literals to the right of a comparison.

use serde_json::json;

use crate::{evaluate, scope};

// WF-4.7
#[test]
fn a_literal_stands_alone_right_of_a_comparison() {
    let scope = scope(json!({
        "l": [1, 2, 3], "n": -5, "f": 1.5, "t": true, "z": null,
        "o": {"true": 1, "false": 2}, "rows": [{"v": 1, "on": true}, {"v": 7, "on": false}],
    }));
    for (text, expected) in [
        ("length(l) > 2", "true"),
        ("length(l)>=4", "false"),
        ("n == -5", "true"),
        ("n < -5.5e0", "false"),
        ("f == 1.5", "true"),
        ("f == 15e-1", "true"),
        ("t == true", "true"),
        ("t != false", "true"),
        ("z == null", "true"),
        ("z != null && t == true", "false"),
        ("rows[?v > 5].v", "[7]"),
        ("rows[?on == true && v < 5].v", "[1]"),
        ("rows[?v == 1 || v == 7] | length(@) == 2", "true"),
        ("{a: n == -5, b: length(l) == 3}", "{\"a\":true,\"b\":true}"),
        // A name that looks like one stays a name where it is more than that.
        ("o | @ != true.x", "true"),
        ("o | true", "1"),
        ("o.false == 2", "true"),
    ] {
        match evaluate(text, &scope) {
            Ok(value) => assert_eq!(value.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn places_after_a_widening_are_those_of_the_text() {
    let text = "n == 5 && t == true && abs('x')";
    let error = evaluate(text, &scope(json!({}))).unwrap_err();
    assert_eq!(&text[error.span.start..error.span.end], "'x'");
    let text = "n == 5 && t == true && )";
    let error = evaluate(text, &scope(json!({}))).unwrap_err();
    assert_eq!(error.span.start, text.len() - 1);
}
