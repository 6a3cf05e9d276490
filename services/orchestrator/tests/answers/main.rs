//! What the orchestrator answers about runs and files, and what people answer it.

mod artifacts;
mod doubts;
mod parts;
mod people;
mod retries;
mod secrets;

use std::time::Duration;

use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_runtime::Service;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

/// With a vault: what is sensitive in a run lies there.
const SERVICES: [Service; 3] = [
    gearmesh_state::SERVICE,
    gearmesh_vault::SERVICE,
    gearmesh_orchestrator::SERVICE,
];

async fn mesh() -> TestMesh {
    TestMesh::start(&SERVICES).await
}

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    call_as(mesh, rpc, params, Call::default()).await
}

async fn call_as(mesh: &TestMesh, rpc: &str, params: Value, call: Call) -> Value {
    let tool = format!("orchestrator.{rpc}");
    match mesh.call_as(&tool, params, call).await {
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

/// Starts a run and answers its id.
async fn start(mesh: &TestMesh, params: Value) -> String {
    let answer = call(mesh, "start_run", params).await;
    answer["run"]["runId"].as_str().expect("an id").to_owned()
}

/// Asks until the answer is as wanted.
async fn until(
    mesh: &TestMesh,
    rpc: &str,
    params: Value,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..1_200 {
        let answer = call(mesh, rpc, params.clone()).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{rpc}: {:#}", call(mesh, rpc, params).await);
}

/// The run once it has this status.
async fn status(mesh: &TestMesh, run: &str, wanted: &str) -> Value {
    let params = json!({"runId": run});
    let found = until(mesh, "get_run", params, |a| a["run"]["status"] == wanted);
    found.await["run"].take()
}

/// Starts a run and waits until it has ended so.
async fn ended(mesh: &TestMesh, params: Value, wanted: &str) -> String {
    let run = start(mesh, params).await;
    status(mesh, &run, wanted).await;
    run
}
