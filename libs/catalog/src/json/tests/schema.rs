//! JSON Schema of messages.

use super::*;

#[test]
fn schema_says_what_is_checked() {
    expect![[r#"{"type":"object","properties":{"path":{"type":"string","minLength":2,"maxLength":4},"count":{"type":"integer","minimum":0,"maximum":9},"word":{"type":"string","minLength":2,"pattern":"^(?:[a-z]+)$"},"maybe":{"type":"string","minLength":1},"items":{"type":"array","items":{"type":"object","properties":{"source":{"type":"string"}},"required":["source"],"additionalProperties":false},"minItems":2,"maxItems":3},"labels":{"type":"object","additionalProperties":{"type":"string"},"maxProperties":1},"data":{"type":"string","contentEncoding":"base64"},"ttl":{"type":["string","integer"],"minimum":1000,"maximum":60000,"description":"Text with a unit, as `30s`, or a number of ms."},"mode":{"type":"string","enum":["MODE_FAST"]},"ratio":{"type":"number","minimum":0.5,"maximum":1},"tags":{"type":"array","items":{"type":"string","pattern":"^(?:[a-z]+)$"}},"size":{"type":"integer","minimum":10},"modes":{"type":"array","items":{"type":"string","enum":["MODE_FAST"]}}},"required":["path","count"],"additionalProperties":false}"#]]
    .assert_eq(&schema_in(&rules()).to_string());
}

#[test]
fn schema_of_an_answer_shows_what_is_written() {
    let schema = schema_out(&kinds());
    let of = |name: &str| schema["properties"][name].clone();
    assert_eq!(of("i64"), json!({"type": ["integer", "string"]}));
    assert_eq!(of("time"), json!({"type": "string", "format": "date-time"}));
    assert_eq!(of("free"), json!({}));
    assert_eq!(
        of("wait"),
        json!({"type": "integer", "description": "Unit: ms."})
    );
    assert_eq!(of("wrapped"), json!({"type": ["integer", "string"]}));
    assert_eq!(
        of("color")["enum"],
        json!(["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"])
    );
    assert_eq!(schema.get("additionalProperties"), None);
}

#[test]
fn schema_tells_secrets_choices_and_directions() {
    let body = r#"message Both {
      string token = 1 [(gearmesh.tool.v1.field) = {secret: true}];
      string made = 2 [(google.api.field_behavior) = OUTPUT_ONLY];
      string given = 3 [(google.api.field_behavior) = INPUT_ONLY];
      oneof choice { string left = 4; string right = 5; }
      // The old one.
      string old = 6 [deprecated = true, (gearmesh.tool.v1.field) = {example: "\"x\""}];
    }"#;
    let both = fixture::message(body, "Both");
    let names = |schema: &Value| -> Vec<String> {
        schema["properties"]
            .as_object()
            .map(|o| o.keys().cloned().collect())
            .unwrap_or_default()
    };
    let input = schema_in(&both);
    assert_eq!(names(&input), ["token", "given", "left", "right", "old"]);
    assert_eq!(
        names(&schema_out(&both)),
        ["token", "made", "left", "right", "old"]
    );
    assert_eq!(
        input["properties"]["token"],
        json!({"type": "string", "description": "Give a `vault://` reference.", "writeOnly": true})
    );
    assert_eq!(
        input["properties"]["left"]["description"],
        json!("At most one of `left`, `right`.")
    );
    assert_eq!(
        input["properties"]["old"],
        json!({"type": "string", "description": "The old one.", "examples": ["x"], "deprecated": true})
    );
}

#[test]
fn schema_of_a_message_within_itself_ends() {
    let child = fixture::message(KINDS, "Child");
    let schema = schema_in(&child);
    assert_eq!(
        schema["properties"]["children"]["items"],
        json!({"type": "object"})
    );
}

#[test]
fn schema_of_deep_and_wide_messages_is_bounded() {
    let mut body = String::new();
    for level in 0..8 {
        let _ = write!(
            body,
            "message L{level} {{ L{} a = 1; L{} b = 2; }}",
            level + 1,
            level + 1
        );
    }
    body.push_str("message L8 { string end = 1; }");
    let schema = schema_in(&fixture::message(&body, "L0"));
    let mut depth = 0;
    let mut at = &schema;
    while at["properties"].is_object() {
        at = &at["properties"]["a"];
        depth += 1;
    }
    assert_eq!(depth, crate::json::schema::DEPTH_MAX);
}
