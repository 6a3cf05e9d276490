//! Runs through the generated client: a real journal, real engines, one process.

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{
    CancelRunRequest, ExecuteRequest, GetRunRequest, ListRunsRequest, StartRunRequest,
    WatchRunRequest, WatchRunResponse,
};
use gearmesh_api::tool::v1::Json;
use gearmesh_link::{Call, Link};
use gearmesh_runtime::{Config, start};
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::Request;

async fn mesh() -> (TestMesh, OrchestratorServiceClient<Link>) {
    let mesh = TestMesh::start(&[gearmesh_state::SERVICE, gearmesh_orchestrator::SERVICE]).await;
    let client = OrchestratorServiceClient::new(mesh.link("orchestrator"));
    (mesh, client)
}

fn source(text: &str) -> StartRunRequest {
    StartRunRequest {
        source: text.into(),
        file_name: "t.workflow.yaml".into(),
        ..StartRunRequest::default()
    }
}

fn value(json: Option<&Json>) -> Value {
    json.map_or(Value::Null, |j| {
        serde_json::from_slice(&j.text).expect("JSON")
    })
}

async fn watch(
    client: &mut OrchestratorServiceClient<Link>,
    run: &str,
    after: &str,
) -> Vec<WatchRunResponse> {
    let request = WatchRunRequest {
        run_id: run.into(),
        after: after.into(),
    };
    let mut stream = client
        .watch_run(request)
        .await
        .expect("watched")
        .into_inner();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.expect("an event") {
        events.push(event);
    }
    events
}

const CHAIN: &str = r#"
name: chain
inputs: {n: {type: integer, default: 3}}
tasks:
  - {id: one, tool: state.put, params: {key: a, value: {n: "${inputs.n}"}}}
  - {id: two, tool: state.get, params: {key: "${one.result.key}"}}
  - {id: three, set: {n: "${two.result.value.n}"}}
outputs: {n: "${three.result.n}"}
"#;

#[tokio::test]
async fn run_goes_from_start_to_outputs() {
    let (_mesh, mut client) = mesh().await;
    let run = client
        .start_run(source(CHAIN))
        .await
        .expect("started")
        .into_inner()
        .run
        .expect("a run");
    assert_eq!(
        (run.workflow.as_str(), run.status.as_str()),
        ("chain", "running")
    );
    let events = watch(&mut client, &run.run_id, "").await;
    let last = events
        .last()
        .expect("events")
        .run
        .clone()
        .expect("the end carries the run");
    assert_eq!(last.status, "succeeded");
    assert_eq!(value(last.outputs.as_ref()), json!({"n": 3}));
    assert_eq!(
        value(last.dag.as_ref())["levels"],
        json!([["one"], ["two"], ["three"]])
    );
    let seen: Vec<_> = events
        .iter()
        .map(|e| format!("{} {}", e.task, e.status))
        .collect();
    assert_eq!(
        seen,
        [
            " running",
            "one running",
            "one succeeded",
            "two running",
            "two succeeded",
            "three succeeded",
            " succeeded"
        ]
    );
    let found = client
        .get_run(GetRunRequest {
            run_id: run.run_id.clone(),
        })
        .await
        .expect("found")
        .into_inner()
        .run
        .expect("a run");
    assert_eq!(found, last);
    // From a cursor only what came behind it, to the same end.
    let behind = watch(&mut client, &run.run_id, &events[2].cursor).await;
    assert_eq!(behind, events[3..]);
}

#[tokio::test]
async fn broken_workflow_starts_nothing_and_names_every_fault() {
    let (_mesh, mut client) = mesh().await;
    let text =
        "name: x\ntasks:\n  - {id: a, tool: no.such}\n  - {id: b, set: {x: 1}, needs: [c]}\n";
    let status = client.start_run(source(text)).await.expect_err("refused");
    let failure = gearmesh_fault::Failure::of(&status);
    assert_eq!(failure.reason, "WORKFLOW_INVALID");
    assert_eq!(failure.violations.len(), 2, "{failure:?}");
    let runs = client
        .list_runs(ListRunsRequest::default())
        .await
        .expect("listed")
        .into_inner();
    assert!(runs.runs.is_empty());
}

