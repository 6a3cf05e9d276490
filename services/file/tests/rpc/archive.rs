//! Archives and compressed files.

use crate::*;

#[tokio::test]
async fn archives_are_made_listed_and_unpacked() {
    let scene = Scene::start().await;
    scene
        .ok("file.write", json!({"path": "d/a", "content": "12345"}))
        .await;
    for (format, name) in [
        ("zip", "p.zip"),
        ("tar", "p.tar"),
        ("tar.gz", "p.tgz"),
        ("zip", "unnamed"),
    ] {
        let made = scene
            .ok(
                "file.archive_create",
                json!({"format": format, "sources": ["d"], "destination": name}),
            )
            .await;
        assert_eq!(
            (&made["count"], &made["destination"]),
            (&json!(2), &json!(name))
        );
        let mut params = json!({"archive": name});
        if name == "unnamed" {
            assert_eq!(
                scene.refused("file.archive_list", params.clone()).await,
                "INVALID_PARAMETERS"
            );
            params["format"] = format.into();
        }
        let listed = scene.ok("file.archive_list", params.clone()).await;
        assert_eq!(
            listed["entries"],
            json!([{"path": "d", "size": 0, "isDirectory": true}, {"path": "d/a", "size": 5, "isDirectory": false}])
        );
        params["destination"] = format!("out/{name}").into();
        assert_eq!(scene.ok("file.archive_extract", params).await["count"], 2);
        let read = scene
            .ok("file.read", json!({"path": format!("out/{name}/d/a")}))
            .await;
        assert_eq!(read["content"], "12345");
    }
    scene
        .ok(
            "file.write",
            json!({"path": "x.zip", "content": "no archive"}),
        )
        .await;
    let extract = json!({"archive": "x.zip", "destination": "y"});
    assert_eq!(
        scene.refused("file.archive_extract", extract).await,
        "ARCHIVE_INVALID"
    );
}

#[tokio::test]
async fn one_file_is_compressed_and_back() {
    let scene = Scene::start().await;
    scene
        .ok("file.write", json!({"path": "a", "content": "hello"}))
        .await;
    let packed = scene.ok("file.gzip", json!({"source": "a"})).await;
    assert_eq!(packed["destination"], "a.gz");
    assert_eq!(
        scene.refused("file.gzip", json!({"source": "a"})).await,
        "FILE_ALREADY_EXISTS"
    );
    scene
        .ok(
            "file.gzip",
            json!({"source": "a", "destination": "a.gz", "overwrite": true}),
        )
        .await;
    assert_eq!(
        scene
            .refused("file.gunzip", json!({"source": "a.gz"}))
            .await,
        "FILE_ALREADY_EXISTS"
    );
    let back = scene
        .ok("file.gunzip", json!({"source": "a.gz", "overwrite": true}))
        .await;
    assert_eq!(
        (&back["destination"], &back["size"]),
        (&json!("a"), &json!(5))
    );
    assert_eq!(
        scene.refused("file.gunzip", json!({"source": "a"})).await,
        "INVALID_PARAMETERS"
    );
    let other = json!({"source": "a.gz", "destination": "/results/b"});
    assert_eq!(
        scene.ok("file.gunzip", other).await["destination"],
        "/results/b"
    );
}
