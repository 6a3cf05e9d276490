//! Reading, writing, digests.

use crate::*;

#[tokio::test]
async fn client_writes_and_reads_bytes() {
    let scene = Scene::start().await;
    let mut client = FileServiceClient::new(scene.mesh.link("file"));
    let bytes = vec![0, 255, 10, 13];
    let write = WriteRequest {
        path: "results://b.bin".into(),
        data: Some(bytes.clone().into()),
        ..WriteRequest::default()
    };
    assert_eq!(client.write(write).await.unwrap().into_inner().size, 4);
    let read = ReadRequest {
        path: "/results/b.bin".into(),
        encoding: "binary".into(),
        ..ReadRequest::default()
    };
    let read = client.read(read).await.unwrap().into_inner();
    assert_eq!(
        (read.data.to_vec(), read.content.as_str(), read.size),
        (bytes, "", 4)
    );
    let path = "results://b.bin".to_owned();
    let stats = client
        .stat(StatRequest { path })
        .await
        .unwrap()
        .into_inner()
        .stats
        .unwrap();
    assert!(stats.is_file && !stats.is_directory);
    assert_eq!((stats.size, stats.permissions.as_str()), (4, "600"));
    let modified = stats.modified.unwrap();
    let on_disk = std::fs::metadata(scene.folder().join("roots/results/b.bin")).unwrap();
    let since = on_disk
        .modified()
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert_eq!(
        (modified.seconds as u64, modified.nanos as u32),
        (since.as_secs(), since.subsec_nanos())
    );
    assert!(stats.accessed.is_some());
}

#[tokio::test]
async fn content_of_any_kind_is_written() {
    let scene = Scene::start().await;
    for (params, expected) in [
        (json!({"content": "text\n"}), "text\n"),
        (
            json!({"content": {"b": 1, "a": [true, null]}}),
            r#"{"b":1,"a":[true,null]}"#,
        ),
        (json!({"content": [1, 2]}), "[1,2]"),
        (
            json!({"content": 12345678901234567890u64}),
            "12345678901234567890",
        ),
        (json!({"content": "aGk=", "encoding": "binary"}), "hi"),
        (json!({"data": "aGk="}), "hi"),
        (
            json!({"content": "a", "encoding": "utf-8", "mode": "overwrite"}),
            "a",
        ),
        (json!({"content": "b", "mode": "append"}), "ab"),
    ] {
        let mut request = params.clone();
        request["path"] = "out/f".into();
        let answer = scene.ok("file.write", request).await;
        assert_eq!(answer["size"], expected.len(), "{params}");
        let found = std::fs::read_to_string(scene.folder().join("work/out/f")).unwrap();
        assert_eq!(found, expected, "{params}");
    }
    let both = json!({"path": "f", "content": "a", "data": "aGk="});
    assert_eq!(
        scene.refused("file.write", both).await,
        "INVALID_PARAMETERS"
    );
    assert_eq!(
        scene.refused("file.write", json!({"path": "f"})).await,
        "INVALID_PARAMETERS"
    );
    let mode = json!({"path": "f", "content": "a", "mode": "truncate"});
    assert_eq!(
        scene.refused("file.write", mode).await,
        "INVALID_PARAMETERS"
    );
}

#[tokio::test]
async fn ranges_and_encodings_are_read() {
    let scene = Scene::start().await;
    scene
        .ok("file.write", json!({"path": "a", "content": "0123456789"}))
        .await;
    let read = scene
        .ok("file.read", json!({"path": "a", "start": 2, "end": 5}))
        .await;
    assert_eq!(
        (&read["content"], &read["size"]),
        (&json!("234"), &json!(10))
    );
    let read = scene
        .ok("file.read", json!({"path": "a", "start": 8}))
        .await;
    assert_eq!(read["content"], "89");
    let read = scene
        .ok(
            "file.read",
            json!({"path": "a", "encoding": "binary", "end": 2}),
        )
        .await;
    assert_eq!(
        (&read["data"], &read["content"]),
        (&json!("MDE="), &json!(""))
    );
    let wrong = json!({"path": "a", "start": -1});
    assert_eq!(
        scene.refused("file.read", wrong).await,
        "INVALID_PARAMETERS"
    );
    let wrong = json!({"path": "a", "encoding": "latin1"});
    assert_eq!(
        scene.refused("file.read", wrong).await,
        "INVALID_PARAMETERS"
    );
    scene
        .ok("file.write", json!({"path": "b", "data": "/w=="}))
        .await;
    assert_eq!(
        scene.refused("file.read", json!({"path": "b"})).await,
        "NOT_TEXT"
    );
}

#[tokio::test]
async fn append_with_a_key_adds_once() {
    let scene = Scene::start().await;
    let append = json!({"path": "log", "content": "line\n", "mode": "append"});
    let first = scene
        .call_as("file.write", append.clone(), keyed("k"))
        .await
        .unwrap();
    let again = scene
        .call_as("file.write", append.clone(), keyed("k"))
        .await
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(again["size"], 5);
    let other = scene
        .call_as("file.write", append, keyed("other"))
        .await
        .unwrap();
    assert_eq!(other["size"], 10);
}

#[tokio::test]
async fn digests_are_compared_and_equal_files_found() {
    let scene = Scene::start().await;
    for path in ["d/a", "d/e/b"] {
        scene
            .ok("file.write", json!({"path": path, "content": "abc"}))
            .await;
    }
    let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let hashed = scene.ok("file.hash", json!({"path": "d/a"})).await;
    assert_eq!(
        hashed,
        json!({"hash": sha, "algorithm": "sha256", "path": "d/a"})
    );
    let expected =
        json!({"path": "d/a", "algorithm": "md5", "expected": "900150983CD24FB0D6963F7D28E17F72"});
    assert_eq!(scene.ok("file.hash", expected).await["matches"], true);
    assert_eq!(
        scene
            .ok("file.hash", json!({"path": "d/a", "expected": "00"}))
            .await["matches"],
        false
    );
    let found = scene
        .ok(
            "file.find_duplicates",
            json!({"path": "d", "pattern": "**"}),
        )
        .await;
    let group = json!({"hash": sha, "size": 3, "paths": ["d/a", "d/e/b"]});
    assert_eq!(found, json!({"groups": [group], "count": 1}));
    let flat = json!({"path": "d", "recursive": false, "algorithm": "sha1"});
    assert_eq!(scene.ok("file.find_duplicates", flat).await["count"], 0);
}