#[tokio::test]
async fn repeat_with_one_key_is_one_run() {
    let (_mesh, mut client) = mesh().await;
    let keyed = |text: &str| {
        let mut request = Request::new(source(text));
        let call = Call {
            key: Some("k".into()),
            ..Call::default()
        };
        call.write(request.metadata_mut()).expect("a key");
        request
    };
    let id = |r: tonic::Response<gearmesh_api::orchestrator::v1::StartRunResponse>| {
        r.into_inner().run.expect("a run").run_id
    };
    let first = id(client.start_run(keyed(CHAIN)).await.expect("started"));
    let again = id(client.start_run(keyed(CHAIN)).await.expect("found"));
    assert_eq!(first, again);
    let status = client
        .start_run(keyed(&CHAIN.replace("chain", "other")))
        .await
        .expect_err("refused");
    assert_eq!(gearmesh_fault::Failure::of(&status).reason, "KEY_REUSED");
}

#[tokio::test]
async fn run_that_was_open_goes_on_in_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = [gearmesh_state::SERVICE, gearmesh_orchestrator::SERVICE];
    let text = "
name: waits
tasks:
  - {id: done, tool: state.put, params: {key: count, value: 1, version: 0}}
  - {id: missing, needs: [done], tool: state.get, params: {key: later}, retry: {attempts: 100, delay: 50ms, backoff: constant, errors: [STATE_NOT_FOUND]}}
";
    let running = start(&services, Config::new(folder.path()))
        .await
        .expect("starts");
    let mut client =
        OrchestratorServiceClient::new(running.mesh().link("orchestrator").expect("a link"));
    let run = client
        .start_run(source(text))
        .await
        .expect("started")
        .into_inner()
        .run
        .expect("a run")
        .run_id;
    let mut stream = client
        .watch_run(WatchRunRequest {
            run_id: run.clone(),
            after: String::new(),
        })
        .await
        .expect("watched")
        .into_inner();
    while let Some(event) = stream.message().await.expect("an event") {
        if event.status == "retrying" {
            break;
        }
    }
    drop(stream);
    running.stop().await;

    let running = start(&services, Config::new(folder.path()))
        .await
        .expect("starts again");
    let mut client =
        OrchestratorServiceClient::new(running.mesh().link("orchestrator").expect("a link"));
    let mut state = gearmesh_api::state::v1::state_service_client::StateServiceClient::new(
        running.mesh().link("state").expect("a link"),
    );
    state
        .put(gearmesh_api::state::v1::PutRequest {
            key: "later".into(),
            value: Some(Json { text: "1".into() }),
            ..Default::default()
        })
        .await
        .expect("stored");
    let events = watch(&mut client, &run, "").await;
    let last = events.last().expect("events").run.clone().expect("a run");
    assert_eq!(last.status, "succeeded", "{last:?}");
    assert_eq!(last.tasks["done"].attempts, 1);
    running.stop().await;
}

#[tokio::test]
async fn cancelled_run_ends_cancelled() {
    let (_mesh, mut client) = mesh().await;
    let text = "
name: waits
tasks:
  - {id: missing, tool: state.get, params: {key: later}, retry: {attempts: 100, delay: 10s, errors: [STATE_NOT_FOUND]}}
  - {id: after, needs: [missing], set: {x: 1}}
";
    let run = client
        .start_run(source(text))
        .await
        .expect("started")
        .into_inner()
        .run
        .expect("a run")
        .run_id;
    let answer = client
        .cancel_run(CancelRunRequest {
            run_id: run.clone(),
            force: false,
        })
        .await
        .expect("cancelled")
        .into_inner();
    assert_eq!(answer.status, "cancelling");
    let events = watch(&mut client, &run, "").await;
    let last = events.last().expect("events").run.clone().expect("a run");
    assert_eq!(last.status, "cancelled");
    assert_eq!(last.tasks["after"].status, "cancelled");
    let again = client
        .cancel_run(CancelRunRequest {
            run_id: run,
            force: false,
        })
        .await
        .expect("no fault")
        .into_inner();
    assert_eq!(again.status, "cancelled");
}

