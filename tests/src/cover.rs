//! Comparing a document with the part of it that is known beforehand.

use serde_json::Value;

/// Asserts that `actual` has every member that `expected` names, at any depth; lists
/// are compared whole.
///
/// # Panics
/// When it has not, naming the member.
pub fn assert_covers(expected: &Value, actual: &Value) {
    if let Some(at) = missing(expected, actual, String::new()) {
        panic!("differs at `{at}`\nexpected: {expected:#}\nactual: {actual:#}");
    }
}

fn missing(expected: &Value, actual: &Value, at: String) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().find_map(|(key, value)| {
                let at = format!("{at}/{key}");
                match actual.get(key) {
                    Some(found) => missing(value, found, at),
                    None => Some(at),
                }
            })
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let mut pairs = expected.iter().zip(actual).enumerate();
            pairs.find_map(|(i, (expected, actual))| missing(expected, actual, format!("{at}/{i}")))
        }
        _ => (expected != actual).then_some(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn difference_is_named_by_its_place() {
        let differs = |expected: Value, actual: Value| missing(&expected, &actual, String::new());
        let actual = json!({"a": {"b": [1, {"c": 2, "d": 3}]}, "e": null});
        assert_eq!(
            differs(json!({"a": {"b": [1, {"c": 2}]}}), actual.clone()),
            None
        );
        let differing = [
            (json!({"a": {"b": [1, {"c": 9}]}}), "/a/b/1/c"),
            (json!({"a": {"b": [1]}}), "/a/b"),
            (json!({"f": 1}), "/f"),
            (json!({"e": {}}), "/e"),
        ];
        for (expected, at) in differing {
            assert_eq!(differs(expected, actual.clone()).as_deref(), Some(at));
        }
    }
}
