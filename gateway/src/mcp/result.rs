//! What a call comes to: one function for all tools.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};
use tonic::Status;

use crate::reply::seen;

/// Longest answer that is repeated as text, in bytes: some hosts pass both parts on
/// to the model, which then reads the answer twice.
pub(crate) const TEXT_MAX: usize = 4 * 1024;

/// The result of a call that was answered.
pub(crate) fn answered(value: Value) -> CallToolResult {
    // The protocol wants an object; a foreign service may answer a list.
    let value = match value {
        Value::Object(_) => value,
        other => json!({"value": other}),
    };
    let text = value.to_string();
    let text = if text.len() <= TEXT_MAX {
        text
    } else {
        short(&value, text.len())
    };
    let mut result = CallToolResult::structured(value);
    result.content = vec![ContentBlock::text(text)];
    result
}

/// The result of a call that failed: the agent reads it and can do better.
pub(crate) fn failed(status: &Status, trace_id: &str) -> CallToolResult {
    let failure = seen(status, trace_id);
    let mut text = format!(
        "{} {}: {}",
        code_name(&failure),
        failure.reason,
        failure.message
    );
    for violation in &failure.violations {
        text.push_str(&format!(
            "\n- {}: {}",
            violation.field, violation.description
        ));
    }
    if let Some(wait) = failure.retry_after {
        text.push_str(&format!("\nTry again after {} s.", wait.as_secs_f64()));
    }
    let mut structured = failure.to_json();
    structured["retryable"] = failure.retryable.into();
    let mut result = CallToolResult::structured_error(structured);
    result.content = vec![ContentBlock::text(text)];
    result
}

/// The code's name, as `NOT_FOUND`: a failure without a reason has it for one.
fn code_name(failure: &gearmesh_fault::Failure) -> String {
    gearmesh_fault::Failure::of(&Status::new(failure.code, "")).reason
}

/// A large answer in a few lines: which members it has and how large they are.
fn short(value: &Value, length: usize) -> String {
    let mut lines = vec![format!(
        "The answer has {length} bytes; `structuredContent` holds all of it."
    )];
    let empty = Map::new();
    for (key, member) in value.as_object().unwrap_or(&empty) {
        let said = match member {
            Value::Array(list) => format!("{} items", list.len()),
            Value::Object(map) => format!("{} members", map.len()),
            Value::String(text) if text.len() > SCALAR_MAX => {
                format!("text of {} characters", text.chars().count())
            }
            scalar => scalar.to_string(),
        };
        let line = format!("{key}: {said}");
        if lines.len() > MEMBERS_MAX {
            lines.push("..".to_owned());
            break;
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Longest text that the short form shows, in bytes.
const SCALAR_MAX: usize = 100;

/// Members that the short form shows.
const MEMBERS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gearmesh_api::tool::v1::CommonFault;
    use gearmesh_fault::Refusal;

    use super::*;

    fn text(result: &CallToolResult) -> String {
        result.content[0].as_text().unwrap().text.clone()
    }

    #[test]
    fn small_answer_is_repeated_and_a_large_one_is_not() {
        let small = answered(json!({"a": "x".repeat(TEXT_MAX - 8)}));
        assert_eq!(text(&small).len(), TEXT_MAX);
        assert_eq!(text(&small), small.structured_content.unwrap().to_string());
        let large =
            answered(json!({"a": "x".repeat(TEXT_MAX - 7), "list": [1, 2], "n": 7, "o": {}}));
        expect![[r#"
            The answer has 4123 bytes; `structuredContent` holds all of it.
            a: text of 4089 characters
            list: 2 items
            n: 7
            o: 0 members"#]]
        .assert_eq(&text(&large));
        assert_eq!(large.structured_content.unwrap()["n"], 7);
        assert_eq!(
            answered(json!([1])).structured_content,
            Some(json!({"value": [1]}))
        );
    }

    #[test]
    fn failure_says_code_reason_and_fields() {
        let status = Status::from(Refusal::parameters(vec![(
            "a.b".into(),
            "is missing".into(),
        )]));
        let result = failed(&status, "1");
        assert_eq!(result.is_error, Some(true));
        expect![[r#"
            INVALID_ARGUMENT INVALID_PARAMETERS: `a.b`: is missing
            - a.b: is missing"#]]
        .assert_eq(&text(&result));
        let structured = result.structured_content.unwrap();
        assert_eq!(structured["details"][0]["reason"], "INVALID_PARAMETERS");
        assert_eq!(structured["retryable"], false);
        let inside = failed(
            &Refusal::new(CommonFault::InternalError, "secret").into(),
            "1",
        );
        assert!(!format!("{inside:?}").contains("secret"));
    }
}
