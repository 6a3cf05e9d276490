//! One workflow in both shapes: all services in one process, and each in its own.
//!
//! The result documents are equal but for times and ids, and so are the refusals.

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{StartRunRequest, WatchRunRequest};
use gearmesh_tests::{Mesh, Settings};
use serde_json::{Value, json};

/// Every kind of task that there is, over three engines: calls, sets, items, retries
/// that end in vain, tasks that are skipped, files that one task writes and another reads.
const WORKFLOW: &str = r#"
name: both-shapes
inputs:
  words: {type: array, default: [one, two, three]}
onError: continue
tasks:
  - id: keep
    each: "${inputs.words}"
    tool: state.put
    params: {key: "word/${item}", value: {word: "${item}", at: "${index}"}}
  - id: list
    needs: [keep]
    tool: state.list
    params: {prefix: word/}
  - id: write
    tool: file.write
    params: {path: "out/words.json", content: {count: "${list.result.count}", keys: "${list.result.entries[*].key}"}}
  - id: read
    needs: [write]
    tool: file.read
    params: {path: out/words.json}
  - id: digest
    needs: [write]
    tool: file.hash
    params: {path: out/words.json}
  - id: mapped
    tool: file.write
    params: {path: /results/copy.txt, content: "${read.result.content}"}
  - id: absent
    tool: state.get
    params: {key: nothing}
    retry: {attempts: 2, delay: 1ms, errors: [STATE_NOT_FOUND]}
  - id: after_absent
    needs: [absent]
    set: {never: true}
  - id: refused
    tool: http.request
    params: {url: "http://10.0.0.1/"}
  - id: small
    when: length(inputs.words) < `3`
    set: {never: true}
  - id: sum
    set: {parsed: "${parse_json(read.result.content)}", hash: "${digest.result.hash}"}
outputs:
  count: "${sum.result.parsed.count}"
  keys: "${sum.result.parsed.keys}"
  hash: "${sum.result.hash}"
"#;

/// All services in one process.
async fn one() -> Vec<Mesh> {
    vec![Mesh::start(&Settings::default()).await]
}

/// Each service in its own process; the last is the gateway.
async fn several() -> Vec<Mesh> {
    let mut meshes = Vec::new();
    let mut there: Vec<(&str, String)> = Vec::new();
    for engine in [
        "state",
        "file",
        "http",
        "vault",
        "db",
        "email",
        "browser",
        "events",
        "identity",
        "scheduler",
    ] {
        let mesh = Mesh::start(&Settings::default().only(engine)).await;
        there.push((engine, mesh.url()));
        meshes.push(mesh);
    }
    for service in ["orchestrator", "gateway"] {
        let mesh = Mesh::start(&Settings::default().only(service).registry(&there)).await;
        there.push((service, mesh.url()));
        meshes.push(mesh);
    }
    meshes
}

fn gateway(meshes: &[Mesh]) -> &Mesh {
    meshes.last().expect("there is one")
}

async fn execute(meshes: &[Mesh], request: &Value) -> (u16, Value) {
    let path = "/v1/orchestrator/execute";
    gateway(meshes).post(path, request).await
}

#[tokio::test]
async fn workflow_has_the_same_result_in_both_shapes() {
    let (one, several) = tokio::join!(one(), several());
    let request = json!({"source": WORKFLOW});
    let ((status, alone), (status_apart, apart)) =
        tokio::join!(execute(&one, &request), execute(&several, &request));
    assert_eq!((status, status_apart), (200, 200), "{alone} {apart}");
    assert_eq!(timeless(alone.clone()), timeless(apart));

    assert_eq!(alone["status"], "partial", "{alone}");
    assert_eq!(
        alone["outputs"]["keys"],
        json!(["word/one", "word/three", "word/two"])
    );
    let task = |id: &str| {
        let task = &alone["tasks"][id];
        (task["status"].clone(), task["error"]["code"].clone())
    };
    let failed = |code: &str| (json!("failed"), json!(code));
    assert_eq!(task("absent"), failed("STATE_NOT_FOUND"));
    assert_eq!(alone["tasks"]["absent"]["attempts"], 2);
    assert_eq!(task("refused").0, json!("failed"), "{alone}");
    for id in ["after_absent", "small"] {
        assert_eq!(task(id).0, "skipped", "{alone}");
    }
    let file = |meshes: &[Mesh]| {
        let found = meshes
            .iter()
            .find_map(|mesh| std::fs::read_to_string(mesh.at("/results/copy.txt")).ok());
        found.expect("the file is on the disk of the process that serves files")
    };
    assert_eq!(file(&one), file(&several));
}

