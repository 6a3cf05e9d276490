//! What came while the orchestrator was away.

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, stream};
use gearmesh_link::{Call, invoke};
use gearmesh_runtime::{Config, Running, Service, start};
use serde_json::{Value, json};

async fn mesh(folder: &Path, services: &[Service]) -> Running {
    let started = start(services, Config::new(folder)).await;
    started.expect("the services start")
}

async fn call(mesh: &Running, tool: &str, params: Value) -> Value {
    let catalog = mesh.mesh().catalog();
    let found = catalog.get(tool).expect("the tool is in the catalogue");
    let link = mesh.mesh().link(&found.tool.engine).expect("its engine");
    let answer = invoke(&link, found.tool, params, &Call::default()).await;
    answer.expect("it answers")
}

/// Waits until a run is as wanted.
async fn status(mesh: &Running, run: &str, wanted: &str) -> Value {
    let mut shown = Value::Null;
    for _ in 0..600 {
        shown = call(mesh, "orchestrator.get_run", json!({"runId": run})).await["run"].take();
        if shown["status"] == wanted {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{shown:#}");
}

/// More events than a look back shows: the one that is waited for is behind all of them.
const OTHERS: usize = 1_050;

/// WF-3.7: no event that came since a wait began is missed.
#[tokio::test]
async fn event_that_came_meanwhile_ends_the_wait() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let both = [gearmesh_events::SERVICE, gearmesh_orchestrator::SERVICE];
    let source = "
name: listen
tasks:
  - {id: order, wait: {event: {topic: order.paid, where: event.payload.wanted}}}
outputs: {n: '${order.result.payload.n}'}
";
    let first = mesh(folder.path(), &both).await;
    let started = call(&first, "orchestrator.start_run", json!({"source": source})).await;
    let run = started["run"]["runId"].as_str().expect("an id").to_owned();
    status(&first, &run, "waiting").await;
    first.stop().await;

    let away = mesh(folder.path(), &[gearmesh_events::SERVICE]).await;
    let publish = |n: usize| {
        let payload = json!({"n": n, "wanted": n == 0});
        call(
            &away,
            "events.publish",
            json!({"topic": "order.paid", "payload": payload}),
        )
    };
    publish(0).await;
    stream::iter(1..=OTHERS)
        .map(publish)
        .buffer_unordered(32)
        .collect::<Vec<_>>()
        .await;
    away.stop().await;

    let second = mesh(folder.path(), &both).await;
    let ended = status(&second, &run, "succeeded").await;
    assert_eq!(ended["outputs"]["n"], 0);
    second.stop().await;
}
