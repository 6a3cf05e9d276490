//! What paths may reach.

use crate::*;

#[tokio::test]
async fn each_way_out_of_the_roots_is_closed_and_named() {
    let scene = Scene::start().await;
    let outside = scene.folder().join("outside");
    std::fs::write(&outside, "secret").unwrap();
    scene.ok("file.make_folder", json!({"path": "d"})).await;
    std::os::unix::fs::symlink(&outside, scene.folder().join("work/link")).unwrap();
    std::fs::hard_link(&outside, scene.folder().join("work/hard")).unwrap();
    for (path, reason, code) in [
        ("../outside", "PATH_ESCAPES_ROOT", Code::PermissionDenied),
        (
            "d/../../outside",
            "PATH_ESCAPES_ROOT",
            Code::PermissionDenied,
        ),
        ("/etc/hostname", "PATH_ESCAPES_ROOT", Code::PermissionDenied),
        ("link", "SYMLINK", Code::PermissionDenied),
        ("hard", "SYMLINK", Code::PermissionDenied),
        ("other://a", "ROOT_DENIED", Code::PermissionDenied),
        ("file://a", "ROOT_DENIED", Code::PermissionDenied),
        ("a\\b", "INVALID_PATH", Code::InvalidArgument),
        ("nul", "INVALID_PATH", Code::InvalidArgument),
        ("d", "FILE_IS_DIRECTORY", Code::FailedPrecondition),
        ("none", "FILE_NOT_FOUND", Code::NotFound),
        ("", "INVALID_PARAMETERS", Code::InvalidArgument),
    ] {
        let failed = scene
            .call("file.read", json!({"path": path}))
            .await
            .unwrap_err();
        assert_eq!(
            (failed.reason.as_str(), failed.code),
            (reason, code),
            "{path}: {}",
            failed.message
        );
        assert!(
            !failed.message.contains(scene.folder().to_str().unwrap()),
            "{}",
            failed.message
        );
    }
    let failed = scene
        .call("file.stat", json!({"path": "/data/x"}))
        .await
        .unwrap_err();
    assert!(
        failed.message.contains("--root /data=DIR"),
        "{}",
        failed.message
    );
    assert_eq!(failed.domain, "file.gearmesh");
    assert_eq!(failed.metadata["path"], "/data/x");
    let write = json!({"path": "given://b", "content": "x"});
    assert_eq!(scene.refused("file.write", write).await, "ROOT_DENIED");
    assert_eq!(
        scene
            .ok("file.read", json!({"path": "given://a.txt"}))
            .await["content"],
        "given"
    );
}

#[tokio::test]
async fn run_has_its_own_folder_and_reads_that_of_its_file() {
    let scene = Scene::start().await;
    let folder = scene.folder().join("given");
    let call = Call {
        folder: Some(folder),
        ..keyed("k")
    };
    let write = json!({"path": "out/a", "content": "mine"});
    scene
        .call_as("file.write", write, call.clone())
        .await
        .unwrap();
    let written = scene.folder().join("runs/run_36zn0sv00pg07/out/a");
    assert_eq!(std::fs::read_to_string(written).unwrap(), "mine");
    assert_eq!(
        scene.refused("file.read", json!({"path": "out/a"})).await,
        "FILE_NOT_FOUND"
    );
    let read = scene
        .call_as("file.read", json!({"path": "file://a.txt"}), call.clone())
        .await
        .unwrap();
    assert_eq!(read["content"], "given");
    let write = json!({"path": "file://b", "content": "x"});
    let refused = scene.call_as("file.write", write, call).await.unwrap_err();
    assert_eq!(refused.reason, "ROOT_DENIED");
    let empty = scene
        .call_as("file.list", json!({"path": "."}), keyed("other"))
        .await
        .unwrap();
    assert_eq!(empty["count"], 1, "the same run, another task");
}

#[tokio::test]
async fn setting_that_is_unknown_stops_the_start() {
    let mut config = gearmesh_runtime::Config::new(std::env::temp_dir());
    config.set("file.root", json!({}));
    let refused = gearmesh_runtime::start(&[gearmesh_file::SERVICE], config).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("file"), "{message}");
}
