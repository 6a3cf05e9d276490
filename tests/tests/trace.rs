//! One run is one trace, as a collector sees it.

use std::collections::{BTreeSet, HashMap};

use gearmesh_testkit::servers::{Otlp, TracedSpan};
use gearmesh_testkit::{Process, wait_until};
use gearmesh_tests::program;
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
    check(&spans, &["note", "keep"]);
}

/// One root, every span below it, and below each task's attempt a client's span with
/// the engine's under it.
fn check(spans: &[TracedSpan], tasks: &[&str]) {
    let shown = || -> Vec<String> {
        let line =
            |s: &TracedSpan| format!("{:02x?} < {:02x?} {} {}", s.id, s.parent, s.kind, s.name);
        spans.iter().map(line).collect()
    };
    let by_id: HashMap<&[u8], &TracedSpan> = spans.iter().map(|s| (&s.id[..], s)).collect();
    let roots: Vec<_> = spans
        .iter()
        .filter(|s| !by_id.contains_key(&s.parent[..]))
        .collect();
    assert_eq!(roots.len(), 1, "one root: {:#?}", shown());
    assert_eq!((roots[0].kind, roots[0].name.as_str()), (SERVER, "POST"));
    let children = |of: &TracedSpan| -> Vec<&TracedSpan> {
        spans.iter().filter(|s| s.parent == of.id).collect()
    };
    let mut seen = BTreeSet::new();
    for attempt in spans.iter().filter(|s| s.name.starts_with("task ")) {
        let parent = by_id[&attempt.parent[..]];
        assert!(parent.name.starts_with("run "), "{:#?}", shown());
        let [client] = children(attempt)[..] else {
            panic!("one call of an attempt: {:#?}", shown());
        };
        assert_eq!(client.kind, CLIENT);
        let [server] = children(client)[..] else {
            panic!("one server of a call: {:#?}", shown());
        };
        assert_eq!(server.kind, SERVER);
        assert_eq!(
            server.attributes["gearmesh.task.id"],
            attempt.attributes["gearmesh.task.id"]
        );
        seen.insert(attempt.attributes["gearmesh.task.id"].clone());
    }
    let expected: BTreeSet<String> = tasks.iter().map(|t| (*t).to_owned()).collect();
    assert_eq!(seen, expected, "{:#?}", shown());
}
