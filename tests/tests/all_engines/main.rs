//! One workflow over every engine, in one process and in many: the same outputs,
//! the same results, the same traces in the world, whether called or by the clock.

mod expected;
mod scene;
mod seen;

use gearmesh_tests::{Dev, LocalMesh};
use serde_json::{Value, json};

use scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn one_process_does_what_the_workflow_says() {
    let mut dev = Dev::start(&[], scene::SETTINGS).await;
    let scene = Scene {
        caller: dev.caller().clone(),
        runs: dev.folder().join(".gearmesh/runs"),
    };
    check("dev", &scene).await;
    assert!(dev.stop().await.success(), "it drains");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_do_what_one_does() {
    let mesh = LocalMesh::start(&[]).await;
    let scene = Scene {
        caller: scene::caller(&mesh),
        runs: mesh.folder().join("shared/runs"),
    };
    check("local mesh", &scene).await;
}

/// Both shapes are compared as a whole with the one document, and so with each other.
#[expect(clippy::print_stdout, reason = "figures of the test")]
async fn check(shape: &str, scene: &Scene) {
    scene.keep_secret().await;
    let called = scene.called().await;
    let expected = expected::run(1);
    same(shape, "the run", &called.run, &expected);
    same(shape, "what it left", &called.left, &expected::left(1));

    let (fire, scheduled) = scene.scheduled().await;
    same(shape, "the fire", &fire, &expected::fire(2));
    same(
        shape,
        "the scheduled run",
        &scheduled.run,
        &expected::run(2),
    );
    same(shape, "what it left", &scheduled.left, &expected::left(2));
    let expected = json!({"runs": 2, "fires": 1, "next": null});
    same(shape, "how often", &scene.counted().await, &expected);
    println!(
        "RESULT all engines, {shape}: 9 tasks in 3 levels, called and by RRULE: as the document"
    );
}

fn same(shape: &str, what: &str, found: &Value, expected: &Value) {
    let pretty = |value| serde_json::to_string_pretty(value).expect("it can be written");
    assert!(
        found == expected,
        "{shape}, {what}: found {}\nexpected {}",
        pretty(found),
        pretty(expected)
    );
}
