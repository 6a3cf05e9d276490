//! People, time, events, other runs and places: what a run waits for.

use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{AnswerApprovalRequest, DecideTaskRequest};
use gearmesh_api::tool::v1::Json;
use gearmesh_fault::Failure;
use gearmesh_link::{Call, Link, names};
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::Request;

const SERVICES: [gearmesh_runtime::Service; 3] = [
    gearmesh_state::SERVICE,
    gearmesh_events::SERVICE,
    gearmesh_orchestrator::SERVICE,
];

async fn mesh() -> TestMesh {
    TestMesh::start(&SERVICES).await
}

fn client(mesh: &TestMesh) -> OrchestratorServiceClient<Link> {
    OrchestratorServiceClient::new(mesh.link("orchestrator"))
}

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    let answer = mesh.call(&format!("orchestrator.{rpc}"), params).await;
    answer.expect("it answers")
}

async fn start(mesh: &TestMesh, source: &str) -> String {
    let answer = call(mesh, "start_run", json!({"source": source})).await;
    answer["run"]["runId"].as_str().expect("an id").to_owned()
}

async fn run(mesh: &TestMesh, id: &str) -> Value {
    call(mesh, "get_run", json!({"runId": id})).await["run"].take()
}

/// Waits until a run is as wanted.
async fn until(mesh: &TestMesh, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let run = run(mesh, id).await;
        if wanted(&run) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#}", run(mesh, id).await);
}

async fn status(mesh: &TestMesh, id: &str, wanted: &str) -> Value {
    until(mesh, id, |run| run["status"] == wanted).await
}

const ASK: &str = "
name: ask
tasks:
  - id: decide
    approve: {message: 'Refund?', approvers: [user:ada, user:bob], quorum: 2, form: {note: {type: string}}}
  - {id: done, needs: [decide], set: {by: '${decide.result.by}', note: '${decide.result.form.note}'}}
outputs: {by: '${done.result.by}', note: '${done.result.note}'}
";

fn answer(id: &str, approved: bool, who: Option<&str>) -> Request<AnswerApprovalRequest> {
    let mut request = Request::new(AnswerApprovalRequest {
        approval_id: id.to_owned(),
        approved,
        note: String::new(),
        form: Some(Json {
            text: r#"{"note": "ok"}"#.into(),
        }),
    });
    if let Some(who) = who {
        let who = who.parse().expect("a principal");
        request.metadata_mut().insert(names::PRINCIPAL, who);
    }
    request
}

/// WF-3.47, WF-3.48: quorum, approvers, forms; never an agent.
#[tokio::test]
async fn people_answer_as_the_file_says() {
    let mesh = mesh().await;
    let id = start(&mesh, ASK).await;
    status(&mesh, &id, "waiting").await;
    let asked = call(&mesh, "list_approvals", json!({})).await;
    let question = &asked["approvals"][0];
    let approval = question["approvalId"].as_str().expect("an id").to_owned();
    assert_eq!(approval, format!("{id}.decide"));
    assert_eq!(question["message"], "Refund?");
    let mut client = client(&mesh);
    for (who, reason) in [
        ("agent/ada", "APPROVAL_NOT_YOURS"),
        ("token/eve", "APPROVAL_NOT_YOURS"),
    ] {
        let refused = client
            .answer_approval(answer(&approval, true, Some(who)))
            .await;
        let failure = Failure::of(&refused.expect_err("not theirs"));
        assert_eq!(failure.reason, reason, "{who}");
    }
    let first = client.answer_approval(answer(&approval, true, Some("token/ada")));
    let first = first.await.expect("ada may").into_inner();
    assert_eq!((first.status.as_str(), first.missing), ("waiting", 1));
    let again = client
        .answer_approval(answer(&approval, true, Some("token/ada")))
        .await;
    let failure = Failure::of(&again.expect_err("twice"));
    assert_eq!(failure.reason, "APPROVAL_ANSWERED");
    let second = client.answer_approval(answer(&approval, true, Some("token/bob")));
    assert_eq!(
        second.await.expect("bob may").into_inner().status,
        "approved"
    );
    let ended = status(&mesh, &id, "succeeded").await;
    assert_eq!(
        ended["outputs"],
        json!({"by": ["token/ada", "token/bob"], "note": "ok"})
    );
}

#[tokio::test]
async fn one_no_rejects() {
    let mesh = mesh().await;
    let id = start(&mesh, ASK).await;
    status(&mesh, &id, "waiting").await;
    let no = client(&mesh)
        .answer_approval(answer(&format!("{id}.decide"), false, Some("token/bob")))
        .await;
    assert_eq!(no.expect("bob may").into_inner().status, "rejected");
    let ended = status(&mesh, &id, "failed").await;
    assert_eq!(
        ended["tasks"]["decide"]["error"]["code"],
        "APPROVAL_REJECTED"
    );
    assert_eq!(ended["tasks"]["done"]["status"], "skipped");
}

