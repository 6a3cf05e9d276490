//! A person says what became of a call of which nobody knows.

use std::time::Duration;

use gearmesh_api::orchestrator::v1::DecideTaskRequest;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A mesh, and a server that leaves the first caller without an answer and answers the others.
struct Scene {
    mesh: TestMesh,
    _server: JoinSet<()>,
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"paid\":true}";

impl Scene {
    async fn start() -> Self {
        let services = [gearmesh_http::SERVICE, gearmesh_orchestrator::SERVICE];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let site = |config: &mut gearmesh_runtime::Config| {
            config.set("connections.site.kind", "http");
            config.set("connections.site.url", format!("http://{address}"));
            config.set("connections.site.allowPrivate", true);
        };
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (first, _) = listener.accept().await.expect("a caller");
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await;
                assert!(read.is_ok_and(|n| n > 0), "it asks");
                let _ = stream.write_all(ANSWER).await;
            }
            drop(first);
        });
        Self {
            mesh: TestMesh::start_with(&services, site).await,
            _server: server,
        }
    }

    /// A run whose one call got no answer in time, and which waits for a person.
    async fn doubtful(&self) -> String {
        let source = "
name: pay
tasks:
  - {id: pay, tool: http.request, connection: site, params: {url: /pay, method: POST, data: {sum: 1}}, timeout: 2s, onUnknown: ask}
outputs: {paid: '${pay.result.data.paid}'}
";
        let started = self
            .mesh
            .call("orchestrator.start_run", json!({"source": source}));
        let run = started.await.expect("started")["run"]["runId"].clone();
        let run = run.as_str().expect("an id").to_owned();
        let waits = self.status(&run, "waiting").await;
        assert_eq!(waits["tasks"]["pay"]["status"], "waiting", "{waits:#}");
        let asked = self.mesh.call("orchestrator.list_approvals", json!({}));
        let asked = asked.await.expect("listed");
        let question = &asked["approvals"][0];
        assert_eq!(question["kind"], "decision", "{asked:#}");
        assert_eq!(question["approvalId"], format!("{run}.pay"));
        run
    }

    async fn status(&self, run: &str, wanted: &str) -> Value {
        let mut shown = Value::Null;
        for _ in 0..1_200 {
            let found = self
                .mesh
                .call("orchestrator.get_run", json!({"runId": run}));
            shown = found.await.expect("found")["run"].take();
            if shown["status"] == wanted {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{shown:#}");
    }
}

fn decide(run: &str, decision: &str, result: Option<Value>) -> DecideTaskRequest {
    DecideTaskRequest {
        run_id: run.to_owned(),
        task: "pay".to_owned(),
        decision: decision.to_owned(),
        result: result.map(|result| Json {
            text: result.to_string().into(),
        }),
        ..DecideTaskRequest::default()
    }
}

#[tokio::test]
async fn doubt_is_decided_over_grpc() {
    // WF-3.28, WF-3.33
    let scene = Scene::start().await;
    let mut client = OrchestratorServiceClient::new(scene.mesh.link("orchestrator"));
    let run = scene.doubtful().await;
    let result = json!({"status": 200, "data": {"paid": "seen at the bank"}});
    let decided = client.decide_task(decide(&run, "done", Some(result)));
    decided.await.expect("decided");
    let ended = scene.status(&run, "succeeded").await;
    assert_eq!(ended["outputs"], json!({"paid": "seen at the bank"}));
    assert_eq!(
        ended["tasks"]["pay"]["attempts"], 1,
        "it was not sent again"
    );
    let again = client.decide_task(decide(&run, "fail", None)).await;
    let refused = Failure::of(&again.expect_err("there is no doubt any more"));
    assert_eq!(refused.reason, "DECISION_NOT_OPEN");
}

#[tokio::test]
async fn call_in_doubt_is_sent_again_when_a_person_says_so() {
    // WF-3.33
    let scene = Scene::start().await;
    let mut client = OrchestratorServiceClient::new(scene.mesh.link("orchestrator"));
    let run = scene.doubtful().await;
    let decided = client.decide_task(decide(&run, "retry", None)).await;
    decided.expect("decided");
    let ended = scene.status(&run, "succeeded").await;
    assert_eq!(ended["outputs"], json!({"paid": true}));
    assert_eq!(ended["tasks"]["pay"]["attempts"], 2, "{ended:#}");
}
