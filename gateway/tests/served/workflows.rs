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
