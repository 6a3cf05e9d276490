//! Lists, and what is not there.

use std::time::Duration;

use gearmesh_link::Call;
use serde_json::{Value, json};

use crate::{FULL, call, create, fault, mesh, once};

#[tokio::test]
async fn list_is_by_name_by_state_by_text_and_page() {
    let mesh = mesh().await;
    for name in ["delta", "alpha", "carol", "bravo"] {
        create(&mesh, &once(name, 1)).await;
    }
    create(&mesh, FULL).await;
    call(&mesh, "disable_workflow", json!({"workflow": "bravo"})).await;
    call(&mesh, "delete_workflow", json!({"workflow": "delta"})).await;
    let names = async |params: Value| {
        let listed = call(&mesh, "list_workflows", params).await;
        let workflows = listed["workflows"].as_array().cloned().unwrap_or_default();
        let names = workflows
            .iter()
            .map(|w| w["name"].as_str().unwrap_or_default().to_owned());
        (names.collect::<Vec<_>>(), listed["nextPageToken"].clone())
    };
    let all = names(json!({})).await;
    assert_eq!(
        all,
        (
            vec![
                "alpha".into(),
                "bravo".into(),
                "carol".into(),
                "full".into()
            ],
            json!("")
        )
    );
    for (params, expected) in [
        (json!({"state": "enabled"}), vec!["alpha", "carol", "full"]),
        (json!({"state": "disabled"}), vec!["bravo"]),
        (json!({"state": "deleted"}), vec!["delta"]),
        (json!({"query": "a title"}), vec!["full"]),
        (json!({"query": "DOES"}), vec!["full"]),
        (json!({"query": "finance"}), vec!["full"]),
        (json!({"query": "arO"}), vec!["carol"]),
        (json!({"query": "nothing has this"}), vec![]),
    ] {
        assert_eq!(names(params.clone()).await.0, expected, "{params}");
    }
    let (first, token) = names(json!({"pageSize": 3})).await;
    assert_eq!(first.len(), 3);
    let (rest, token) = names(json!({"pageSize": 3, "pageToken": token})).await;
    assert_eq!((rest, token), (vec!["full".to_owned()], json!("")));
    let refused = fault(&mesh, "list_workflows", json!({"pageToken": "X!"})).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    let listed = call(&mesh, "list_workflows", json!({"query": "full"})).await;
    let shown = &listed["workflows"][0];
    assert_eq!((&shown["source"], &shown["tasks"]), (&json!(""), &json!(2)));
}

#[tokio::test]
async fn nothing_is_done_to_a_workflow_that_is_not_there() {
    let mesh = mesh().await;
    create(&mesh, &once("there", 1)).await;
    for rpc in [
        "get_workflow",
        "list_workflow_versions",
        "diff_workflow",
        "rollback_workflow",
        "enable_workflow",
        "disable_workflow",
        "delete_workflow",
        "restore_workflow",
    ] {
        let mut params = json!({"workflow": "theer"});
        if rpc == "rollback_workflow" {
            params["version"] = 1.into();
        }
        let refused = fault(&mesh, rpc, params).await;
        assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND", "{rpc}");
        assert!(refused.message.contains("`there`"), "{refused:?}");
    }
    let refused = fault(
        &mesh,
        "get_workflow",
        json!({"workflow": "there", "version": 2}),
    )
    .await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
}

#[tokio::test]
async fn runs_are_listed_by_who_and_when() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let by = async |who: &str| {
        let call = Call {
            principal: Some(who.to_owned()),
            ..Call::default()
        };
        let answer = mesh
            .call_as("orchestrator.start_run", json!({"workflow": "a"}), call)
            .await;
        let run = answer.expect("started")["run"].take();
        (run["runId"].clone(), run["startTime"].clone())
    };
    let (first, _) = by("user/ada").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (second, then) = by("user/bob").await;
    let (third, _) = by("user/ada").await;
    let list = async |params: Value| {
        let listed = call(&mesh, "list_runs", params).await;
        let runs = listed["runs"].as_array().cloned().unwrap_or_default();
        runs.into_iter()
            .map(|r| r["runId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        list(json!({"principal": "user/ada"})).await,
        [third.clone(), first.clone()]
    );
    assert_eq!(list(json!({"startTime": then})).await, [third, second]);
    assert_eq!(list(json!({"endTime": then})).await, [first]);
    assert_eq!(
        list(json!({"principal": "user/eve"})).await,
        [] as [Value; 0]
    );
}
