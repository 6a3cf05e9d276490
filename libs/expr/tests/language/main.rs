//! The expression language through the public API.

mod added;
mod conditions;
mod errors;
mod functions;
mod jmespath;
mod limits;
mod oktyv;
mod ordinaut;
mod paths;
mod random;
mod statics;
mod templates;
mod widenings;

use gearmesh_expr::{Error, Expression};
use serde_json::{Map, Value, json};

/// A scope from a JSON object.
fn scope(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// A small world with a finished task.
fn world() -> Map<String, Value> {
    scope(json!({
        "inputs": {"name": "Ada", "limit": 5, "none": null, "flag": false, "big": 9_007_199_254_740_993_u64},
        "fetch": {
            "status": "succeeded",
            "result": {
                "items": [
                    {"name": "b", "price": 3, "tags": ["x", "y"], "open": true},
                    {"name": "a", "price": 10, "tags": [], "open": false},
                    {"name": "c", "price": 3.5, "tags": ["z"], "open": true},
                ],
                "count": 3,
                "headers": {"content-type": "text/plain", "x": "1"},
            },
        },
    }))
}

/// An error as the tests write it: code, place, message, hints, fix.
fn shown(text: &str, error: &Error) -> String {
    let place = text
        .get(error.span.start..error.span.end)
        .unwrap_or("<outside>");
    let mut out = format!("{} at `{place}`: {}\n", error.code, error.message);
    for hint in &error.hints {
        out += &format!("  hint: {hint}\n");
    }
    if let Some(fix) = &error.fix {
        let fixed = format!(
            "{}{}{}",
            &text[..fix.span.start],
            fix.text,
            &text[fix.span.end..]
        );
        out += &format!("  fixed: {fixed}\n");
    }
    out
}

fn evaluate(text: &str, scope: &Map<String, Value>) -> Result<Value, Error> {
    Expression::parse(text)?.evaluate(scope)
}
