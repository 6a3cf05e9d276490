//! A person says what became of a call of which nobody knows.

use std::time::Duration;

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
        let services = [
            gearmesh_http::SERVICE,
            gearmesh_orchestrator::SERVICE,
            gearmesh_gateway::SERVICE,
        ];
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

#[tokio::test]
async fn doubt_is_decided_over_rest() {
    // WF-3.28, WF-3.33
    let scene = Scene::start().await;
    let run = scene.doubtful().await;
    let http = reqwest::Client::builder().no_proxy().build();
    let url = format!("{}/v1/runs/{run}:decide", scene.mesh.url());
    let post = http.expect("a client").post(url);
    let sent = post.json(&json!({"task": "pay", "decision": "retry"}));
    let answer = sent.send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200, "{answer:?}");
    let answer: Value = answer.json().await.expect("JSON");
    assert!(answer["status"].is_string(), "{answer}");
    let ended = scene.status(&run, "succeeded").await;
    assert_eq!(ended["outputs"], json!({"paid": true}));
    assert_eq!(ended["tasks"]["pay"]["attempts"], 2, "{ended:#}");
}
