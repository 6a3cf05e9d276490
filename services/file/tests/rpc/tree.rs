//! Folders: listing, copying, moving, deleting.

use crate::*;

#[tokio::test]
async fn copies_moves_and_deletes_say_what_they_did() {
    let scene = Scene::start().await;
    scene
        .ok("file.write", json!({"path": "d/a", "content": "1"}))
        .await;
    let copy = json!({"source": "d", "destination": "/results/d"});
    assert_eq!(scene.refused("file.copy", copy).await, "FILE_IS_DIRECTORY");
    let copy = json!({"source": "d", "destination": "/results/d", "recursive": true});
    let done = scene.ok("file.copy", copy.clone()).await;
    assert_eq!(
        (&done["source"], &done["destination"]),
        (&json!("d"), &json!("/results/d"))
    );
    assert!(done["message"].as_str().unwrap().contains("copied"));
    assert_eq!(
        scene.refused("file.copy", copy.clone()).await,
        "FILE_ALREADY_EXISTS"
    );
    let mut over = copy;
    over["overwrite"] = true.into();
    scene.ok("file.copy", over).await;

    let moved = scene
        .ok("file.move", json!({"source": "d/a", "destination": "e/a"}))
        .await;
    assert_eq!(moved["destination"], "e/a");
    let again = json!({"source": "/results/d/a", "destination": "e/a"});
    assert_eq!(
        scene.refused("file.move", again.clone()).await,
        "FILE_ALREADY_EXISTS"
    );
    let mut over = again;
    over["overwrite"] = true.into();
    scene.ok("file.move", over).await;

    assert_eq!(
        scene.refused("file.delete", json!({"path": "e"})).await,
        "DIRECTORY_NOT_EMPTY"
    );
    let deleted = scene
        .ok("file.delete", json!({"path": "e", "recursive": true}))
        .await;
    assert_eq!(deleted["path"], "e");
    assert_eq!(
        scene.refused("file.delete", json!({"path": "e"})).await,
        "FILE_NOT_FOUND"
    );
}

#[tokio::test]
async fn list_is_paged_and_matched() {
    let scene = Scene::start().await;
    for path in ["d/a.txt", "d/b.rs", "d/e/c.txt"] {
        scene
            .ok("file.write", json!({"path": path, "content": "12"}))
            .await;
    }
    let listed = scene.ok("file.list", json!({"path": "d"})).await;
    assert_eq!(
        listed["files"],
        json!([
            {"path": "d/a.txt", "name": "a.txt", "isDirectory": false, "size": 2},
            {"path": "d/b.rs", "name": "b.rs", "isDirectory": false, "size": 2},
            {"path": "d/e", "name": "e", "isDirectory": true, "size": 0},
        ])
    );
    assert_eq!(
        (&listed["count"], &listed["path"]),
        (&json!(3), &json!("d"))
    );
    assert_eq!(listed["nextPageToken"], "");
    let all = json!({"path": "work://d", "recursive": true, "pattern": "**/*.txt", "pageSize": 1});
    let first = scene.ok("file.list", all.clone()).await;
    assert_eq!(first["files"][0]["path"], "work://d/a.txt");
    let mut next = all;
    next["pageToken"] = first["nextPageToken"].clone();
    let second = scene.ok("file.list", next).await;
    assert_eq!(second["files"][0]["path"], "work://d/e/c.txt");
    assert_eq!(second["nextPageToken"], "");
    let wrong = json!({"path": "d", "pageToken": "x"});
    assert_eq!(
        scene.refused("file.list", wrong).await,
        "INVALID_PARAMETERS"
    );
    assert_eq!(
        scene.refused("file.list", json!({"path": "d/a.txt"})).await,
        "FILE_IS_NO_DIRECTORY"
    );
}

#[tokio::test]
async fn existence_and_kind_are_told() {
    let scene = Scene::start().await;
    let made = scene.ok("file.make_folder", json!({"path": "x/y"})).await;
    assert_eq!(
        (&made["created"], &made["path"]),
        (&json!(true), &json!("x/y"))
    );
    assert_eq!(
        scene.ok("file.make_folder", json!({"path": "x/y"})).await["created"],
        false
    );
    scene
        .ok("file.write", json!({"path": "x/f", "content": ""}))
        .await;
    assert_eq!(
        scene
            .refused("file.make_folder", json!({"path": "x/f/g"}))
            .await,
        "FILE_IS_NO_DIRECTORY"
    );
    for (path, exists, folder) in [
        ("x", true, true),
        ("x/f", true, false),
        ("x/n", false, false),
        ("x/f/g", false, false),
    ] {
        let found = scene.ok("file.exists", json!({"path": path})).await;
        assert_eq!(
            found,
            json!({"exists": exists, "isDirectory": folder, "path": path})
        );
    }
    let stats = &scene.ok("file.stat", json!({"path": "."})).await["stats"];
    assert_eq!(
        (&stats["isDirectory"], &stats["permissions"]),
        (&json!(true), &json!("700"))
    );
}

#[tokio::test]
async fn batch_reports_each_failure() {
    let scene = Scene::start().await;
    for path in ["a", "b"] {
        scene
            .ok("file.write", json!({"path": path, "content": "1"}))
            .await;
    }
    let copy = json!({
        "operation": "copy",
        "items": [{"source": "a", "destination": "x/a"}, {"source": "none", "destination": "x/n"}],
        "concurrency": 2,
        "continueOnError": true,
    });
    let done = scene.ok("file.batch_operation", copy).await;
    assert_eq!(
        (&done["total"], &done["successful"], &done["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(done["errors"][0]["item"]["source"], "none");
    assert_eq!(done["errors"][0]["code"], "FILE_NOT_FOUND");
    assert!(
        done["errors"][0]["error"]
            .as_str()
            .unwrap()
            .contains("`none`")
    );
    let delete = json!({"operation": "delete", "items": [{"source": "none"}, {"source": "b"}], "concurrency": 1, "continueOnError": false});
    let done = scene.ok("file.batch_operation", delete).await;
    assert_eq!(
        (&done["successful"], &done["errors"][1]["code"]),
        (&json!(0), &json!("CANCELLED"))
    );
    assert_eq!(
        scene.ok("file.exists", json!({"path": "b"})).await["exists"],
        true
    );
    let delete = json!({"operation": "delete", "items": [{"source": "a"}, {"source": "b"}]});
    assert_eq!(
        scene.ok("file.batch_operation", delete).await["successful"],
        2
    );
    let wrong = json!({"operation": "rename", "items": [{"source": "a"}]});
    assert_eq!(
        scene.refused("file.batch_operation", wrong).await,
        "INVALID_PARAMETERS"
    );
}