#[tokio::test]
async fn run_is_followed_alike_in_both_shapes() {
    let (one, several) = tokio::join!(one(), several());
    let source = r#"
name: followed
tasks:
  - {id: first, tool: state.put, params: {key: a, value: 1}}
  - {id: second, tool: state.get, params: {key: "${first.result.key}"}}
"#;
    let (alone, apart) = tokio::join!(follow(&one, source), follow(&several, source));
    assert_eq!(alone, apart);
    assert_eq!(
        alone,
        [
            "running",
            "first running",
            "first succeeded",
            "second running",
            "second succeeded",
            "succeeded"
        ]
    );
}

/// Starts a run by native gRPC through the gateway, and reads its events to their end.
async fn follow(meshes: &[Mesh], source: &str) -> Vec<String> {
    let link = gearmesh_link::remote(&gateway(meshes).url()).expect("an address");
    let mut client = OrchestratorServiceClient::new(link);
    let start = StartRunRequest {
        source: source.to_owned(),
        ..StartRunRequest::default()
    };
    let started = client.start_run(start).await.expect("started").into_inner();
    let watch = WatchRunRequest {
        run_id: started.run.expect("a run").run_id,
        ..WatchRunRequest::default()
    };
    let mut events = client.watch_run(watch).await.expect("watched").into_inner();
    let mut seen = Vec::new();
    while let Some(event) = events.message().await.expect("an event") {
        seen.push(format!("{} {}", event.task, event.status).trim().to_owned());
    }
    seen
}

#[tokio::test]
async fn refusal_is_the_same_in_both_shapes() {
    let (one, several) = tokio::join!(one(), several());
    let source = "name: x\ntasks:\n  - {id: a, tool: no.such}\n  - {id: b, tool: file.read, params: {pth: x}}\n";
    let broken = json!({"source": source});
    let ((status, alone), (status_apart, apart)) =
        tokio::join!(execute(&one, &broken), execute(&several, &broken));
    assert_eq!((status, status_apart), (400, 400));
    assert_eq!(timeless(alone.clone()), timeless(apart));
    assert_eq!(alone["details"][0]["reason"], "WORKFLOW_INVALID", "{alone}");

    // Nor does a single call tell where its engine is.
    for (path, body) in [
        ("/v1/file/read", json!({"path": "nothing"})),
        ("/v1/file/read", json!({"path": "/etc/passwd"})),
        ("/v1/state/get", json!({"key": ""})),
        (
            "/v1/state/put",
            json!({"key": "k", "value": 1, "version": 7}),
        ),
        ("/v1/tools/no.such:call", json!({})),
    ] {
        let (alone, apart) = tokio::join!(
            gateway(&one).post(path, &body),
            gateway(&several).post(path, &body)
        );
        assert!(alone.0 >= 400, "{path} {body}: {alone:?}");
        assert_eq!(
            (alone.0, timeless(alone.1)),
            (apart.0, timeless(apart.1)),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn catalogue_is_the_same_in_both_shapes() {
    let (one, several) = tokio::join!(one(), several());
    for path in ["/v1/tools", "/v1/openapi.json"] {
        let (alone, apart) = tokio::join!(gateway(&one).get(path), gateway(&several).get(path));
        assert_eq!(alone, apart, "{path}");
    }
}

/// A document without what differs between two runs of it.
fn timeless(mut value: Value) -> Value {
    /// Members that say when, how long, or which.
    const VARYING: [&str; 7] = [
        "runId",
        "startTime",
        "endTime",
        "duration",
        "requestId",
        "updated",
        "criticalPath",
    ];
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|key, _| !VARYING.contains(&key.as_str()));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}
