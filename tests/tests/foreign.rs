//! A client in another language, from the protos alone.

use std::path::Path;

use gearmesh_tests::{Mesh, Settings};
use serde_json::{Value, json};
use tokio::process::Command;

/// Names the interpreter that has grpcio and grpcio-tools.
const PYTHON: &str = "GEARMESH_TEST_PYTHON";

#[tokio::test]
async fn python_client_calls_starts_and_watches_through_the_gateway() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a part of the test run, not of the product"
    )]
    let python = std::env::var(PYTHON);
    let python = python.unwrap_or_else(|_| {
        panic!("{PYTHON} is not set: it names a python with tests/python/requirements.txt; tests/run makes one and sets it")
    });
    let mesh = Mesh::start(&Settings::default()).await;
    mesh.put("/results/known.txt", "known");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(tests.join("python/client.py"))
        .arg(tests.join("../proto"))
        .arg(mesh.url().trim_start_matches("http://"))
        .kill_on_drop(true)
        .output()
        .await
        .expect("the interpreter can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run = seen["run"].take();
    assert_eq!(
        seen,
        json!({
            "size": 5,
            "isFile": true,
            "failure": ["NOT_FOUND", "file.gearmesh FILE_NOT_FOUND"],
            "version": 1,
            "run": null,
            "events": ["running", "note running", "note succeeded", "look running", "look succeeded", "succeeded"],
            "status": "succeeded",
            "outputs": {"size": 5}
        })
    );
    // What another language started is a run like any other.
    let id = run.as_str().expect("an id");
    let found = mesh.get(&format!("/v1/runs/{id}")).await;
    assert_eq!(
        (&found["workflow"], &found["status"]),
        (&json!("from-afar"), &json!("succeeded")),
        "{found}"
    );
}
