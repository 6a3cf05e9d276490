//! Stored workflows: their versions and states, and starts by name.

#![expect(
    clippy::disallowed_methods,
    reason = "no context in a test, and a store as time has left it"
)]

mod kept;
mod lists;
mod starts;
mod storing;
mod versions;

use std::time::Duration;

use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

async fn mesh() -> TestMesh {
    TestMesh::start(&[
        gearmesh_state::SERVICE,
        gearmesh_http::SERVICE,
        gearmesh_orchestrator::SERVICE,
    ])
    .await
}

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    match mesh.call(&format!("orchestrator.{rpc}"), params).await {
        Ok(answer) => answer,
        Err(status) => panic!("{rpc}: {status:?}"),
    }
}

async fn fault(mesh: &TestMesh, rpc: &str, params: Value) -> Failure {
    match mesh.call(&format!("orchestrator.{rpc}"), params).await {
        Ok(answer) => panic!("{rpc}: {answer:#}"),
        Err(status) => Failure::of(&status),
    }
}

async fn create(mesh: &TestMesh, source: &str) -> Value {
    call(mesh, "create_workflow", json!({"source": source})).await["workflow"].take()
}

async fn update(mesh: &TestMesh, name: &str, source: &str) -> Value {
    let params = json!({"workflow": name, "source": source});
    call(mesh, "update_workflow", params).await["workflow"].take()
}

/// Waits until a run has ended.
async fn ended(mesh: &TestMesh, run: &str) -> Value {
    for _ in 0..600 {
        let run = call(mesh, "get_run", json!({"runId": run})).await["run"].take();
        if run["endTime"].is_string() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{run} does not end");
}

async fn start(mesh: &TestMesh, params: Value) -> String {
    let answer = call(mesh, "start_run", params).await;
    answer["run"]["runId"].as_str().expect("an id").to_owned()
}

fn once(name: &str, x: u32) -> String {
    format!(
        "name: {name}\ntasks:\n  - {{id: a, set: {{x: {x}}}}}\noutputs: {{x: '${{a.result.x}}'}}\n"
    )
}

const FULL: &str = r#"
name: full
title: A Title
description: What it does
labels: {team: Finance}
inputs:
  to: {type: string, default: you@example.test}
  n: {type: integer, required: true}
  pin: {type: string, sensitive: true}
triggers:
  - {id: nightly, cron: "30 2 * * *", timezone: Europe/Chisinau, inputs: {n: 1}}
tasks:
  - {id: a, set: {x: "${inputs.n}"}}
  - {id: b, tool: state.put, params: {key: k, value: "${a.result.x}"}}
"#;
