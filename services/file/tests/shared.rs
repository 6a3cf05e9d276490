//! Two instances of the engine on one folder.

use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use serde_json::json;

#[tokio::test]
async fn call_that_is_sent_again_may_reach_the_other_instance() {
    let shared = tempfile::tempdir().expect("a temporary folder");
    let start = || {
        TestMesh::start_with(&[gearmesh_file::SERVICE], |config| {
            let folder = shared.path().to_string_lossy().into_owned();
            config.set("file.shared", folder);
        })
    };
    let (one, other) = (start().await, start().await);
    let call = |key: &str| Call {
        key: Some(key.into()),
        run: Some("run_0000000000001".into()),
        ..Call::default()
    };
    let write = json!({"path": "work://a.txt", "content": "x"});
    one.call_as("file.write", write, call("k1"))
        .await
        .expect("written");
    let seen = json!({"path": "work://a.txt"});
    let read = other.call_as("file.read", seen.clone(), call("k2")).await;
    assert_eq!(read.expect("the same folder")["content"], "x");
    let moving = json!({"source": "work://a.txt", "destination": "work://b.txt"});
    for mesh in [&one, &other] {
        let moved = mesh.call_as("file.move", moving.clone(), call("k3")).await;
        assert_eq!(
            moved.expect("moved once, answered twice")["destination"],
            "work://b.txt"
        );
    }
    let gone = json!({"path": "work://b.txt"});
    for mesh in [&other, &one] {
        let deleted = mesh.call_as("file.delete", gone.clone(), call("k4")).await;
        deleted.expect("deleted once, answered twice");
    }
    let again = one.call_as("file.delete", gone, call("k5")).await;
    assert!(again.is_err(), "another call finds nothing");
}
