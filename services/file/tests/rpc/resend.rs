//! Calls that are sent again with their key.

use crate::*;

#[tokio::test]
async fn call_that_is_sent_again_with_its_key_succeeds_again() {
    let scene = Scene::start().await;
    let write = |path: &str| json!({"path": path, "content": "1"});
    let setup = keyed("setup");
    for path in ["a", "b", "c"] {
        scene
            .call_as("file.write", write(path), setup.clone())
            .await
            .unwrap();
    }
    for (tool, params) in [
        ("file.copy", json!({"source": "a", "destination": "copy"})),
        ("file.move", json!({"source": "b", "destination": "moved"})),
        ("file.delete", json!({"path": "c"})),
        ("file.gzip", json!({"source": "a"})),
        (
            "file.gunzip",
            json!({"source": "a.gz", "destination": "back"}),
        ),
        (
            "file.batch_operation",
            json!({"operation": "move", "items": [{"source": "moved", "destination": "x/b"}]}),
        ),
        (
            "file.archive_create",
            json!({"format": "zip", "sources": ["a"], "destination": "a.zip"}),
        ),
        (
            "file.archive_extract",
            json!({"archive": "a.zip", "destination": "out"}),
        ),
    ] {
        let first = scene.call_as(tool, params.clone(), keyed(tool)).await;
        let first = first.unwrap_or_else(|e| panic!("{tool}: {e:?}"));
        let mut again = keyed(tool);
        again.attempt = 2;
        let again = scene.call_as(tool, params.clone(), again).await;
        assert_eq!(
            first,
            again.unwrap_or_else(|e| panic!("{tool} again: {e:?}")),
            "{tool}"
        );
        assert_eq!(first.get("failed").unwrap_or(&json!(0)), 0, "{tool}");
    }
    let other = scene
        .call_as("file.delete", json!({"path": "c"}), keyed("other"))
        .await;
    assert_eq!(other.unwrap_err().reason, "FILE_NOT_FOUND");
}
