//! A mesh that is stopped and started again, and a site that hands out tokens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use gearmesh_api::orchestrator::v1::AnswerApprovalRequest;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::vault::v1::ListSealedRunsRequest;
use gearmesh_api::vault::v1::vault_service_client::VaultServiceClient;
use gearmesh_fault::Failure;
use gearmesh_link::{Call, Link, invoke, names};
use gearmesh_runtime::{BoxFuture, Clock, Config, Running, Service, SystemClock, start_at};

pub(crate) const LITERAL: &str = "l1teral-s3cret-of-the-file";
pub(crate) const RESULT: &str = "s3nsitive-result-of-the-task";

/// How often a large result repeats it: more than one piece, and more than a row holds.
pub(crate) const REPEATS: usize = 50_000;

pub(crate) const ALL: [Service; 3] = [
    gearmesh_http::SERVICE,
    gearmesh_vault::SERVICE,
    gearmesh_orchestrator::SERVICE,
];
pub(crate) const NO_VAULT: [Service; 2] = [gearmesh_http::SERVICE, gearmesh_orchestrator::SERVICE];

/// A clock that is ahead by so many milliseconds.
#[derive(Debug)]
struct Later(SystemClock, i64);

impl Clock for Later {
    fn now_ms(&self) -> i64 {
        self.0.now_ms() + self.1
    }

    fn monotonic_us(&self) -> u64 {
        self.0.monotonic_us()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(time)
    }
}

/// A mesh that can be stopped and started again on the same folder, and a site beside it.
pub(crate) struct Scene {
    folder: TempDir,
    running: Option<Running>,
    site: String,
    /// Requests that came, as they were sent.
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Scene {
    pub(crate) async fn start(services: &[Service]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let site = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let told = seen.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(answer(socket, told.clone()));
            }
        });
        let mut scene = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            running: None,
            site,
            seen,
            _tasks: tasks,
        };
        scene.restart(services).await;
        scene
    }

    pub(crate) async fn restart(&mut self, services: &[Service]) {
        self.restart_after(services, 0).await;
    }

    /// As if so many hours had passed since.
    pub(crate) async fn restart_after(&mut self, services: &[Service], hours: i64) {
        self.stop().await;
        let mut config = Config::new(self.folder.path());
        config.set("connections.site.kind", "http");
        config.set("connections.site.url", self.site.as_str());
        config.set("connections.site.allowPrivate", true);
        let clock = Arc::new(Later(SystemClock::default(), hours * 3_600_000));
        let running = start_at(services, config, clock).await;
        let running = running.expect("the services start");
        self.running = Some(running);
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    pub(crate) fn link(&self, engine: &str) -> Link {
        let running = self.running.as_ref().expect("it runs");
        running.mesh().link(engine).expect("it is on the mesh")
    }

    pub(crate) async fn call_as(
        &self,
        tool: &str,
        params: Value,
        call: &Call,
    ) -> Result<Value, Failure> {
        let running = self.running.as_ref().expect("it runs");
        let catalog = running.mesh().catalog();
        let found = catalog.get(tool).expect("the tool is in the catalogue");
        let answer = invoke(&self.link(&found.tool.engine), found.tool, params, call).await;
        answer.map_err(|status| Failure::of(&status))
    }

    pub(crate) async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        self.call_as(tool, params, &Call::default()).await
    }

    pub(crate) async fn begin(&self, source: &str, key: Option<&str>) -> Result<String, Failure> {
        let call = Call {
            key: key.map(str::to_owned),
            ..Call::default()
        };
        let params = json!({"source": source});
        let answer = self
            .call_as("orchestrator.start_run", params, &call)
            .await?;
        Ok(answer["run"]["runId"].as_str().expect("an id").to_owned())
    }

    pub(crate) async fn run(&self, id: &str) -> Value {
        let answer = self
            .call("orchestrator.get_run", json!({"runId": id}))
            .await;
        answer.expect("it answers")["run"].take()
    }

    /// Waits until a run has this status.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..1_200 {
            let run = self.run(id).await;
            if run["status"] == status {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:#}", self.run(id).await);
    }

    pub(crate) async fn ended(&self, source: &str) -> (String, Value) {
        let id = self.begin(source, None).await.expect("it starts");
        let run = self.until(&id, "succeeded").await;
        (id, run)
    }

    /// Answers the one question that is open.
    pub(crate) async fn approve(&self) {
        let open = self.call("orchestrator.list_approvals", json!({})).await;
        let open = open.expect("it answers");
        let id = open["approvals"][0]["approvalId"].as_str();
        let mut request = tonic::Request::new(AnswerApprovalRequest {
            approval_id: id.expect("a question").to_owned(),
            approved: true,
            ..AnswerApprovalRequest::default()
        });
        let who = "token/ada".parse().expect("a principal");
        request.metadata_mut().insert(names::PRINCIPAL, who);
        let mut client = OrchestratorServiceClient::new(self.link("orchestrator"));
        client.answer_approval(request).await.expect("it counts");
    }

    pub(crate) fn vault(&self) -> VaultServiceClient<Link> {
        VaultServiceClient::new(self.link("vault"))
    }

    pub(crate) async fn sealed_runs(&self) -> Vec<String> {
        let request = ListSealedRunsRequest::default();
        let answer = self.vault().list_sealed_runs(request).await;
        answer.expect("it answers").into_inner().runs
    }

    /// Requests whose text has a piece.
    pub(crate) fn requests(&self, piece: &str) -> usize {
        let seen = self.seen.lock().expect("no test panics in it");
        seen.iter().filter(|text| text.contains(piece)).count()
    }

    /// What all files of the state folder hold, as long as the mesh runs too.
    pub(crate) fn disk(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut folders: Vec<PathBuf> = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => out.extend(read(&path)),
                }
            }
        }
        out
    }

    /// What the files of the journal hold.
    pub(crate) fn journal(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        let files = files.map(|file| file.expect("an entry").path());
        let ours = |path: &PathBuf| path.to_string_lossy().contains("orchestrator.db");
        files.filter(ours).flat_map(|path| read(&path)).collect()
    }

    pub(crate) fn assert_not_on_disk(&self, text: &str) {
        assert!(!holds(&self.disk(), text), "`{text}` is on the disk");
    }

    /// The references to sealed values in the journal.
    pub(crate) fn references(&self) -> Vec<String> {
        let disk = self.disk();
        let text = String::from_utf8_lossy(&disk);
        let mut found: Vec<String> = text
            .match_indices("vault://~run/")
            .filter_map(|(at, _)| text.get(at..at + "vault://~run/".len() + 65))
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

/// A file that may go away while it is read: those of a store that checkpoints.
fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// A site that hands out a token, small or large, and fails once on `/once`.
async fn answer(mut socket: TcpStream, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !complete(&request) {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let before = {
        let mut seen = seen.lock().expect("no test panics in it");
        let before = seen.iter().filter(|r| r.contains(&path)).count();
        seen.push(request);
        before
    };
    let token = match path.as_str() {
        "/large" => RESULT.repeat(REPEATS),
        _ => RESULT.to_owned(),
    };
    let status = match (path.as_str(), before) {
        ("/once", 0) => "404 Not Found",
        _ => "200 OK",
    };
    let body = json!({"token": token}).to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // Who asked may have left.
    let _ = socket.write_all((head + &body).as_bytes()).await;
}

/// Whether a request with its body has come.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|l| l.strip_prefix("content-length:"));
    let length = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
    body.len() >= length
}
