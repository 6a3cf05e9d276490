use serde_json::json;

use super::*;
use crate::client::built_in;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn params(tool: &str, line: &str) -> Result<Value, String> {
    let catalog = built_in().unwrap();
    let found = catalog.get(tool).unwrap();
    match read(found.tool, &words(line)) {
        Ok(args) => Ok(args.params.into()),
        Err(e) => Err(format!("{e}; {}", e.report().help.join(" "))),
    }
}

#[test]
fn flags_follow_the_schema() {
    assert_eq!(
        params(
            "http.request",
            "--url http://x --method=POST --headers a=b --headers c=d=e --allow-status 404 --allow_status 410 --keyed"
        ),
        Ok(
            json!({"url": "http://x", "method": "POST", "headers": {"a": "b", "c": "d=e"}, "allowStatus": [404, 410], "keyed": true})
        )
    );
    assert_eq!(
        params("state.put", "--key 5 --value {\"a\":[1]}"),
        Ok(json!({"key": "5", "value": {"a": [1]}}))
    );
    assert_eq!(
        params("state.put", "--key a --value plain"),
        Ok(json!({"key": "a", "value": "plain"}))
    );
    assert_eq!(
        params("http.request", "--no-keyed --keyed=true"),
        Err("`keyed` is given twice; ".into())
    );
    assert_eq!(
        params("http.request", "--allow-status [1,2]"),
        Ok(json!({"allowStatus": [1, 2]}))
    );
}

#[test]
fn inputs_of_a_workflow_are_typed_by_their_schema() {
    let schema = json!({"type": "object", "properties": {
        "orderId": {"type": "integer"}, "to": {"type": "array", "items": {"type": "string"}},
        "dry": {"type": "boolean"}, "note": {"type": "string"},
    }});
    let read = |line: &str| match inputs("refund", &schema, &["watch"], &words(line)) {
        Ok(values) => Ok(Value::from(values)),
        Err(e) => Err(format!("{e}; {}", e.report().help.join(" "))),
    };
    assert_eq!(
        read("--order-id 5 --to a --to=b --dry --note 7"),
        Ok(json!({"orderId": 5, "to": ["a", "b"], "dry": true, "note": "7"}))
    );
    assert_eq!(read("--no-dry"), Ok(json!({"dry": false})));
    assert_eq!(
        read("--wach"),
        Err("`refund` has no input `wach`; did you mean `--watch`?".into())
    );
    assert!(read("--xyz 1").unwrap_err().contains("--order-id, --to"));
    assert!(read("b.yaml").unwrap_err().contains("`b.yaml` is no flag"));
    assert_eq!(read("--note"), Err("`--note` needs a value; ".into()));
}

#[test]
fn pairs_and_whole_objects_are_read() {
    assert_eq!(
        params("state.put", "--params {\"key\":\"a\"} -p value=[1,2]"),
        Ok(json!({"key": "a", "value": [1, 2]}))
    );
    assert_eq!(
        params("http.request", "-p headers.accept=x"),
        Ok(json!({"headers": {"accept": "x"}}))
    );
    assert!(
        params("state.put", "--params [1]")
            .unwrap_err()
            .contains("JSON object")
    );
    assert!(
        params("state.put", "--params {")
            .unwrap_err()
            .contains("no JSON")
    );
}

#[test]
fn wrong_flags_name_the_nearest() {
    assert_eq!(
        params("http.request", "--alow-status 1"),
        Err("`http.request` has no parameter `alow-status`; did you mean `--allow-status`?".into())
    );
    assert_eq!(
        params("state.get", "--key"),
        Err("`--key` needs a value; ".into())
    );
    assert!(
        params("state.get", "a")
            .unwrap_err()
            .contains("`a` is no flag")
    );
    assert!(
        params("state.get", "--key a --key b")
            .unwrap_err()
            .contains("twice")
    );
}

#[test]
fn key_of_the_call_is_no_parameter() {
    let catalog = built_in().unwrap();
    let args = read(
        catalog.get("state.get").unwrap().tool,
        &words("--idempotency-key k --key a"),
    )
    .unwrap();
    assert_eq!(args.key.as_deref(), Some("k"));
    assert_eq!(Value::from(args.params), json!({"key": "a"}));
}
