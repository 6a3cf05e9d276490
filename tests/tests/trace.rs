//! One run is one trace, as a collector sees it.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use gearmesh_testkit::servers::{Otlp, TracedSpan};
use gearmesh_testkit::{Process, tree, wait_until};
use gearmesh_tests::{Caller, LocalMesh, program};
use serde_json::json;

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

const WORKFLOW: &str = r#"
name: traced
tasks:
  - id: note
    tool: file.write
    params: {path: "work://note.txt", content: "hello"}
  - id: keep
    tool: state.put
    params: {key: traced, value: "${note.result.size}"}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn run_is_one_trace_from_the_gateway_to_the_engines() {
    let collector = Otlp::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let endpoint = folder.path().join(".gearmesh/endpoint");
    let arguments = ["dev", "--port", "0", "--quiet", "--no-demo"];
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_SERVICE_NAME", "the-mesh"),
    ];
    let process = Process::start_in(
        &program("gearmesh"),
        &arguments,
        &environment,
        folder.path(),
        &endpoint,
    )
    .await;

    // The caller's own trace is gone on with.
    let caller = "0af7651916cd43dd8448eb211c80319c";
    let response = reqwest::Client::new()
        .post(format!("{}/v1/orchestrator/execute", process.url()))
        .header("traceparent", format!("00-{caller}-b7ad6b7169203331-01"))
        .json(&json!({"source": WORKFLOW}))
        .send()
        .await
        .expect("an answer");
    assert!(response.status().is_success(), "{response:?}");

    let ours = |spans: Vec<TracedSpan>| -> Vec<TracedSpan> {
        let trace = u128::from_str_radix(caller, 16).expect("hex").to_be_bytes();
        spans.into_iter().filter(|s| s.trace == trace).collect()
    };
    let ended = |spans: &[TracedSpan]| {
        spans.iter().any(|s| s.name.starts_with("run ")) && spans.iter().any(|s| s.name == "POST")
    };
    let within = std::time::Duration::from_secs(20);
    wait_until("the trace has come", within, || {
        ended(&ours(collector.spans()))
    })
    .await;
    let spans = ours(collector.spans());
    assert!(spans.iter().all(|s| s.service == "the-mesh"));
    check(&spans, &["note", "keep"], (SERVER, "POST"));
}

/// The tasks of the workflow over every engine.
const ALL: [&str; 9] = [
    "secret", "page", "rows", "stock", "quotes", "report", "mail", "told", "kept",
];

const START_RUN: &str = "gearmesh.orchestrator.v1.OrchestratorService/StartRun";

/// Time between making a schedule and its only fire.
const START: Duration = Duration::from_secs(10);

