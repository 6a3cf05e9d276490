//! People who answer, and runs that wait for them.

use gearmesh_api::orchestrator::v1::AnswerApprovalRequest;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_fault::Failure;
use gearmesh_link::{Call, names};
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::Request;

use crate::{call, call_as, mesh, start, status, until};

/// The answer to a question, or the reason for which it does not count.
async fn approve(mesh: &TestMesh, id: &str, who: &str) -> Result<String, String> {
    let mut request = Request::new(AnswerApprovalRequest {
        approval_id: id.to_owned(),
        approved: true,
        ..AnswerApprovalRequest::default()
    });
    let who = who.parse().expect("a principal");
    request.metadata_mut().insert(names::PRINCIPAL, who);
    let mut client = OrchestratorServiceClient::new(mesh.link("orchestrator"));
    match client.answer_approval(request).await {
        Ok(answer) => Ok(answer.into_inner().status),
        Err(status) => Err(Failure::of(&status).reason),
    }
}

#[tokio::test]
async fn starter_approves_nothing_of_the_own_run() {
    // WF-3.47
    let mesh = mesh().await;
    let refused = || Err("APPROVAL_NOT_YOURS".to_owned());
    // Named among the approvers, and where everybody may answer.
    for approvers in ["[user:ada, user:bob]", "[user:bob, role:ada]"] {
        let source = format!(
            "name: ask\ntasks:\n  - {{id: decide, approve: {{message: Go, approvers: {approvers}}}}}\n"
        );
        let by = Call {
            principal: Some("token/ada".to_owned()),
            ..Call::default()
        };
        let started = call_as(&mesh, "start_run", json!({"source": source}), by).await;
        let run = started["run"]["runId"].as_str().expect("an id");
        status(&mesh, run, "waiting").await;
        let id = format!("{run}.decide");
        for who in ["token/ada", "cert/ada", "agent/bob"] {
            assert_eq!(approve(&mesh, &id, who).await, refused(), "{who}");
        }
        assert_eq!(
            approve(&mesh, &id, "token/bob").await,
            Ok("approved".into())
        );
        let ended = status(&mesh, run, "succeeded").await;
        assert_eq!(ended["actor"], "token/ada");
        assert_eq!(
            ended["tasks"]["decide"]["result"]["by"],
            json!(["token/bob"])
        );
    }
}

#[tokio::test]
async fn paused_run_says_that_its_tasks_wait_for_it() {
    let mesh = mesh().await;
    let source = "
name: steps
maxConcurrent: 1
tasks:
  - {id: later, wait: {for: 1h}}
  - {id: again, tool: state.get, params: {key: none}, retry: {attempts: 2, delay: 1h, errors: [STATE_NOT_FOUND]}}
  - {id: after, needs: [again], runIf: allDone, set: {x: 1}}
  - {id: items, each: '${range(`0`, `5000`)}', tool: state.put, params: {key: 'k${item}', value: 1}}
";
    let run = start(&mesh, json!({"source": source})).await;
    let why = |task: &str| json!({"runId": run, "task": task});
    let of = |answer: &Value, task: &str| {
        let reasons = answer["reasons"].as_array().cloned().unwrap_or_default();
        let own = reasons.into_iter().filter(|reason| reason["task"] == task);
        own.collect::<Vec<_>>()
    };
    let backed = |a: &Value| of(a, "again").iter().any(|r| r["until"].is_string());
    until(&mesh, "why_run", why("again"), backed).await;
    call(&mesh, "pause_run", json!({"runId": run, "reason": "lunch"})).await;
    // The one call under way ends; the items that are ready wait for nothing but the pause.
    let held = |a: &Value| {
        let reasons = of(a, "items");
        !reasons.is_empty() && reasons.iter().all(|r| r["waitsFor"] == "pause")
    };
    let answer = until(&mesh, "why_run", why("items"), held).await;
    assert_eq!(answer["reasons"][0]["text"], "the run is paused: lunch");
    assert_eq!(
        answer["reasons"][1]["text"],
        "it begins when the run is resumed"
    );
    for (task, kind) in [("again", "backOff"), ("later", "time"), ("after", "need")] {
        let answer = call(&mesh, "why_run", why(task)).await;
        let reasons = of(&answer, task);
        assert_eq!(reasons[0]["waitsFor"], kind, "{answer}");
        // The time may come, and nothing happens.
        assert!(reasons[0]["until"].is_null(), "{answer}");
    }
    call(&mesh, "cancel_run", json!({"runId": run})).await;
    status(&mesh, &run, "cancelled").await;
}
