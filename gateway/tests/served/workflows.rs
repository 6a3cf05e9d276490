use serde_json::json;

use crate::{Answer, Served};

fn once(x: u32) -> String {
    format!("name: once\ntasks:\n  - {{id: a, set: {{x: {x}}}}}\n")
}

#[tokio::test]
async fn stored_workflow_is_a_resource() {
    let served = Served::start().await;
    let created = served
        .post("/v1/workflows", json!({"source": once(1)}))
        .await;
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(created.json()["workflow"]["version"], 1);
    let again = served
        .post("/v1/workflows", json!({"source": once(1)}))
        .await;
    assert_eq!(again.reason(), (409, "WORKFLOW_EXISTS".into()));
    let change = served
        .request("PATCH", "/v1/workflows/once")
        .json(&json!({"source": once(2), "etag": created.json()["workflow"]["etag"]}));
    let changed = Answer::of(change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let read = served.get("/v1/workflows/once").await.json();
    assert_eq!(read["source"], once(2), "the workflow itself is the body");
    let first = served.get("/v1/workflows/once?version=1").await.json();
    assert_eq!(first["source"], once(1));
    let listed = served.get("/v1/workflows?query=ONCE").await.json();
    assert_eq!(listed["workflows"][0]["name"], "once");
    let versions = served.get("/v1/workflows/once/versions").await.json();
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2));
    for (verb, body) in [
        ("diff", json!({})),
        ("rollback", json!({"version": 1})),
        ("disable", json!({})),
        ("enable", json!({})),
    ] {
        let done = served
            .post(&format!("/v1/workflows/once:{verb}"), body)
            .await;
        assert_eq!(done.status, 200, "{verb}: {done:?}");
    }
    let run = served.post("/v1/runs", json!({"workflow": "once"})).await;
    assert_eq!(run.json()["version"], 3, "{run:?}");
    let delete = served.request("DELETE", "/v1/workflows/once");
    let deleted = Answer::of(delete).await;
    assert_eq!(deleted.json(), json!({"deleted": true}));
    let restored = served
        .post("/v1/workflows/once:restore", json!({}))
        .await
        .json();
    assert_eq!(restored["workflow"]["state"], "disabled");
    let missing = served.get("/v1/workflows/other").await;
    assert_eq!(missing.reason(), (404, "WORKFLOW_NOT_FOUND".into()));
}

#[tokio::test]
async fn question_is_answered_once_and_is_no_doubt_to_decide_over_rest() {
    let served = Served::start().await;
    let source = "name: ask\ntasks:\n  - {id: decide, approve: {message: 'Go?', approvers: [user:ada]}}\noutputs: {by: '${decide.result.approved}'}\n";
    let run = served.post("/v1/runs", json!({"source": source})).await;
    let run = run.json()["runId"].as_str().expect("an id").to_owned();
    let decide = json!({"task": "decide", "decision": "fail"});
    let refused = served.post(&format!("/v1/runs/{run}:decide"), decide).await;
    assert_eq!(refused.reason(), (400, "DECISION_NOT_OPEN".into()));
    let questions = served.get("/v1/approvals").await.json();
    let id = questions["approvals"][0]["approvalId"]
        .as_str()
        .expect("a question");
    let answer = json!({"approved": true, "note": "yes"});
    let answered = served
        .post(&format!("/v1/approvals/{id}:answer"), answer.clone())
        .await;
    assert_eq!(answered.json()["status"], "approved", "{answered:?}");
    let again = served
        .post(&format!("/v1/approvals/{id}:answer"), answer)
        .await;
    assert_eq!(again.reason(), (400, "APPROVAL_ANSWERED".into()));
}
