//! What may differ between two runs of one workflow, and nothing else.

use serde_json::{Map, Value};

/// Members that name one run, one call or one moment.
const DIFFERENT: &[&str] = &[
    // Names of runs and of what belongs to them.
    "runId",
    "session",
    "messageId",
    "message-id",
    "eventId",
    // Moments and how long something took.
    "startTime",
    "endTime",
    "duration",
    "queued",
    "working",
    "retrying",
    "waiting",
    "criticalPath",
    "created",
    "updated",
    "publishedAt",
    "fireAt",
    "date",
    // Who called: nobody on a laptop, the operator by certificate in a mesh.
    "publishedBy",
    "actor",
];

/// The stand-in web site listens on a port of its own each time.
const SITE: &str = "http://127.0.0.1:";

/// The value with all that may differ replaced by `~`.
pub(crate) fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mask = |(name, member): (&String, &Value)| {
                let differs = DIFFERENT.contains(&name.as_str());
                let value = if differs {
                    Value::from("~")
                } else {
                    masked(member)
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(mask).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) => Value::from(without_port(text)),
        other => other.clone(),
    }
}

fn without_port(text: &str) -> String {
    let Some((before, after)) = text.split_once(SITE) else {
        return text.to_owned();
    };
    let path = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{SITE}~{path}")
}

#[test]
fn what_may_differ_is_masked_and_nothing_else() {
    let value = serde_json::json!({
        "runId": "run_1", "items": [{"url": "open http://127.0.0.1:8123/items", "count": 5}],
    });
    let expected = serde_json::json!({
        "runId": "~", "items": [{"url": "open http://127.0.0.1:~/items", "count": 5}],
    });
    assert_eq!(masked(&value), expected);
}
