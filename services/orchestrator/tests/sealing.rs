//! Secrets that stand in a workflow, and sensitive results: neither is ever on the disk as
//! it is.

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
use gearmesh_api::vault::v1::vault_service_client::VaultServiceClient;
use gearmesh_api::vault::v1::{DropRunRequest, ListSealedRunsRequest, ResolveRequest};
use gearmesh_fault::Failure;
use gearmesh_link::{Call, Link, invoke, names};
use gearmesh_runtime::{Config, Running, Service, start};

const LITERAL: &str = "l1teral-s3cret-of-the-file";
const RESULT: &str = "s3nsitive-result-of-the-task";

/// How often a large result repeats it: more than one piece, and more than a row holds.
const REPEATS: usize = 50_000;

const ALL: [Service; 3] = [
    gearmesh_http::SERVICE,
    gearmesh_vault::SERVICE,
    gearmesh_orchestrator::SERVICE,
];
const NO_VAULT: [Service; 2] = [gearmesh_http::SERVICE, gearmesh_orchestrator::SERVICE];

/// A mesh that can be stopped and started again on the same folder, and a site beside it.
struct Scene {
    folder: TempDir,
    running: Option<Running>,
    site: String,
    /// Requests that came, as they were sent.
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn start(services: &[Service]) -> Self {
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

    async fn restart(&mut self, services: &[Service]) {
        self.stop().await;
        let mut config = Config::new(self.folder.path());
        config.set("connections.site.kind", "http");
        config.set("connections.site.url", self.site.as_str());
        config.set("connections.site.allowPrivate", true);
        let running = start(services, config).await.expect("the services start");
        self.running = Some(running);
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    fn link(&self, engine: &str) -> Link {
        let running = self.running.as_ref().expect("it runs");
        running.mesh().link(engine).expect("it is on the mesh")
    }

    async fn call_as(&self, tool: &str, params: Value, call: &Call) -> Result<Value, Failure> {
        let running = self.running.as_ref().expect("it runs");
        let catalog = running.mesh().catalog();
        let found = catalog.get(tool).expect("the tool is in the catalogue");
        let answer = invoke(&self.link(&found.tool.engine), found.tool, params, call).await;
        answer.map_err(|status| Failure::of(&status))
    }

    async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        self.call_as(tool, params, &Call::default()).await
    }

    async fn begin(&self, source: &str, key: Option<&str>) -> Result<String, Failure> {
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

    async fn run(&self, id: &str) -> Value {
        let answer = self
            .call("orchestrator.get_run", json!({"runId": id}))
            .await;
        answer.expect("it answers")["run"].take()
    }

    /// Waits until a run has this status.
    async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..1_200 {
            let run = self.run(id).await;
            if run["status"] == status {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:#}", self.run(id).await);
    }

    async fn ended(&self, source: &str) -> (String, Value) {
        let id = self.begin(source, None).await.expect("it starts");
        let run = self.until(&id, "succeeded").await;
        (id, run)
    }

    /// Answers the one question that is open.
    async fn approve(&self) {
        let open = self.call("orchestrator.list_approvals", json!({})).await;
        let open = open.expect("it answers");
        let id = open["approvals"][0]["approvalId"].as_str();
        let mut request = tonic::Request::new(AnswerApprovalRequest {
            approval_id: id.expect("a question").to_owned(),
            approved: true,
            ..AnswerApprovalRequest::default()
        });
        let who = "user:ada".parse().expect("a principal");
        request.metadata_mut().insert(names::PRINCIPAL, who);
        let mut client = OrchestratorServiceClient::new(self.link("orchestrator"));
        client.answer_approval(request).await.expect("it counts");
    }

    fn vault(&self) -> VaultServiceClient<Link> {
        VaultServiceClient::new(self.link("vault"))
    }

    async fn sealed_runs(&self) -> Vec<String> {
        let request = ListSealedRunsRequest::default();
        let answer = self.vault().list_sealed_runs(request).await;
        answer.expect("it answers").into_inner().runs
    }

    /// Requests whose text has a piece.
    fn requests(&self, piece: &str) -> usize {
        let seen = self.seen.lock().expect("no test panics in it");
        seen.iter().filter(|text| text.contains(piece)).count()
    }

    /// What all files of the state folder hold, as long as the mesh runs too.
    fn disk(&self) -> Vec<u8> {
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

    fn assert_not_on_disk(&self, text: &str) {
        assert!(!holds(&self.disk(), text), "`{text}` is on the disk");
    }

    /// The references to sealed values in the journal.
    fn references(&self) -> Vec<String> {
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

fn holds(bytes: &[u8], text: &str) -> bool {
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

fn bearing(bearer: &str) -> String {
    format!(
        "name: bearing\ntasks:\n  - id: ask\n    tool: http.request\n    connection: site\n    params: {{url: /bearing, bearer: {bearer}}}\n"
    )
}

#[tokio::test]
async fn literal_reaches_its_tool_and_is_not_on_the_disk() {
    // WF-4.12
    let mut scene = Scene::start(&ALL).await;
    let (id, _) = scene.ended(&bearing(LITERAL)).await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 1);
    scene.assert_not_on_disk(LITERAL);
    let run = scene.run(&id).await;
    assert!(!run.to_string().contains(LITERAL), "{run:#}");
    scene.stop().await;
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn literal_may_be_stored_under_a_name_and_json_is_rewritten_too() {
    let scene = Scene::start(&ALL).await;
    let source = json!({"name": "keep", "tasks": [{"id": "keep", "tool": "vault.set",
        "params": {"vaultName": "work", "credentialName": "token", "value": LITERAL}}]});
    scene.ended(&source.to_string()).await;
    let request = ResolveRequest {
        references: vec!["vault://work/token".to_owned()],
        ..ResolveRequest::default()
    };
    let answer = scene.vault().resolve(request).await.expect("it is there");
    assert_eq!(answer.into_inner().values[0].value, LITERAL);
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn tasks_of_the_predecessor_are_sealed_too() {
    let scene = Scene::start(&ALL).await;
    let params = json!({"tasks": [{"id": "ask", "tool": "http.request",
        "params": {"url": "/bearing", "connection": "site", "bearer": LITERAL}}]});
    let answer = scene.call("orchestrator.execute", params).await;
    let answer = answer.expect("it answers");
    assert_eq!(answer["status"], "success", "{answer:#}");
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 1);
    scene.assert_not_on_disk(LITERAL);
}

#[tokio::test]
async fn repeat_with_a_key_answers_the_same_run() {
    let mut scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL);
    let first = scene.begin(&source, Some("k")).await.expect("it starts");
    scene.until(&first, "succeeded").await;
    assert_eq!(scene.begin(&source, Some("k")).await.expect("same"), first);
    let other = bearing("another-s3cret");
    let reused = scene.begin(&other, Some("k")).await.unwrap_err();
    assert_eq!(reused.reason, "KEY_REUSED");
    // What was sealed for the repeats is gone, what the run has is not.
    assert_eq!(scene.sealed_runs().await, [first.as_str()]);
    scene.restart(&ALL).await;
    assert_eq!(scene.begin(&source, Some("k")).await.expect("same"), first);
    assert_eq!(scene.requests("Bearer"), 1);
    let second = scene.begin(&source, Some("l")).await.expect("it starts");
    assert_ne!(second, first);
}

#[tokio::test]
async fn reference_of_another_run_is_refused() {
    let scene = Scene::start(&ALL).await;
    scene.ended(&bearing(LITERAL)).await;
    let references = scene.references();
    let [reference] = references.as_slice() else {
        panic!("{references:?}");
    };
    let id = scene.begin(&bearing(reference), None).await;
    let run = scene.until(&id.expect("it starts"), "failed").await;
    assert_eq!(run["error"]["code"], "NOT_SEALED_HERE", "{run:#}");
    assert!(!run.to_string().contains(LITERAL), "{run:#}");
    let direct = json!({"url": "/bearing", "connection": "site", "bearer": reference});
    let refused = scene.call("http.request", direct).await.unwrap_err();
    assert_eq!(refused.reason, "NOT_SEALED_HERE");
    assert_eq!(scene.requests("/bearing"), 1);
}

#[tokio::test]
async fn literal_needs_no_scope_for_the_vault_and_a_reference_does() {
    let scene = Scene::start(&ALL).await;
    let begin = async |source: String| {
        let call = Call {
            principal: Some("token/ada".to_owned()),
            scopes: Some("http:read orchestrator:write".to_owned()),
            ..Call::default()
        };
        let params = json!({"source": source});
        let answer = scene.call_as("orchestrator.start_run", params, &call).await;
        let answer = answer.expect("it starts");
        answer["run"]["runId"].as_str().expect("an id").to_owned()
    };
    let sealed = begin(bearing(LITERAL)).await;
    scene.until(&sealed, "succeeded").await;
    let named = begin(bearing("vault://work/token")).await;
    let run = scene.until(&named, "failed").await;
    assert_eq!(run["error"]["code"], "PERMISSION_DENIED", "{run:#}");
}

#[tokio::test]
async fn retry_takes_over_what_was_sealed() {
    let scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL).replace("/bearing", "/once");
    let first = scene.begin(&source, None).await.expect("it starts");
    scene.until(&first, "failed").await;
    let retried = scene.call("orchestrator.retry_run", json!({"runId": first}));
    let retried = retried.await.expect("it starts");
    let second = retried["run"]["runId"].as_str().expect("an id");
    scene.until(second, "succeeded").await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 2);
    scene.assert_not_on_disk(LITERAL);
    // Each has its own: the first may be forgotten.
    let request = DropRunRequest { run: first.clone() };
    scene.vault().drop_run(request).await.expect("dropped");
    let again = json!({"runId": second, "fromTask": "ask"});
    let again = scene.call("orchestrator.retry_run", again).await;
    let again = again.expect("it starts");
    let third = again["run"]["runId"].as_str().expect("an id");
    scene.until(third, "succeeded").await;
    assert_eq!(scene.requests(&format!("Bearer {LITERAL}")), 3);
}

#[tokio::test]
async fn without_a_vault_a_literal_is_refused_and_the_rest_runs() {
    let scene = Scene::start(&NO_VAULT).await;
    let refused = scene.begin(&bearing(LITERAL), Some("k")).await.unwrap_err();
    assert_eq!(refused.reason, "ENGINE_UNAVAILABLE");
    assert!(refused.message.contains("vault"), "{}", refused.message);
    assert!(!refused.message.contains(LITERAL), "{}", refused.message);
    scene.assert_not_on_disk(LITERAL);
    let plain = "name: plain\ntasks: [{id: a, set: {x: 1}}]\n";
    scene.ended(plain).await;
    let listed = scene.call("orchestrator.list_runs", json!({})).await;
    let listed = listed.expect("it answers");
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn start_that_fails_leaves_nothing_sealed() {
    let scene = Scene::start(&ALL).await;
    let source = bearing(LITERAL).replace(
        "tasks:",
        "inputs: {n: {type: array, default: []}}\nvars: {x: \"${inputs.n[3]}\"}\ntasks:",
    );
    let refused = scene.begin(&source, None).await.unwrap_err();
    assert_eq!(refused.reason, "VARIABLE_RESOLUTION_ERROR");
    assert_eq!(scene.sealed_runs().await, [""; 0]);
}

#[tokio::test]
async fn secret_with_an_anchor_is_refused() {
    let scene = Scene::start(&ALL).await;
    let source = format!("{}    x-other: *s\n", bearing(&format!("&s {LITERAL}")));
    let refused = scene.begin(&source, None).await.unwrap_err();
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert!(refused.message.contains("anchor"), "{}", refused.message);
    assert!(!refused.message.contains(LITERAL), "{}", refused.message);
}

const LOGIN: &str = "
name: login
tasks:
  - {id: login, tool: http.request, connection: site, params: {url: /login}, sensitive: true}
  - {id: large, tool: http.request, connection: site, params: {url: /large}, sensitive: true}
  - id: each
    each: [1, 2]
    tasks:
      - {id: key, sensitive: true, set: {k: '${login.result.data.token}'}}
      - {id: name, set: {n: '${length(key.result.k)}'}}
  - id: listed
    each: ['${login.result.data.token}', x]
    set: {n: '${length(item)}'}
  - {id: ok, needs: [each, large, listed], approve: {message: 'Go on?', approvers: [user:ada]}}
  - id: use
    needs: [ok]
    tool: http.request
    connection: site
    params: {url: '/use/${length(large.result.data.token)}', params: {t: '${each.result[1].key.k}'}}
outputs: {n: '${each.result[0].name.n}'}
";

#[tokio::test]
async fn sensitive_result_is_not_on_the_disk_and_is_there_after_a_restart() {
    // WF-3.37
    let mut scene = Scene::start(&ALL).await;
    let id = scene.begin(LOGIN, None).await.expect("it starts");
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(RESULT);
    scene.restart(&ALL).await;
    scene.assert_not_on_disk(RESULT);
    scene.until(&id, "waiting").await;
    scene.approve().await;
    let run = scene.until(&id, "succeeded").await;
    assert!(!run.to_string().contains(RESULT), "{run:#}");
    assert_eq!(run["outputs"]["n"], RESULT.len(), "{run:#}");
    let used = format!("/use/{}?t={RESULT}", RESULT.len() * REPEATS);
    assert_eq!(scene.requests(&used), 1);
    assert_eq!(scene.requests("/login"), 1);
    scene.restart(&ALL).await;
    assert_eq!(scene.run(&id).await["outputs"]["n"], RESULT.len());
    scene.stop().await;
    scene.assert_not_on_disk(RESULT);
}

#[tokio::test]
async fn run_with_sensitive_results_waits_for_the_vault() {
    let mut scene = Scene::start(&NO_VAULT).await;
    let source = "
name: late
tasks:
  - {id: login, tool: http.request, connection: site, params: {url: /login}, sensitive: true}
  - {id: ok, needs: [login], approve: {message: 'Go on?', approvers: [user:ada]}}
  - {id: use, needs: [ok], tool: http.request, connection: site, params: {url: '/use/${login.result.data.token}'}}
";
    let id = scene.begin(source, None).await.expect("it starts");
    while scene.requests("/login") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.assert_not_on_disk(RESULT);
    // The answer could not be written; it is asked for again.
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(RESULT);
    scene.restart(&NO_VAULT).await;
    let away = scene.call("orchestrator.get_run", json!({"runId": id}));
    let away = away.await.unwrap_err();
    assert_eq!(away.reason, "ENGINE_UNAVAILABLE");
    assert!(away.message.contains("vault"), "{}", away.message);
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.approve().await;
    scene.until(&id, "succeeded").await;
    assert_eq!(scene.requests(&format!("/use/{RESULT}")), 1);
    scene.stop().await;
    scene.assert_not_on_disk(RESULT);
}

#[tokio::test]
async fn sensitive_results_are_kept_for_no_later_run() {
    let scene = Scene::start(&ALL).await;
    let source = "
name: cached
tasks:
  - {id: login, tool: http.request, connection: site, params: {url: /login}, sensitive: true, cache: {key: k, ttl: 1h}}
";
    scene.ended(source).await;
    scene.ended(source).await;
    assert_eq!(scene.requests("/login"), 2);
    scene.assert_not_on_disk(RESULT);
}

#[tokio::test]
async fn sensitive_inputs_are_not_on_the_disk() {
    let mut scene = Scene::start(&ALL).await;
    let source = "
name: pin
inputs: {pin: {type: string, sensitive: true}}
vars: {again: '${inputs.pin}'}
tasks:
  - {id: ok, approve: {message: 'Go on?', approvers: [user:ada]}}
  - {id: use, needs: [ok], tool: http.request, connection: site, params: {url: '/use/${inputs.pin}/${vars.again}'}}
";
    let params = json!({"source": source, "inputs": {"pin": LITERAL}, "trigger": {"kind": "manual", "body": LITERAL}});
    let answer = scene.call("orchestrator.start_run", params).await;
    let answer = answer.expect("it starts");
    let id = answer["run"]["runId"].as_str().expect("an id").to_owned();
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(LITERAL);
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.approve().await;
    scene.until(&id, "succeeded").await;
    assert_eq!(scene.requests(&format!("/use/{LITERAL}/{LITERAL}")), 1);
    scene.stop().await;
    scene.assert_not_on_disk(LITERAL);
}
