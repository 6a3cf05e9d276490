//! What may be stored, and what is said of it.

use gearmesh_fault::Failure;
use gearmesh_link::Call;
use serde_json::{Value, json};

use crate::{FULL, call, create, fault, mesh, once, update};

#[tokio::test]
async fn workflow_is_read_as_it_was_stored() {
    let mesh = mesh().await;
    let params = json!({"source": FULL, "fileName": "full.workflow.yaml", "comment": "first"});
    let ada = Call {
        principal: Some("user/ada".into()),
        ..Call::default()
    };
    let created = mesh
        .call_as("orchestrator.create_workflow", params, ada)
        .await
        .expect("stored");
    let workflow = &created["workflow"];
    let read = call(&mesh, "get_workflow", json!({"workflow": "full"})).await;
    assert_eq!(read["workflow"], *workflow);
    for (key, expected) in [
        ("name", json!("full")),
        ("version", json!(1)),
        ("newest", json!(1)),
        ("state", json!("enabled")),
        ("title", json!("A Title")),
        ("description", json!("What it does")),
        ("labels", json!({"team": "Finance"})),
        ("source", json!(FULL)),
        ("fileName", json!("full.workflow.yaml")),
        ("tasks", json!(2)),
        ("author", json!("user/ada")),
        ("comment", json!("first")),
        ("dialect", json!("native")),
        (
            "inputs",
            json!({
                "type": "object",
                "properties": {
                    "to": {"type": "string", "default": "you@example.test"},
                    "n": {"type": "integer"},
                    "pin": {"type": "string", "writeOnly": true},
                },
                "required": ["n"],
                "additionalProperties": false,
            }),
        ),
        (
            "triggers",
            json!([{"id": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Chisinau",
                "inputs": {"n": 1}}]),
        ),
    ] {
        assert_eq!(workflow[key], expected, "{key}");
    }
    assert!(workflow["createTime"].is_string(), "{workflow:#}");
    assert!(workflow["etag"].as_str().is_some_and(|e| e.len() == 16));
}

#[tokio::test]
async fn name_is_taken_once() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let again = json!({"source": once("a", 2)});
    let refused = fault(&mesh, "create_workflow", again.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    assert!(refused.message.contains("update it"), "{refused:?}");
    let dry = json!({"source": once("a", 2), "dryRun": true});
    let refused = fault(&mesh, "create_workflow", dry).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    call(&mesh, "delete_workflow", json!({"workflow": "a"})).await;
    let refused = fault(&mesh, "create_workflow", again).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    assert!(refused.message.contains("restore it"), "{refused:?}");
}

#[tokio::test]
async fn creation_that_is_sent_again_is_answered_again() {
    let mesh = mesh().await;
    let send = async |source: String| {
        let call = Call {
            key: Some("k".into()),
            ..Call::default()
        };
        let params = json!({"source": source});
        mesh.call_as("orchestrator.create_workflow", params, call)
            .await
    };
    let first = send(once("a", 1)).await.expect("stored");
    update(&mesh, "a", &once("a", 2)).await;
    let again = send(once("a", 1)).await.expect("answered");
    assert_eq!(first, again);
    let refused = send(once("b", 1)).await.expect_err("another request");
    assert_eq!(Failure::of(&refused).reason, "KEY_REUSED");
    let newest = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(newest["workflow"]["version"], 2);
}

#[tokio::test]
async fn stored_workflow_is_checked_as_a_start_is_and_more() {
    let mesh = mesh().await;
    let broken =
        "name: x\ntasks:\n  - {id: a, tool: no.such}\n  - {id: b, set: {x: 1}, needs: [c]}\n";
    let refused = fault(&mesh, "create_workflow", json!({"source": broken})).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert_eq!(refused.violations.len(), 2, "{refused:?}");
    // A start would only warn of it.
    let secret = |bearer: &str| {
        let params = format!("{{url: \"https://example.test\", bearer: \"{bearer}\"}}");
        format!("name: s\ntasks:\n  - {{id: a, tool: http.request, params: {params}}}\n")
    };
    let literal = json!({"source": secret("abc")});
    let validated = call(&mesh, "validate", literal.clone()).await;
    assert_eq!(validated["valid"], true, "{validated:#}");
    let refused = fault(&mesh, "create_workflow", literal.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert!(
        refused.violations[0].description.contains("LITERAL_SECRET"),
        "{refused:?}"
    );
    create(&mesh, &secret("vault://a/b")).await;
    let refused = fault(
        &mesh,
        "update_workflow",
        json!({"workflow": "s", "source": secret("abc")}),
    )
    .await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    let oktyv = json!({"tasks": [{"id": "a", "tool": "state_get", "params": {"key": "k"}}]});
    let nameless = json!({"source": oktyv.to_string()});
    let refused = fault(&mesh, "create_workflow", nameless).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    assert!(refused.message.contains("no name"), "{refused:?}");
}

#[tokio::test]
async fn dry_run_stores_nothing() {
    let mesh = mesh().await;
    let dry = json!({"source": once("a", 1), "dryRun": true});
    let told = call(&mesh, "create_workflow", dry).await;
    assert_eq!(told["workflow"]["version"], 1);
    let missing = fault(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(missing.reason, "WORKFLOW_NOT_FOUND");
    let stored = create(&mesh, &once("a", 1)).await;
    let dry = json!({"workflow": "a", "source": once("a", 2), "dryRun": true});
    let told = call(&mesh, "update_workflow", dry).await;
    assert_eq!(told["workflow"]["version"], 2);
    let read = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(read["workflow"], stored);
}

#[tokio::test]
async fn copy_under_another_name_is_told() {
    let mesh = mesh().await;
    create(&mesh, FULL).await;
    let copy = FULL
        .replace("name: full", "name: copy")
        .replace("id: a", "id: first");
    let copy = copy.replace("a.result", "first.result");
    let warnings = async |source: &str| {
        let answer = call(&mesh, "create_workflow", json!({"source": source})).await;
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        let similar = warnings
            .into_iter()
            .filter(|w| w["code"] == "WORKFLOW_SIMILAR");
        similar.collect::<Vec<_>>()
    };
    let found = warnings(&copy).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().expect("text");
    assert!(
        message.contains("`full`") && message.contains("1.00"),
        "{message}"
    );
    // One tool with other parameters is something else.
    let put = |name: &str, key: &str| {
        let params = format!("{{key: {key}, value: {key}}}");
        format!("name: {name}\ntasks:\n  - {{id: a, tool: state.put, params: {params}}}\n")
    };
    assert_eq!(warnings(&put("p", "x")).await, [] as [Value; 0]);
    assert_eq!(warnings(&put("q", "y")).await, [] as [Value; 0]);
    // An alias of a tool is that tool; a deleted workflow is none to be named.
    call(&mesh, "delete_workflow", json!({"workflow": "p"})).await;
    let alias = put("r", "y").replace("state.put", "state_put");
    let found = warnings(&alias).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().expect("text");
    assert!(message.contains("`q`"), "{message}");
}
