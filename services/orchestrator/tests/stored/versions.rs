//! Versions and what differs between them.

use gearmesh_fault::Failure;
use serde_json::json;

use crate::{call, create, fault, mesh, once, update};

#[tokio::test]
async fn change_is_a_new_version_and_an_equal_file_is_none() {
    // WF-1.15
    let mesh = mesh().await;
    let first = create(&mesh, &once("a", 1)).await;
    let changed = update(&mesh, "a", &once("a", 2)).await;
    assert_eq!(
        (&changed["version"], &changed["newest"]),
        (&json!(2), &json!(2))
    );
    assert_ne!(changed["etag"], first["etag"]);
    let same = json!({"workflow": "a", "source": once("a", 2)});
    let same = call(&mesh, "update_workflow", same).await;
    assert_eq!(same["unchanged"], true);
    assert_eq!(same["workflow"], changed);
    let old = call(
        &mesh,
        "get_workflow",
        json!({"workflow": "a", "version": 1}),
    )
    .await;
    let old = &old["workflow"];
    assert_eq!(old["source"], first["source"]);
    assert_eq!((&old["version"], &old["newest"]), (&json!(1), &json!(2)));
    let other = json!({"workflow": "a", "source": once("b", 2)});
    let refused = fault(&mesh, "update_workflow", other).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    assert!(refused.message.contains("`b`"), "{refused:?}");
    let none = json!({"workflow": "zz", "source": once("zz", 2)});
    let refused = fault(&mesh, "update_workflow", none).await;
    assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND");
}

#[tokio::test]
async fn of_two_changes_of_one_etag_one_is_refused() {
    let mesh = mesh().await;
    let etag = create(&mesh, &once("a", 1)).await["etag"].clone();
    let change = |x| {
        let params = json!({"workflow": "a", "source": once("a", x), "etag": etag});
        mesh.call("orchestrator.update_workflow", params)
    };
    let (one, two) = tokio::join!(change(2), change(3));
    let refused = match (one, two) {
        (Ok(_), Err(status)) | (Err(status), Ok(_)) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(Failure::of(&refused).reason, "ETAG_MISMATCH");
    // Without an etag each is stored behind the others.
    let changes = (10..15).map(|x| {
        let params = json!({"workflow": "a", "source": once("a", x)});
        mesh.call("orchestrator.update_workflow", params)
    });
    let stored = futures::future::join_all(changes).await;
    assert!(stored.iter().all(Result::is_ok), "{stored:?}");
    let newest = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(newest["workflow"]["newest"], 7);
    // A change of the state is one as well.
    let etag = newest["workflow"]["etag"].clone();
    call(&mesh, "disable_workflow", json!({"workflow": "a"})).await;
    let params = json!({"workflow": "a", "source": once("a", 20), "etag": etag});
    let refused = fault(&mesh, "update_workflow", params).await;
    assert_eq!(refused.reason, "ETAG_MISMATCH");
}

#[tokio::test]
async fn earlier_version_comes_back_as_the_newest() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    update(&mesh, "a", &once("a", 2)).await;
    let back = json!({"workflow": "a", "version": 1});
    let rolled = call(&mesh, "rollback_workflow", back.clone()).await;
    let rolled = &rolled["workflow"];
    assert_eq!(rolled["version"], 3);
    assert_eq!(rolled["source"], once("a", 1));
    assert_eq!(rolled["comment"], "version 1 again");
    // Again it is the same: no further version.
    let again = call(&mesh, "rollback_workflow", back).await;
    assert_eq!(again["workflow"]["version"], 3);
    let missing = json!({"workflow": "a", "version": 9});
    let refused = fault(&mesh, "rollback_workflow", missing).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    assert!(refused.message.contains("newest is 3"), "{refused:?}");
    let listed = call(&mesh, "list_workflow_versions", json!({"workflow": "a"})).await;
    let numbers: Vec<_> = listed["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v["version"].clone())
        .collect();
    assert_eq!(numbers, [json!(3), json!(2), json!(1)]);
    assert_eq!(listed["versions"][0]["source"], "");
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    for x in 2..=5 {
        update(&mesh, "a", &once("a", x)).await;
    }
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let params = json!({"workflow": "a", "pageSize": 2, "pageToken": token});
        let page = call(&mesh, "list_workflow_versions", params).await;
        let versions = page["versions"].as_array().expect("a list");
        seen.push(versions.len());
        token = page["nextPageToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 1]);
    let bad = json!({"workflow": "a", "pageToken": "x"});
    let refused = fault(&mesh, "list_workflow_versions", bad).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn difference_names_lines_and_tasks() {
    let mesh = mesh().await;
    let first = "name: d\ntasks:\n  - {id: a, set: {x: 1}}\n  - {id: b, set: {x: 2}}\n";
    let second = "name: d\ntasks:\n  - {id: b, set: {x: 3}}\n  - id: c\n    tasks:\n      - {id: inner, set: {x: 1}}\n";
    create(&mesh, first).await;
    let whole = call(&mesh, "diff_workflow", json!({"workflow": "d"})).await;
    assert_eq!((&whole["from"], &whole["to"]), (&json!(0), &json!(1)));
    assert_eq!(whole["added"], json!(["a", "b"]));
    update(&mesh, "d", second).await;
    let diff = call(&mesh, "diff_workflow", json!({"workflow": "d"})).await;
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(diff["added"], json!(["c", "inner"]));
    assert_eq!(diff["removed"], json!(["a"]));
    assert_eq!(diff["changed"], json!(["b"]));
    let expected = "--- d@1\n+++ d@2\n@@ -1,4 +1,6 @@\n name: d\n tasks:\n-  - {id: a, set: {x: 1}}\n-  - {id: b, set: {x: 2}}\n+  - {id: b, set: {x: 3}}\n+  - id: c\n+    tasks:\n+      - {id: inner, set: {x: 1}}\n";
    assert_eq!(diff["unified"], expected);
    let back = json!({"workflow": "d", "from": 2, "to": 1});
    let back = call(&mesh, "diff_workflow", back).await;
    assert_eq!(back["added"], json!(["a"]));
    let file = json!({"workflow": "d", "source": second});
    let same = call(&mesh, "diff_workflow", file).await;
    assert_eq!((&same["from"], &same["to"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&same["unified"], &same["changed"]),
        (&json!(""), &json!([]))
    );
    let both = json!({"workflow": "d", "source": second, "to": 1});
    let refused = fault(&mesh, "diff_workflow", both).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    let missing = json!({"workflow": "d", "from": 7});
    let refused = fault(&mesh, "diff_workflow", missing).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    let broken = json!({"workflow": "d", "source": "a: [\n"});
    let refused = fault(&mesh, "diff_workflow", broken).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
}