#[tokio::test]
async fn event_that_fits_ends_the_wait() {
    let mesh = mesh().await;
    let source = "
name: listen
tasks:
  - {id: order, wait: {event: {topic: order.paid, where: 'event.payload.amount > 10'}}}
outputs: {amount: '${order.result.payload.amount}'}
";
    let id = start(&mesh, source).await;
    status(&mesh, &id, "waiting").await;
    for amount in [1, 99] {
        let event = json!({"topic": "order.paid", "payload": {"amount": amount}});
        mesh.call("events.publish", event).await.expect("published");
    }
    let ended = status(&mesh, &id, "succeeded").await;
    assert_eq!(ended["outputs"]["amount"], 99);
}

#[tokio::test]
async fn paused_run_starts_nothing_and_goes_on() {
    let mesh = mesh().await;
    let source = "
name: steps
tasks:
  - {id: first, wait: {for: 300ms}}
  - {id: second, needs: [first], tool: state.put, params: {key: k, value: 1}}
";
    let id = start(&mesh, source).await;
    let paused = call(&mesh, "pause_run", json!({"runId": id, "reason": "later"})).await;
    assert_eq!(paused["status"], "paused");
    let why = call(&mesh, "why_run", json!({"runId": id})).await;
    assert_eq!(why["reasons"][0]["waitsFor"], "pause", "{why}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        run(&mesh, &id).await["tasks"]["second"]["status"],
        "pending"
    );
    let resumed = call(&mesh, "resume_run", json!({"runId": id})).await;
    assert_ne!(resumed["status"], "paused", "{resumed}");
    status(&mesh, &id, "succeeded").await;
}

#[tokio::test]
async fn run_says_what_it_waits_for() {
    let mesh = mesh().await;
    let source = "
name: slow
tasks:
  - {id: pause, wait: {for: 1h}}
  - {id: after, needs: [pause], set: {x: 1}}
";
    let id = start(&mesh, source).await;
    status(&mesh, &id, "waiting").await;
    let why = call(&mesh, "why_run", json!({"runId": id})).await;
    let waits: Vec<_> = why["reasons"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|r| {
            (
                r["task"].as_str().expect("a task"),
                r["waitsFor"].as_str().expect("a kind"),
            )
        })
        .collect();
    assert_eq!(waits, [("pause", "time"), ("after", "need")]);
    assert!(why["reasons"][0]["until"].is_string(), "{why}");
    let cancelled = call(&mesh, "cancel_run", json!({"runId": id})).await;
    assert_eq!(cancelled["status"], "cancelling");
    status(&mesh, &id, "cancelled").await;
}

#[tokio::test]
async fn place_goes_to_the_next_in_order() {
    let mesh = mesh().await;
    let source = "
name: one-at-a-time
concurrency: {limit: 1, key: k}
tasks:
  - {id: hold, wait: {for: 400ms}}
";
    let first = start(&mesh, source).await;
    let second = start(&mesh, source).await;
    assert_eq!(run(&mesh, &second).await["status"], "queued");
    let why = call(&mesh, "why_run", json!({"runId": second})).await;
    assert_eq!(why["reasons"][0]["waitsFor"], "concurrencyKey", "{why}");
    assert!(
        why["reasons"][0]["text"]
            .as_str()
            .expect("text")
            .contains(&first),
        "{why}"
    );
    status(&mesh, &first, "succeeded").await;
    let ended = status(&mesh, &second, "succeeded").await;
    assert!(
        ended["timings"]["queued"].as_i64().expect("ms") > 0,
        "{ended}"
    );

    let skip = source.replace("key: k", "key: k, onConflict: skip");
    let first = start(&mesh, source).await;
    let skipped = start(&mesh, &skip).await;
    let skipped = run(&mesh, &skipped).await;
    assert_eq!(skipped["status"], "cancelled");
    assert_eq!(skipped["error"]["code"], "CONCURRENCY_SKIPPED");

    let cancel = source.replace("key: k", "key: k, onConflict: cancelRunning");
    let last = start(&mesh, &cancel).await;
    status(&mesh, &first, "cancelled").await;
    status(&mesh, &last, "succeeded").await;
}

