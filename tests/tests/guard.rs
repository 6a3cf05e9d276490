//! The layers around every engine, met from outside: what holds for one engine
//! holds for all.

use std::time::Duration;

use gearmesh_api::ledger::v1::FenceRequest;
use gearmesh_api::ledger::v1::FenceState;
use gearmesh_api::ledger::v1::ledger_service_client::LedgerServiceClient;
use gearmesh_api::state::v1::state_service_server::{StateService, StateServiceServer};
use gearmesh_api::state::v1::{
    DeleteRequest, DeleteResponse, GetRequest, GetResponse, ListRequest, ListResponse, PutRequest,
    PutResponse,
};
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_runtime::{Config, Service, start};
use gearmesh_testkit::TestMesh;
use serde_json::json;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

fn attempt(key: &str, attempt: u32) -> Call {
    Call {
        key: Some(key.to_owned()),
        run: Some("run_0000000000001".to_owned()),
        task: Some("a".to_owned()),
        pass: 1,
        epoch: 1,
        attempt,
        ..Call::default()
    }
}

async fn file_engine() -> TestMesh {
    TestMesh::start(&[gearmesh_file::SERVICE]).await
}

fn append(text: &str) -> serde_json::Value {
    json!({"path": "log.txt", "content": text, "mode": "append"})
}

async fn log(mesh: &TestMesh) -> String {
    let call = Call {
        run: Some("run_0000000000001".to_owned()),
        ..Call::default()
    };
    let read = mesh
        .call_as("file.read", json!({"path": "log.txt"}), call)
        .await;
    read.map_or_else(
        |_| String::new(),
        |r| r["content"].as_str().expect("text").to_owned(),
    )
}

async fn fence(mesh: &TestMesh, key: &str, attempt: u32) -> FenceState {
    let request = FenceRequest {
        engine: "file".to_owned(),
        tool: "file.write".to_owned(),
        key: key.to_owned(),
        epoch: 1,
        attempt,
    };
    let mut client = LedgerServiceClient::new(mesh.link("file"));
    client
        .fence(request)
        .await
        .expect("fenced")
        .into_inner()
        .state()
}

#[tokio::test]
async fn call_that_must_not_be_repeated_takes_effect_once_under_one_key() {
    let mesh = file_engine().await;
    let first = mesh
        .call_as("file.write", append("x"), attempt("k", 1))
        .await
        .expect("written");
    let again = mesh
        .call_as("file.write", append("x"), attempt("k", 2))
        .await
        .expect("the stored answer");
    assert_eq!(first, again);
    assert_eq!(log(&mesh).await, "x");
    let other = mesh
        .call_as("file.write", append("y"), attempt("k", 3))
        .await
        .expect_err("another request");
    assert_eq!(Failure::of(&other).reason, "KEY_REUSED");
    mesh.call_as("file.write", append("y"), attempt("k2", 1))
        .await
        .expect("another key");
    assert_eq!(log(&mesh).await, "xy");
}

#[tokio::test]
async fn fenced_key_lets_no_earlier_attempt_begin() {
    let mesh = file_engine().await;
    assert_eq!(fence(&mesh, "k", 1).await, FenceState::Absent);
    let late = mesh
        .call_as("file.write", append("x"), attempt("k", 1))
        .await
        .expect_err("shut out");
    assert_eq!(Failure::of(&late).reason, "STALE_EPOCH");
    assert_eq!(log(&mesh).await, "");
    mesh.call_as("file.write", append("x"), attempt("k", 2))
        .await
        .expect("a later attempt may");
    assert_eq!(fence(&mesh, "k", 2).await, FenceState::Done);
    assert_eq!(log(&mesh).await, "x");
}

#[tokio::test]
async fn call_that_fails_without_effect_may_be_sent_again() {
    let mesh = file_engine().await;
    let bad = json!({"path": "nowhere://x", "content": "x", "mode": "append"});
    let refused = mesh
        .call_as("file.write", bad.clone(), attempt("k", 1))
        .await
        .expect_err("no such root");
    assert_eq!(Failure::of(&refused).reason, "ROOT_DENIED");
    let again = mesh
        .call_as("file.write", bad, attempt("k", 2))
        .await
        .expect_err("asked again");
    assert_eq!(
        Failure::of(&again).reason,
        "ROOT_DENIED",
        "not OUTCOME_UNKNOWN"
    );
}

#[tokio::test]
async fn deadline_of_the_caller_ends_a_local_call() {
    let mesh = TestMesh::start(&[gearmesh_tests::SERVICE]).await;
    let call = Call {
        timeout: Some(Duration::from_millis(50)),
        ..Call::default()
    };
    let ended = mesh
        .call_as("fixture.sleep", json!({"time": "20s"}), call)
        .await
        .expect_err("too slow");
    assert_eq!(
        (ended.code(), Failure::of(&ended).reason.as_str()),
        (Code::DeadlineExceeded, "TIMEOUT")
    );
}

/// An engine whose every handler panics.
struct Panics;

#[tonic::async_trait]
impl StateService for Panics {
    async fn get(&self, _: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        panic!("the secret is 42")
    }
    async fn put(&self, _: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        panic!("the secret is 42")
    }
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        panic!("the secret is 42")
    }
    async fn delete(&self, _: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        panic!("the secret is 42")
    }
}

#[tokio::test]
async fn panic_is_an_error_of_its_call_alone_and_tells_nothing() {
    let service = Service {
        name: "state",
        descriptors: || gearmesh_api::DESCRIPTORS,
        start: |_| Box::pin(async { Ok(Routes::new(StateServiceServer::new(Panics))) }),
    };
    let mesh = TestMesh::start(&[service]).await;
    for _ in 0..2 {
        let status = mesh
            .call("state.get", json!({"key": "a"}))
            .await
            .expect_err("it panics");
        assert_eq!(
            (status.code(), Failure::of(&status).reason.as_str()),
            (Code::Internal, "INTERNAL_ERROR")
        );
        assert!(!format!("{status:?}").contains("42"), "{status:?}");
    }
}

#[tokio::test]
async fn address_that_others_reach_is_refused_while_there_is_no_login() {
    let folder = tempfile::tempdir().expect("a folder");
    for (key, value) in [
        ("listen", "0.0.0.0:0"),
        ("registry", "static:file=http://192.0.2.1:1"),
        ("engines.x.url", "http://mesh.example.test:1"),
    ] {
        let mut config = Config::new(folder.path());
        config.set(key, value);
        let error = start(&[gearmesh_state::SERVICE], config)
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.starts_with("INSECURE_CONFIG"), "{key}: {error}");
    }
}

#[tokio::test]
async fn store_of_a_running_service_is_not_opened_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = start(
        &[gearmesh_orchestrator::SERVICE],
        Config::new(folder.path()),
    )
    .await
    .expect("starts");
    let second = start(
        &[gearmesh_orchestrator::SERVICE],
        Config::new(folder.path()),
    )
    .await
    .expect_err("refused");
    let own = std::process::id().to_string();
    assert!(
        second.to_string().contains(&own),
        "names the holder: {second}"
    );
    first.stop().await;
    let third = start(
        &[gearmesh_orchestrator::SERVICE],
        Config::new(folder.path()),
    )
    .await
    .expect("free again");
    third.stop().await;
}
