//! Secrets that stand in a workflow, and sensitive results: neither is ever on the disk as
//! it is.

mod results;
mod scene;

use std::time::Duration;

use gearmesh_api::vault::v1::{DropRunRequest, ResolveRequest, SealRunRequest};
use gearmesh_link::Call;
use serde_json::json;

use scene::{ALL, LITERAL, NO_VAULT, Scene};

fn bearing(bearer: &str) -> String {
    format!(
        "name: bearing\ntasks:\n  - id: ask\n    tool: http.request\n    connection: site\n    params: {{url: /bearing, bearer: {bearer}}}\n"
    )
}

#[tokio::test]
async fn literal_reaches_its_tool_and_is_not_on_the_disk() {
    // WF-9.22
    let mut scene = Scene::start(&ALL).await;
    let (id, _) = scene.ended(&bearing(LITERAL)).await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 1);
    scene.assert_not_on_disk(LITERAL);
    let run = scene.run(&id).await;
    assert!(!run.to_string().contains(LITERAL), "{run:#}");
    scene.stop().await;
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn literal_may_be_stored_under_a_name_and_json_is_rewritten_too() {
    let scene = Scene::start(&ALL).await;
    let source = json!({"name": "keep", "tasks": [{"id": "keep", "tool": "vault.set",
        "params": {"vaultName": "work", "credentialName": "token", "value": LITERAL}}]});
    scene.ended(&source.to_string()).await;
    let request = ResolveRequest {
        references: vec!["vault://work/token".to_owned()],
        ..ResolveRequest::default()
    };
    let answer = scene.vault().resolve(request).await.expect("it is there");
    assert_eq!(answer.into_inner().values[0].value, LITERAL);
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn tasks_of_the_predecessor_are_sealed_too() {
    let scene = Scene::start(&ALL).await;
    let params = json!({"tasks": [{"id": "ask", "tool": "http.request",
        "params": {"url": "/bearing", "connection": "site", "bearer": LITERAL}}]});
    let answer = scene.call("orchestrator.execute", params).await;
    let answer = answer.expect("it answers");
    assert_eq!(answer["status"], "success", "{answer:#}");
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 1);
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn repeat_with_a_key_answers_the_same_run() {
    let mut scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL);
    let first = scene.begin(&source, Some("k")).await.expect("it starts");
    scene.until(&first, "succeeded").await;
    assert_eq!(scene.begin(&source, Some("k")).await.expect("same"), first);
    let other = bearing("another-s3cret");
    let reused = scene.begin(&other, Some("k")).await.unwrap_err();
    assert_eq!(reused.reason, "KEY_REUSED");
    // What was sealed for the repeats is gone, what the run has is not.
    assert_eq!(scene.sealed_runs().await, [first.as_str()]);
    scene.restart(&ALL).await;
    assert_eq!(scene.begin(&source, Some("k")).await.expect("same"), first);
    assert_eq!(scene.requests("Bearer"), 1);
    let second = scene.begin(&source, Some("l")).await.expect("it starts");
    assert_ne!(second, first);
}

#[tokio::test]
async fn reference_of_another_run_is_refused() {
    // WF-4.6
    let scene = Scene::start(&ALL).await;
    scene.ended(&bearing(LITERAL)).await;
    let references = scene.references();
    let [reference] = references.as_slice() else {
        panic!("{references:?}");
    };
    let id = scene.begin(&bearing(reference), None).await;
    let run = scene.until(&id.expect("it starts"), "failed").await;
    assert_eq!(run["error"]["code"], "NOT_SEALED_HERE", "{run:#}");
    assert!(!run.to_string().contains(LITERAL), "{run:#}");
    let direct = json!({"url": "/bearing", "connection": "site", "bearer": reference});
    let refused = scene.call("http.request", direct).await.unwrap_err();
    assert_eq!(refused.reason, "NOT_SEALED_HERE");
    assert_eq!(scene.requests("/bearing"), 1);
}