#[tokio::test]
async fn retried_run_reuses_what_had_succeeded() {
    // WF-6.6
    let mesh = mesh().await;
    let source = "
name: again
tasks:
  - {id: a, tool: state.put, params: {key: a, value: 1}}
  - {id: b, needs: [a], tool: state.get, params: {key: missing}}
  - {id: c, needs: [b], set: {x: '${a.result.key}'}}
outputs: {x: '${c.result.x}'}
";
    let id = start(&mesh, source).await;
    status(&mesh, &id, "failed").await;
    let preview = call(&mesh, "retry_run", json!({"runId": id, "preview": true})).await;
    assert_eq!(preview["reused"], json!(["a"]), "{preview}");
    let again: Vec<_> = preview["again"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|t| t["task"].as_str().expect("a task"))
        .collect();
    assert_eq!(again, ["b", "c"]);
    assert!(preview["run"].is_null(), "nothing was started: {preview}");
    mesh.call("state.put", json!({"key": "missing", "value": 2}))
        .await
        .expect("stored");
    let retried = call(&mesh, "retry_run", json!({"runId": id})).await;
    let new = retried["run"]["runId"].as_str().expect("an id").to_owned();
    let ended = status(&mesh, &new, "succeeded").await;
    assert_eq!(ended["reuses"], id);
    assert_eq!(ended["tasks"]["a"]["reused"], true);
    assert_eq!(ended["outputs"]["x"], "a");
}

/// A person decides only where an outcome is unknown: not of a task that waits for a time,
/// and not of one that is not there.
#[tokio::test]
async fn decision_needs_an_open_doubt() {
    let mesh = mesh().await;
    let id = start(&mesh, "name: d\ntasks:\n  - {id: a, wait: {for: 1h}}\n").await;
    for (task, reason) in [("a", "DECISION_NOT_OPEN"), ("x", "TASK_NOT_FOUND")] {
        let request = DecideTaskRequest {
            run_id: id.clone(),
            task: task.to_owned(),
            decision: "fail".to_owned(),
            ..DecideTaskRequest::default()
        };
        let refused = client(&mesh)
            .decide_task(request)
            .await
            .expect_err("no doubt");
        assert_eq!(Failure::of(&refused).reason, reason);
    }
}

#[tokio::test]
async fn saved_result_is_an_artifact() {
    // WF-3.50
    let mesh = mesh().await;
    let source = "
name: keep
tasks:
  - {id: a, set: {x: [1, 2]}, save: 'hits-${a.result.x[0]}.json'}
";
    let id = start(&mesh, source).await;
    status(&mesh, &id, "succeeded").await;
    let listed = call(&mesh, "list_artifacts", json!({"runId": id})).await;
    let artifact = &listed["artifacts"][0];
    assert_eq!(artifact["name"], "hits-1.json", "{listed}");
    let request = gearmesh_api::orchestrator::v1::GetArtifactRequest {
        run_id: id.clone(),
        name: "hits-1.json".into(),
        after: String::new(),
    };
    let mut stream = client(&mesh)
        .get_artifact(request)
        .await
        .expect("found")
        .into_inner();
    let piece = stream.message().await.expect("a piece").expect("one");
    let content: Value = serde_json::from_slice(&piece.data).expect("JSON");
    assert_eq!(content, json!({"x": [1, 2]}));
    assert_eq!(piece.cursor, piece.data.len().to_string());
    assert_eq!(piece.mime, "application/json");
    let missing = gearmesh_api::orchestrator::v1::GetArtifactRequest {
        run_id: id,
        name: "no".into(),
        after: String::new(),
    };
    let refused = client(&mesh).get_artifact(missing).await.expect_err("none");
    assert_eq!(Failure::of(&refused).reason, "ARTIFACT_NOT_FOUND");
}

/// WF-1.6: 10,000 items are worked off, more are refused before any begins.
#[tokio::test]
async fn ten_thousand_items_run_and_more_do_not_begin() {
    let mesh = mesh().await;
    let source = |count: u32| {
        format!(
            "name: many\ntasks:\n  - {{id: a, each: '${{range(`0`, `{count}`)}}', set: {{n: '${{item}}'}}}}\noutputs: {{count: '${{length(a.result)}}'}}\n"
        )
    };
    let id = start(&mesh, &source(10_000)).await;
    let ended = status(&mesh, &id, "succeeded").await;
    assert_eq!(ended["outputs"]["count"], 10_000);
    assert_eq!(ended["tasks"]["a"]["items"]["succeeded"], 10_000);
    for count in [10_001, 100_000] {
        let id = start(&mesh, &source(count)).await;
        let ended = status(&mesh, &id, "failed").await;
        assert_eq!(ended["tasks"]["a"]["error"]["code"], "EACH_INVALID");
    }
}

