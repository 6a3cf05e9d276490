//! Starts by name.

use std::time::Duration;

use serde_json::json;

use crate::{call, create, ended, fault, mesh, once, start, update};

#[tokio::test]
async fn workflow_is_started_by_name_and_version() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    update(&mesh, "a", &once("a", 2)).await;
    for (params, version, x) in [
        (json!({"workflow": "a"}), 2, 2),
        (json!({"workflow": "a", "version": 1}), 1, 1),
    ] {
        let run = start(&mesh, params).await;
        let run = ended(&mesh, &run).await;
        assert_eq!(run["status"], "succeeded", "{run:#}");
        assert_eq!(
            (&run["version"], &run["outputs"]),
            (&json!(version), &json!({"x": x}))
        );
    }
    let refused = fault(&mesh, "start_run", json!({"workflow": "a", "version": 3})).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    create(&mesh, &once("nightly-export", 1)).await;
    let refused = fault(&mesh, "start_run", json!({"workflow": "nigthly-export"})).await;
    assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND");
    assert!(
        refused.message.contains("did you mean `nightly-export`?"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn workflow_is_started_only_while_it_is_enabled() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let of = json!({"workflow": "a"});
    let state = async |rpc: &str| call(&mesh, rpc, of.clone()).await["workflow"]["state"].take();
    // Twice each: the second time nothing is to do.
    for _ in 0..2 {
        assert_eq!(state("disable_workflow").await, "disabled");
    }
    let refused = fault(&mesh, "start_run", of.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    assert!(refused.message.contains("enable it first"), "{refused:?}");
    for _ in 0..2 {
        assert_eq!(state("enable_workflow").await, "enabled");
    }
    let run = start(&mesh, of.clone()).await;
    for deleted in [true, false] {
        let answer = call(&mesh, "delete_workflow", of.clone()).await;
        assert_eq!(answer["deleted"], deleted);
    }
    for rpc in ["start_run", "enable_workflow", "disable_workflow"] {
        let refused = fault(&mesh, rpc, of.clone()).await;
        assert_eq!(refused.reason, "WORKFLOW_DISABLED", "{rpc}");
        assert!(refused.message.contains("restore it first"), "{refused:?}");
    }
    let change = json!({"workflow": "a", "source": once("a", 2)});
    let refused = fault(&mesh, "update_workflow", change).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    let refused = fault(
        &mesh,
        "rollback_workflow",
        json!({"workflow": "a", "version": 1}),
    )
    .await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    // Its runs and versions stay.
    assert_eq!(ended(&mesh, &run).await["status"], "succeeded");
    assert_eq!(state("get_workflow").await, "deleted");
    for _ in 0..2 {
        assert_eq!(state("restore_workflow").await, "disabled");
    }
    assert_eq!(state("enable_workflow").await, "enabled");
    let again = start(&mesh, of).await;
    assert_eq!(ended(&mesh, &again).await["status"], "succeeded");
}

#[tokio::test]
async fn sub_workflow_is_the_version_of_the_start() {
    // WF-1.16
    let mesh = mesh().await;
    create(&mesh, &once("inner", 1)).await;
    let outer = "
name: outer
tasks:
  - {id: ready, tool: state.get, params: {key: go}, retry: {attempts: 100, delay: 20ms, backoff: constant, errors: [STATE_NOT_FOUND]}}
  - {id: child, needs: [ready], workflow: inner}
outputs: {x: '${child.result.x}'}
";
    create(&mesh, outer).await;
    let run = start(&mesh, json!({"workflow": "outer"})).await;
    update(&mesh, "inner", &once("inner", 2)).await;
    // Runs under way go on, though nothing new is started.
    call(&mesh, "disable_workflow", json!({"workflow": "inner"})).await;
    let refused = fault(&mesh, "start_run", json!({"workflow": "outer"})).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    let go = mesh
        .call("state.put", json!({"key": "go", "value": 1}))
        .await;
    go.expect("stored");
    let shown = ended(&mesh, &run).await;
    assert_eq!(shown["status"], "succeeded", "{shown:#}");
    assert_eq!(shown["outputs"], json!({"x": 1}));
    let children = call(&mesh, "list_runs", json!({"parent": run})).await;
    let children = children["runs"].as_array().cloned().unwrap_or_default();
    assert_eq!(children.len(), 1, "{children:?}");
    assert_eq!(children[0]["workflow"], "inner");
    assert_eq!(children[0]["version"], 1);
    call(&mesh, "enable_workflow", json!({"workflow": "inner"})).await;
    let again = start(&mesh, json!({"workflow": "outer"})).await;
    assert_eq!(ended(&mesh, &again).await["outputs"], json!({"x": 2}));
}

#[tokio::test]
async fn dedupe_key_answers_the_first_run_in_its_window() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    create(&mesh, &once("b", 1)).await;
    let keyed = |workflow: &str, window: &str| json!({"workflow": workflow, "dedupeKey": "k", "dedupeWindow": window});
    let first = start(&mesh, keyed("a", "1h")).await;
    update(&mesh, "a", &once("a", 2)).await;
    // Whatever it says.
    assert_eq!(start(&mesh, keyed("a", "1h")).await, first);
    assert_ne!(start(&mesh, keyed("b", "1h")).await, first);
    assert_ne!(start(&mesh, json!({"workflow": "a"})).await, first);
    let other = json!({"workflow": "a", "dedupeKey": "l", "dedupeWindow": "1ms"});
    let short = start(&mesh, other.clone()).await;
    ended(&mesh, &short).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_ne!(start(&mesh, other).await, short);
    let alone = json!({"workflow": "a", "dedupeWindow": "1h"});
    assert_eq!(
        fault(&mesh, "start_run", alone).await.reason,
        "INVALID_PARAMETERS"
    );
}