#[tokio::test]
async fn literal_needs_no_scope_for_the_vault_and_a_reference_does() {
    let scene = Scene::start(&ALL).await;
    let begin = async |source: String| {
        let call = Call {
            principal: Some("token/ada".to_owned()),
            scopes: Some("http:read orchestrator:write".to_owned()),
            ..Call::default()
        };
        let params = json!({"source": source});
        let answer = scene.call_as("orchestrator.start_run", params, &call).await;
        let answer = answer.expect("it starts");
        answer["run"]["runId"].as_str().expect("an id").to_owned()
    };
    let sealed = begin(bearing(LITERAL)).await;
    scene.until(&sealed, "succeeded").await;
    let named = begin(bearing("vault://work/token")).await;
    let run = scene.until(&named, "failed").await;
    assert_eq!(run["error"]["code"], "PERMISSION_DENIED", "{run:#}");
}

#[tokio::test]
async fn retry_takes_over_what_was_sealed() {
    let scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL).replace("/bearing", "/once");
    let first = scene.begin(&source, None).await.expect("it starts");
    scene.until(&first, "failed").await;
    let retried = scene.call("orchestrator.retry_run", json!({"runId": first}));
    let retried = retried.await.expect("it starts");
    let second = retried["run"]["runId"].as_str().expect("an id");
    scene.until(second, "succeeded").await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 2);
    scene.assert_not_on_disk(LITERAL);
    // Each has its own: the first may be forgotten.
    let request = DropRunRequest { run: first.clone() };
    scene.vault().drop_run(request).await.expect("dropped");
    let again = json!({"runId": second, "fromTask": "ask"});
    let again = scene.call("orchestrator.retry_run", again).await;
    let again = again.expect("it starts");
    let third = again["run"]["runId"].as_str().expect("an id");
    scene.until(third, "succeeded").await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 3);
}

#[tokio::test]
async fn without_a_vault_a_literal_is_refused_and_the_rest_runs() {
    let scene = Scene::start(&NO_VAULT).await;
    let refused = scene.begin(&bearing(LITERAL), Some("k")).await.unwrap_err();
    assert_eq!(refused.reason, "ENGINE_UNAVAILABLE");
    assert!(refused.message.contains("vault"), "{}", refused.message);
    assert!(!refused.message.contains(LITERAL), "{}", refused.message);
    scene.assert_not_on_disk(LITERAL);
    let plain = "name: plain\ntasks: [{id: a, set: {x: 1}}]\n";
    scene.ended(plain).await;
    let listed = scene.call("orchestrator.list_runs", json!({})).await;
    let listed = listed.expect("it answers");
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn start_that_fails_leaves_nothing_sealed() {
    let scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL).replace(
        "tasks:",
        "inputs: {n: {type: array, default: []}}\nvars: {x: \"${inputs.n[3]}\"}\ntasks:",
    );
    let refused = scene.begin(&source, None).await.unwrap_err();
    assert_eq!(refused.reason, "VARIABLE_RESOLUTION_ERROR");
    assert_eq!(scene.sealed_runs().await, [""; 0]);
}

#[tokio::test]
async fn what_was_sealed_for_no_run_is_forgotten_after_an_hour() {
    let mut scene = Scene::start(&ALL).await;
    let id = scene.begin(&bearing(LITERAL), None).await;
    let id = id.expect("it starts");
    scene.until(&id, "succeeded").await;
    // As a process leaves it that dies between the seal and its run.
    let lost = "run_00000000000zz";
    let request = SealRunRequest {
        scope: "0".repeat(32),
        run: lost.to_owned(),
        values: vec![LITERAL.to_owned()],
        from_run: String::new(),
    };
    scene.vault().seal_run(request).await.expect("sealed");
    scene.restart_after(&ALL, 0).await;
    assert_eq!(scene.sealed_runs().await, [lost, id.as_str()]);
    scene.restart_after(&ALL, 2).await;
    for _ in 0..1_200 {
        if scene.sealed_runs().await == [id.as_str()] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", scene.sealed_runs().await);
}

#[tokio::test]
async fn secret_with_an_anchor_is_refused() {
    let scene = Scene::start(&ALL).await;
    let source = format!("{}    x-other: *s\n", bearing(&format!("&s {LITERAL}")));
    let refused = scene.begin(&source, None).await.unwrap_err();
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert!(refused.message.contains("anchor"), "{}", refused.message);
    assert!(!refused.message.contains(LITERAL), "{}", refused.message);
}
