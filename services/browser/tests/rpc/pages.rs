//! Who uses which page, and which session.

use std::time::Duration;

use gearmesh_link::Call;
use serde_json::json;

use crate::support::{Site, call_in, engine, go_in, h1, in_run, reason};

#[tokio::test]
async fn parallel_reads_have_pages_of_their_own_and_leave_one() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go_in(&mesh, "run_1", "/page/7").await;
    let slow = json!({"script": "new Promise(r => setTimeout(() => r(document.title), 1500))"});
    let (held, read, shot) = tokio::join!(
        call_in(&mesh, "run_1", "evaluate", slow),
        call_in(&mesh, "run_1", "extract", h1()),
        call_in(&mesh, "run_1", "screenshot", json!({})),
    );
    let (held, read) = (held.unwrap(), read.unwrap());
    shot.unwrap();
    assert_eq!(held["result"], "Page 7");
    assert_eq!(read["data"]["v"], "7", "the copy is at the same place");
    let sessions = mesh
        .call_as("browser.session_list", json!({}), in_run("run_1"))
        .await
        .unwrap();
    let pages = sessions["sessions"][0]["pages"].as_array().unwrap();
    assert_eq!(
        pages.len(),
        1,
        "copies that were read go with their calls: {sessions}"
    );
    assert_eq!(pages[0]["busy"], false);
    // What acts in parallel keeps its copy and names it.
    let slow = json!({"script": "new Promise(r => setTimeout(() => r(1), 1500))"});
    let (first, second) = tokio::join!(
        call_in(&mesh, "run_1", "evaluate", slow),
        call_in(
            &mesh,
            "run_1",
            "evaluate",
            json!({"script": "document.title = 'acted'"})
        ),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first["page"], second["page"]);
    let place = json!({"page": second["page"]});
    let place = call_in(&mesh, "run_1", "current_url", place).await.unwrap();
    assert!(place["title"] == "acted" || place["title"] == "Page 7");
    mesh.stop().await;
}

#[tokio::test]
async fn parallel_branches_go_on_with_the_page_that_they_name() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go_in(&mesh, "run_1", "/page/0").await;
    let branch = async |n: u32| {
        let opened = go_in(&mesh, "run_1", &format!("/page/{n}")).await;
        let params = json!({"selectors": {"v": "h1"}, "page": opened["page"]});
        let read = call_in(&mesh, "run_1", "extract", params).await.unwrap();
        assert_eq!(read["data"]["v"], n.to_string());
        assert_eq!(read["page"], opened["page"]);
        opened["page"].as_str().unwrap().to_owned()
    };
    let (a, b, c) = tokio::join!(branch(1), branch(2), branch(3));
    assert!(a != b && b != c && a != c);
    // Without a name: the page used last.
    let opened = go_in(&mesh, "run_1", "/page/9").await;
    let read = call_in(&mesh, "run_1", "extract", h1()).await.unwrap();
    assert_eq!(
        (&read["data"]["v"], &read["page"]),
        (&json!("9"), &opened["page"])
    );
    // A named page is waited for.
    let hold = json!({"script": "new Promise(r => setTimeout(() => {document.querySelector('h1').textContent = 'later'; r(1)}, 500))", "page": a});
    let ask = json!({"selectors": {"v": "h1"}, "page": a});
    let held = call_in(&mesh, "run_1", "evaluate", hold);
    let asked = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        call_in(&mesh, "run_1", "extract", ask).await
    };
    let (held, asked) = tokio::join!(held, asked);
    held.unwrap();
    assert_eq!(asked.unwrap()["data"]["v"], "later");
    let status = call_in(
        &mesh,
        "run_1",
        "extract",
        json!({"selectors": {"v": "h1"}, "page": "p99"}),
    )
    .await;
    assert_eq!(reason(&status.unwrap_err()), "SESSION_LOST");
    mesh.stop().await;
}

#[tokio::test]
async fn pages_of_a_session_are_bounded() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go_in(&mesh, "run_1", "/items").await;
    let opened = |n: usize| {
        let mesh = &mesh;
        async move {
            let params = json!({"url": format!("/page/{n}"), "connection": "site"});
            call_in(mesh, "run_1", "navigate", params).await
        }
    };
    let all = futures::future::join_all((0..20).map(opened)).await;
    let refused: Vec<_> = all.iter().filter_map(|r| r.as_ref().err()).collect();
    assert!(!refused.is_empty(), "16 pages and no more");
    for status in refused {
        assert_eq!(reason(status), "CONTEXT_LIMIT");
        assert!(gearmesh_fault::Failure::of(status).retryable);
    }
    mesh.stop().await;
}

#[tokio::test]
async fn sessions_share_nothing() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go_in(&mesh, "run_1", "/set/ada").await;
    let who = async |call: Call, session: &str| {
        let params = json!({"url": "/who", "connection": "site", "session": session});
        let opened = mesh
            .call_as("browser.navigate", params, call.clone())
            .await
            .unwrap();
        let params = json!({"selectors": {"v": "#who"}, "session": session});
        let read = mesh.call_as("browser.extract", params, call).await.unwrap();
        (opened["session"].clone(), read["data"]["v"].clone())
    };
    let by = |principal: &str| Call {
        principal: Some(principal.to_owned()),
        ..Call::default()
    };
    assert_eq!(
        who(in_run("run_1"), "").await,
        (json!("run_1"), json!("who=ada"))
    );
    assert_eq!(
        who(in_run("run_2"), "").await,
        (json!("run_2"), json!("nobody"))
    );
    assert_eq!(
        who(Call::default(), "").await,
        (json!("default"), json!("nobody"))
    );
    assert_eq!(
        who(in_run("run_1"), "shop").await,
        (json!("shop"), json!("nobody"))
    );
    assert_eq!(
        who(Call::default(), "run_1").await,
        (json!("run_1"), json!("who=ada"))
    );
    // Another principal has another session of any name.
    assert_eq!(
        who(by("eve"), "run_1").await,
        (json!("run_1"), json!("nobody"))
    );
    let listed = mesh
        .call_as("browser.session_list", json!({}), by("eve"))
        .await
        .unwrap();
    assert_eq!(listed["count"], 1, "{listed}");
    let closed = mesh
        .call_as(
            "browser.session_close",
            json!({"session": "run_1"}),
            by("eve"),
        )
        .await
        .unwrap();
    assert_eq!(
        (&closed["closed"], &closed["urls"]),
        (&json!(true), &json!([site.at("/who")]))
    );
    // That of the run is untouched; closing what is not there is success.
    assert_eq!(who(in_run("run_1"), "").await.1, "who=ada");
    let again = mesh
        .call_as(
            "browser.session_close",
            json!({"session": "run_1"}),
            by("eve"),
        )
        .await
        .unwrap();
    assert_eq!(again["closed"], false);
    let status = mesh
        .call_as("browser.extract", h1(), by("eve"))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "SESSION_LOST");
    mesh.stop().await;
}