/// What a caller may not see by a single call, its run does not see either.
#[tokio::test]
async fn wait_for_an_event_needs_its_scope() {
    let mesh = mesh().await;
    let source = "name: spy\ntasks:\n  - {id: a, wait: {event: {topic: '**'}}}\n";
    let call_as = |scopes: &str| Call {
        principal: Some("token/eve".to_owned()),
        scopes: Some(scopes.to_owned()),
        ..Call::default()
    };
    let params = json!({"source": source});
    let started = mesh.call_as(
        "orchestrator.start_run",
        params.clone(),
        call_as("orchestrator:* state:*"),
    );
    let id = started.await.expect("started")["run"]["runId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let ended = status(&mesh, &id, "failed").await;
    assert_eq!(
        ended["tasks"]["a"]["error"]["code"], "PERMISSION_DENIED",
        "{ended}"
    );
    let started = mesh.call_as(
        "orchestrator.start_run",
        params,
        call_as("orchestrator:* events:read"),
    );
    let id = started.await.expect("started")["run"]["runId"]
        .as_str()
        .expect("an id")
        .to_owned();
    status(&mesh, &id, "waiting").await;
}

#[tokio::test]
async fn results_of_another_workflow_are_not_reused() {
    let mesh = mesh().await;
    let first = start(&mesh, "name: one\ntasks:\n  - {id: a, set: {x: 1}}\n").await;
    status(&mesh, &first, "succeeded").await;
    let thief =
        "name: two\ntasks:\n  - {id: a, set: {x: 2}}\n  - {id: b, set: {y: '${a.result.x}'}}\n";
    let part = json!({"source": thief, "part": {"runId": first, "from": "b"}});
    let refused = mesh
        .call("orchestrator.start_run", part)
        .await
        .expect_err("another workflow");
    assert_eq!(Failure::of(&refused).reason, "INVALID_PARAMETERS");
}

/// A mock run calls nothing, and neither does its retry.
#[tokio::test]
async fn retry_of_a_mock_run_calls_nothing() {
    let mesh = mesh().await;
    let source = "
name: mocked
inputs: {x: {}}
tasks:
  - {id: a, tool: state.put, params: {key: mocked, value: 1}}
  - {id: b, needs: [a], set: {x: '${inputs.x.y}'}}
";
    let started = call(&mesh, "start_run", json!({"source": source, "mock": true})).await;
    let id = started["run"]["runId"].as_str().expect("an id").to_owned();
    status(&mesh, &id, "failed").await;
    let retried = call(&mesh, "retry_run", json!({"runId": id, "fromTask": "a"})).await;
    let again = retried["run"]["runId"].as_str().expect("an id").to_owned();
    status(&mesh, &again, "failed").await;
    let stored = mesh.call("state.get", json!({"key": "mocked"})).await;
    assert!(
        stored.is_err() || stored.expect("read")["value"].is_null(),
        "nothing was stored"
    );
}

/// The run of a sub-workflow ends with the one above it.
#[tokio::test]
async fn cancel_reaches_the_sub_workflow() {
    let mesh = mesh().await;
    let inner = "name: inner\ntasks:\n  - {id: hold, wait: {for: 1h}}\n";
    call(&mesh, "create_workflow", json!({"source": inner})).await;
    let outer = start(
        &mesh,
        "name: outer\ntasks:\n  - {id: child, workflow: inner}\n",
    )
    .await;
    status(&mesh, &outer, "waiting").await;
    let mut child = Value::Null;
    for _ in 0..200 {
        let listed = call(&mesh, "list_runs", json!({"parent": outer})).await;
        child = listed["runs"][0]["runId"].clone();
        if child.is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let child = child.as_str().expect("a child").to_owned();
    status(&mesh, &child, "waiting").await;
    call(&mesh, "cancel_run", json!({"runId": outer})).await;
    status(&mesh, &outer, "cancelled").await;
    assert_eq!(run(&mesh, &child).await["status"], "cancelled");
}

/// An honest repeat is answered as the first time, also when the workflow may not be
/// started any more.
#[tokio::test]
async fn repeat_is_answered_after_the_workflow_was_disabled() {
    let mesh = mesh().await;
    let source = "name: once\ntasks:\n  - {id: a, set: {x: 1}}\n";
    call(&mesh, "create_workflow", json!({"source": source})).await;
    let keyed = || Call {
        key: Some("order-1".to_owned()),
        ..Call::default()
    };
    let params = json!({"workflow": "once"});
    let first = mesh
        .call_as("orchestrator.start_run", params.clone(), keyed())
        .await;
    let first = first.expect("started")["run"]["runId"].clone();
    call(&mesh, "disable_workflow", json!({"workflow": "once"})).await;
    let again = mesh
        .call_as("orchestrator.start_run", params.clone(), keyed())
        .await;
    assert_eq!(again.expect("the first run")["run"]["runId"], first);
    let other = mesh
        .call("orchestrator.start_run", params)
        .await
        .expect_err("disabled");
    assert_eq!(Failure::of(&other).reason, "WORKFLOW_DISABLED");
}
