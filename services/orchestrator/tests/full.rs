//! A store that is full: runs wait for space, are seen meanwhile, and go on.

use std::sync::OnceLock;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::AnswerApprovalRequest;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_runtime::{BoxFuture, Context, Service};
use gearmesh_store::{Store, sqlx};
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::service::Routes;

/// The store of the orchestrator.
static STORE: OnceLock<Store> = OnceLock::new();

/// The orchestrator, whose store is known here.
const ORCHESTRATOR: Service = Service {
    name: gearmesh_orchestrator::SERVICE.name,
    descriptors: gearmesh_orchestrator::SERVICE.descriptors,
    start: started,
};

fn started(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let store = cx.store().await?.clone();
        STORE.set(store).expect("one test with one mesh");
        (gearmesh_orchestrator::SERVICE.start)(cx).await
    })
}

/// More than [`ROOM`], and little enough to stand in a row.
const LARGE: usize = 200_000;

/// Makes room for small records and lets the file grow no more.
const ROOM: [&str; 4] = [
    "CREATE TABLE room(x BLOB)",
    "INSERT INTO room VALUES (zeroblob(65536))",
    "DROP TABLE room",
    "PRAGMA max_page_count = 1",
];

/// Lets the file grow again.
const SPACE: [&str; 1] = ["PRAGMA max_page_count = 1000000"];

async fn sql(statements: &[&'static str]) {
    let store = STORE.get().expect("the orchestrator runs");
    for statement in statements.iter().copied() {
        let done = store.write(async |c| {
            sqlx::query(statement).execute(c).await?;
            Ok::<_, gearmesh_store::Error>(())
        });
        done.await.expect("the statement is carried out");
    }
}

/// Longest wait for an answer that needs nothing to be written.
const ANSWER_MAX: Duration = Duration::from_secs(10);

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    let rpc = format!("orchestrator.{rpc}");
    let answer = tokio::time::timeout(ANSWER_MAX, mesh.call(&rpc, params)).await;
    answer.expect("an answer in time").expect("it answers")
}

async fn start(mesh: &TestMesh, params: Value) -> String {
    let answer = call(mesh, "start_run", params).await;
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

/// Agrees to the question of a run; the answer means that it is durable.
async fn agree(mesh: &TestMesh, run: &str) {
    let answer = AnswerApprovalRequest {
        approval_id: format!("{run}.go"),
        approved: true,
        ..AnswerApprovalRequest::default()
    };
    let mut client = OrchestratorServiceClient::new(mesh.link("orchestrator"));
    let answered = client.answer_approval(answer).await.expect("an answer");
    assert_eq!(answered.into_inner().status, "approved");
}

#[tokio::test]
async fn runs_wait_for_space_and_are_seen_meanwhile() {
    let mesh = TestMesh::start(&[ORCHESTRATOR]).await;
    // What the child is accepted with is large, what its parent writes is not.
    let inner = format!(
        "# {}\nname: inner\ntasks:\n  - {{id: a, set: {{x: 1}}}}\noutputs: {{x: '${{a.result.x}}'}}\n",
        "x".repeat(LARGE)
    );
    call(&mesh, "create_workflow", json!({"source": inner})).await;
    let asks = "{id: go, approve: {message: ok?, approvers: ['user:ada']}}";
    let large = format!(
        "name: large\ninputs: {{n: {{type: integer, required: true}}}}\ntasks:\n  - {asks}\n  - {{id: b, needs: [go], each: '${{range(`0`, inputs.n)}}', set: {{x: 'sixteen letters.'}}}}\n"
    );
    let outer = format!(
        "name: outer\ntasks:\n  - {asks}\n  - {{id: child, needs: [go], workflow: inner}}\noutputs: {{x: '${{child.result.x}}'}}\n"
    );
    let large = start(&mesh, json!({"source": large, "inputs": {"n": 9_000}})).await;
    let outer = start(&mesh, json!({"source": outer})).await;
    for id in [&large, &outer] {
        until(&mesh, id, |run| run["status"] == "waiting").await;
    }
    sql(&ROOM).await;
    agree(&mesh, &outer).await;
    // The start of its child does not fail it.
    until(&mesh, &outer, |run| {
        run["tasks"]["child"]["status"] == "waiting"
    })
    .await;

    // Agreed to, but not durable: what is durable is shown, by every way to look.
    let looks = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let seen = run(&mesh, &large).await;
        assert_eq!(seen["tasks"]["go"]["status"], "waiting", "{seen}");
        let why = call(&mesh, "why_run", json!({"runId": large})).await;
        assert_eq!(why["reasons"][0]["task"], "go", "{why}");
        let child = &run(&mesh, &outer).await["tasks"]["child"];
        assert_eq!(child["status"], "waiting", "{child}");
        sql(&SPACE).await;
    };
    tokio::join!(agree(&mesh, &large), looks);
    let ended = until(&mesh, &large, |run| !run["endTime"].is_null()).await;
    assert_eq!(ended["status"], "succeeded", "{}", ended["error"]);
    let ended = until(&mesh, &outer, |run| !run["endTime"].is_null()).await;
    assert_eq!(ended["status"], "succeeded", "{}", ended["error"]);
    assert_eq!(ended["outputs"]["x"], 1);
}