/// How long spans may take to come; CI machines are slow, hangs are not.
const COME_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn run_over_every_process_is_one_trace() {
    let collector = Otlp::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let mesh = LocalMesh::start(&environment).await;
    let (url, login) = (mesh.url(), mesh.login());
    let login = login.to_str().expect("temporary folders have plain names");
    let caller = Caller::new(mesh.folder(), &["--server", &url, "--login", login]);
    let secret = json!({
        "vaultName": "examples", "credentialName": "quotes_token", "value": "not-much-of-a-secret",
    });
    caller.call("vault.set", &secret).await;

    let file = tree().join("docs/examples/all-engines.workflow.yaml");
    let file = file.to_str().expect("a plain path");
    let ran = caller.gearmesh(&["run", file, "-o", "json"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let run = ran.json()["runId"].as_str().expect("an id").to_owned();
    let spans = whole(&collector, &run).await;
    check(&spans, &ALL, (SERVER, START_RUN));
    let services: BTreeSet<&str> = spans.iter().map(|s| s.service.as_str()).collect();
    assert!(services.len() >= 10, "{services:?}");
    println!(
        "RESULT trace, called: 1 root, {} spans of {} services: {services:?}",
        spans.len(),
        services.len()
    );
    secret_is_fetched_below_the_engine(&spans);

    let run = scheduled(&caller, file).await;
    let spans = whole(&collector, &run).await;
    check(&spans, &ALL, (CLIENT, START_RUN));
    println!("RESULT trace, by the clock: 1 root, {} spans", spans.len());
}

/// Has the file run once by the clock, to its end: the run.
async fn scheduled(caller: &Caller, file: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the schedule counts by the same clock"
    )]
    let now = SystemTime::now();
    let at = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        + START;
    let seconds = at.as_secs().try_into().expect("a time of our days");
    let start = prost_types::Timestamp { seconds, nanos: 0 }.to_string();
    let rule = "FREQ=SECONDLY;COUNT=1";
    let arguments = [
        "schedule", "create", file, "--rrule", rule, "--start", &start,
    ];
    let made = caller.gearmesh(&arguments).await;
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let asked = json!({"scheduleId": "all-engines"});
    let ended = async {
        loop {
            let history = caller.call("scheduler.history", &asked).await;
            let fire = &history["history"][0];
            if !fire["endTime"].is_null() {
                assert_eq!(fire["status"], "success", "{fire}");
                return fire["runId"].as_str().expect("an id").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(COME_MAX, ended)
        .await
        .expect("it fires")
}

/// All spans of a run's trace, once there is nothing that one of them is below and
/// that has not come.
async fn whole(collector: &Otlp, run: &str) -> Vec<TracedSpan> {
    let of_run = |s: &TracedSpan| {
        s.attributes
            .get("gearmesh.run.id")
            .is_some_and(|id| id == run)
    };
    let spans = || -> Vec<TracedSpan> {
        let all = collector.spans();
        let own = all
            .iter()
            .find(|s| s.name == "run all-engines" && of_run(s));
        let trace = own.map(|s| s.trace.clone());
        all.into_iter()
            .filter(|s| Some(&s.trace) == trace.as_ref())
            .collect()
    };
    let come = async {
        while !complete(&spans()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let whole = tokio::time::timeout(COME_MAX, come).await.is_ok();
    assert!(whole, "the trace is not whole: {}", drawn(&spans()));
    spans()
}

/// Whether no span's parent is missing, and no call's other end.
fn complete(spans: &[TracedSpan]) -> bool {
    let ids: BTreeSet<&[u8]> = spans.iter().map(|s| &s.id[..]).collect();
    let parents: BTreeSet<&[u8]> = spans.iter().map(|s| &s.parent[..]).collect();
    let known = |s: &TracedSpan| s.parent.is_empty() || ids.contains(&s.parent[..]);
    let answered = |s: &TracedSpan| s.kind != CLIENT || parents.contains(&s.id[..]);
    !spans.is_empty() && spans.iter().all(|s| known(s) && answered(s))
}

/// A task's call of the vault is part of the task.
fn secret_is_fetched_below_the_engine(spans: &[TracedSpan]) {
    let by_id: HashMap<&[u8], &TracedSpan> = spans.iter().map(|s| (&s.id[..], s)).collect();
    let resolve = "gearmesh.vault.v1.VaultService/Resolve";
    let served = spans.iter().find(|s| s.name == resolve && s.kind == SERVER);
    let served = served.unwrap_or_else(|| panic!("the vault resolves: {}", drawn(spans)));
    let called = by_id[&served.parent[..]];
    let engine = by_id[&called.parent[..]];
    assert_eq!((served.service.as_str(), called.kind), ("vault", CLIENT));
    let name = "gearmesh.http.v1.HttpService/Request";
    assert_eq!((engine.kind, engine.name.as_str()), (SERVER, name));
    assert_eq!(
        (called.service.as_str(), engine.service.as_str()),
        ("http", "http")
    );
}

/// The spans as a tree.
fn drawn(spans: &[TracedSpan]) -> String {
    fn below(spans: &[TracedSpan], parent: &[u8], depth: usize, out: &mut String) {
        for span in spans.iter().filter(|s| s.parent == parent) {
            let line = format!("{} {} {}", span.service, span.kind, span.name);
            *out += &format!("\n{}{line}", "  ".repeat(depth));
            below(spans, &span.id, depth + 1, out);
        }
    }
    let mut out = String::new();
    let known = |id: &[u8]| spans.iter().any(|s| s.id == id);
    let mut roots: Vec<&[u8]> = spans.iter().map(|s| &s.parent[..]).collect();
    roots.retain(|id| !known(id));
    roots.sort_unstable();
    roots.dedup();
    for root in roots {
        below(spans, root, 0, &mut out);
    }
    out
}

/// One root, every span below it, and below each task's attempt a client's span with
/// the engine's under it.
fn check(spans: &[TracedSpan], tasks: &[&str], root: (i32, &str)) {
    let by_id: HashMap<&[u8], &TracedSpan> = spans.iter().map(|s| (&s.id[..], s)).collect();
    let roots: Vec<_> = spans
        .iter()
        .filter(|s| !by_id.contains_key(&s.parent[..]))
        .collect();
    assert_eq!(roots.len(), 1, "one root: {}", drawn(spans));
    assert_eq!(
        (roots[0].kind, roots[0].name.as_str()),
        root,
        "{}",
        drawn(spans)
    );
    let children = |of: &TracedSpan| -> Vec<&TracedSpan> {
        spans.iter().filter(|s| s.parent == of.id).collect()
    };
    let mut seen = BTreeSet::new();
    for attempt in spans.iter().filter(|s| s.name.starts_with("task ")) {
        let parent = by_id[&attempt.parent[..]];
        assert!(parent.name.starts_with("run "), "{}", drawn(spans));
        let [client] = children(attempt)[..] else {
            panic!("one call of an attempt: {}", drawn(spans));
        };
        assert_eq!(client.kind, CLIENT);
        let [server] = children(client)[..] else {
            panic!("one server of a call: {}", drawn(spans));
        };
        assert_eq!(server.kind, SERVER);
        assert_eq!(
            server.attributes["gearmesh.task.id"],
            attempt.attributes["gearmesh.task.id"]
        );
        seen.insert(attempt.attributes["gearmesh.task.id"].clone());
    }
    let expected: BTreeSet<String> = tasks.iter().map(|t| (*t).to_owned()).collect();
    assert_eq!(seen, expected, "{}", drawn(spans));
}