#[tokio::test]
async fn oktyv_request_is_answered_in_its_own_words() {
    // WF-10.9
    let (_mesh, mut client) = mesh().await;
    let json = |v: Value| Json {
        text: v.to_string().into(),
    };
    let request = ExecuteRequest {
        tasks: vec![
            json(json!({"id": "put-1", "tool": "state_put", "params": {"key": "a", "value": 1}})),
            json(json!({"id": "bad", "tool": "state_get", "params": {"key": "none"}})),
            json(
                json!({"id": "child", "tool": "state_get", "params": {"key": "${put-1.result.key}"}, "dependsOn": ["bad"]}),
            ),
        ],
        ..ExecuteRequest::default()
    };
    let answer = client
        .execute(request)
        .await
        .expect("answered")
        .into_inner();
    assert_eq!(answer.status.as_deref(), Some("partial"));
    assert!(
        answer.execution_id.is_some_and(|id| id.starts_with("run_")) && answer.run_id.is_none()
    );
    let status = |id: &str| answer.tasks[id].status.clone();
    assert_eq!(
        [status("put-1"), status("bad"), status("child")],
        ["success", "failed", "skipped"]
    );
    assert_eq!(
        answer.tasks["bad"].error.as_ref().expect("why").code,
        "STATE_NOT_FOUND"
    );
    let summary = answer.summary.expect("counts");
    assert_eq!(
        (
            summary.total,
            summary.succeeded,
            summary.failed,
            summary.skipped
        ),
        (3, 1, 1, 1)
    );

    let cycle = ExecuteRequest {
        tasks: vec![
            json(
                json!({"id": "A", "tool": "state_get", "params": {"key": "a"}, "dependsOn": ["B"]}),
            ),
            json(
                json!({"id": "B", "tool": "state_get", "params": {"key": "a"}, "dependsOn": ["A"]}),
            ),
        ],
        ..ExecuteRequest::default()
    };
    let refused = client.execute(cycle).await.expect("answered").into_inner();
    let error = refused.error.expect("why");
    assert_eq!(refused.success, Some(false));
    assert_eq!(error.code, "CIRCULAR_DEPENDENCY");
    assert_eq!(error.message, "Circular dependency detected: A -> B -> A");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_started_right_after_the_start_has_one_driver() {
    for _ in 0..20 {
        let (mesh, mut client) = mesh().await;
        let mut runs = Vec::new();
        for _ in 0..5 {
            let run = client
                .start_run(source(CHAIN))
                .await
                .expect("started")
                .into_inner()
                .run;
            runs.push(run.expect("a run").run_id);
        }
        for run in runs {
            let events = watch(&mut client, &run, "").await;
            let ends = events
                .iter()
                .filter(|e| e.kind == "run" && e.run.is_some())
                .count();
            assert_eq!(ends, 2, "one beginning, one end");
            let last = events.last().and_then(|e| e.run.clone()).expect("an end");
            assert_eq!(last.status, "succeeded");
        }
        mesh.stop().await;
    }
}

#[tokio::test]
async fn run_does_no_more_than_its_starter_may() {
    let (_mesh, mut client) = mesh().await;
    for (scopes, reason) in [
        (
            Some("orchestrator:write state:read"),
            Some("PERMISSION_DENIED"),
        ),
        (Some("orchestrator:write state:write"), None),
        (Some(""), Some("PERMISSION_DENIED")),
        (None, None),
    ] {
        let call = Call {
            principal: Some("token/reports".into()),
            scopes: scopes.map(str::to_owned),
            ..Call::default()
        };
        let mut request = Request::new(source(CHAIN));
        call.write(request.metadata_mut()).expect("metadata");
        let started = client.start_run(request).await.expect("accepted");
        let run = started.into_inner().run.unwrap_or_default().run_id;
        let events = watch(&mut client, &run, "").await;
        let shown = format!("{events:?}");
        assert_eq!(
            reason.is_some_and(|r| shown.contains(r)),
            reason.is_some(),
            "{scopes:?}: {shown}"
        );
        assert_eq!(
            shown.contains("\"failed\""),
            reason.is_some(),
            "{scopes:?}: {shown}"
        );
    }
}
