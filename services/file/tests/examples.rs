//! Every example of the proto, run against the engine.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

/// A mesh with the files that the examples speak of.
async fn scene() -> TestMesh {
    let mesh = TestMesh::start(&[gearmesh_file::SERVICE]).await;
    let work = mesh.folder().join("work");
    for (path, content) in [
        ("notes/today.txt", "hello\n"),
        ("inbox/order.txt", "order"),
        ("tmp/old.txt", "old"),
        ("data.csv", "a,b\n"),
        ("pack/one", "1"),
        ("pack/two", "2"),
    ] {
        let path = work.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let pack =
        json!({"format": "zip", "sources": ["pack/one", "pack/two"], "destination": "pack.zip"});
    mesh.call("file.archive_create", pack).await.unwrap();
    mesh.call("file.gzip", json!({"source": "data.csv"}))
        .await
        .unwrap();
    std::fs::remove_file(work.join("data.csv")).unwrap();
    mesh
}

/// Whether `found` has all that `expected` names.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|there| fits(value, there))),
        _ => expected == found,
    }
}

#[tokio::test]
async fn every_example_of_the_proto_holds() {
    let catalog = scene().await.mesh().catalog();
    let mut run = 0;
    for tool in catalog.tools().iter().filter(|t| t.engine == "file") {
        for example in &tool.examples {
            let mesh = scene().await;
            let title = format!("{}: {}", tool.id, example.title);
            let answer = mesh.call(&tool.id, example.request.clone()).await;
            let answer = answer.unwrap_or_else(|e| panic!("{title}: {e}"));
            assert!(
                fits(&example.response, &answer),
                "{title}: {answer} is not {}",
                example.response
            );
            run += 1;
        }
    }
    assert!(run >= 17, "each of the 17 tools has one: {run}");
}
