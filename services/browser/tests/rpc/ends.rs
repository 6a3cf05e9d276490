//! What ends a session, a page and the browser.

use std::time::Duration;

use gearmesh_testkit::{TestMesh, wait_until};
use serde_json::json;
use tonic::Code;

use crate::support::{
    Site, call, call_in, effect_is_unknown, engine, engine_with, go, go_in, h1, processes, reason,
    sandbox,
};

/// Far more than anything here takes.
const MAX: Duration = Duration::from_secs(20);

/// The profile folder of a mesh, which is in the command line of its browser.
fn profiles(mesh: &TestMesh) -> String {
    let folder = mesh.folder().canonicalize().unwrap();
    folder.join("browser/profile-").display().to_string()
}

#[tokio::test]
async fn nothing_is_left_when_the_engine_stops() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/items").await;
    let mark = profiles(&mesh);
    assert!(!processes(&mark).is_empty(), "a browser runs");
    mesh.stop().await;
    assert_eq!(processes(&mark), [] as [i32; 0]);
    assert!(
        !std::path::Path::new(&mark).parent().unwrap().exists(),
        "with the folder of the test"
    );
}

#[tokio::test]
async fn idle_sessions_end_and_the_browser_with_the_last() {
    let site = Site::start().await;
    let mesh = engine_with(&site, |config| config.set("browser.idleSeconds", 1)).await;
    go(&mesh, "/items").await;
    let mark = profiles(&mesh);
    wait_until("the browser ends", MAX, || processes(&mark).is_empty()).await;
    let left = || {
        std::fs::read_dir(mesh.folder().join("browser"))
            .unwrap()
            .count()
    };
    wait_until("its folder is removed", MAX, || left() == 0).await;
    let status = call(&mesh, "extract", h1()).await.unwrap_err();
    assert_eq!(reason(&status), "SESSION_LOST");
    assert_eq!(
        go(&mesh, "/items").await["title"],
        "Items",
        "a new one starts"
    );
    mesh.stop().await;
}

#[tokio::test]
async fn killed_browser_is_told_once_and_then_started_anew() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go_in(&mesh, "run_1", "/items").await;
    go_in(&mesh, "run_2", "/items").await;
    let mark = profiles(&mesh);
    let long = json!({"script": "new Promise(() => {})"});
    let (held, ()) = tokio::join!(call_in(&mesh, "run_1", "evaluate", long), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for pid in processes(&mark) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let status = held.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "SESSION_LOST")
    );
    assert!(effect_is_unknown(&status));
    // The caller of the first knows it; that of the second is told now.
    assert_eq!(go_in(&mesh, "run_1", "/items").await["title"], "Items");
    let params = json!({"url": "/items", "connection": "site"});
    let status = call_in(&mesh, "run_2", "navigate", params)
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "SESSION_LOST");
    assert_eq!(go_in(&mesh, "run_2", "/items").await["title"], "Items");
    mesh.stop().await;
    assert_eq!(processes(&mark), [] as [i32; 0]);
}

#[tokio::test]
async fn crashed_page_is_lost_and_its_session_goes_on() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/set/ada").await;
    let mark = profiles(&mesh);
    let held = call(
        &mesh,
        "evaluate",
        json!({"script": "new Promise(() => {})"}),
    );
    let (held, ()) = tokio::join!(held, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The folder is that of the browser; its pages are the renderers below it.
        let browsers = processes(&mark);
        for pid in processes("--type=renderer") {
            let status = std::fs::read_to_string(format!("/proc/{pid}/cwd"));
            drop(status);
            if descends(pid, &browsers) {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    });
    assert_eq!(reason(&held.unwrap_err()), "SESSION_LOST");
    go(&mesh, "/who").await;
    let read = call(&mesh, "extract", json!({"selectors": {"v": "#who"}}))
        .await
        .unwrap();
    assert_eq!(read["data"]["v"], "who=ada");
    mesh.stop().await;
}

/// Whether a process is below one of others.
fn descends(mut pid: i32, from: &[i32]) -> bool {
    while pid > 1 {
        if from.contains(&pid) {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some(parent) = stat
            .rsplit(')')
            .next()
            .and_then(|s| s.split_whitespace().nth(1))
        else {
            return false;
        };
        pid = parent.parse().unwrap_or(0);
    }
    false
}

#[tokio::test]
async fn caller_that_leaves_frees_its_page() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/items").await;
    let left = tokio::time::timeout(
        Duration::from_millis(300),
        call(
            &mesh,
            "evaluate",
            json!({"script": "(() => { while (true) {} })()"}),
        ),
    );
    assert!(left.await.is_err());
    let read = call(
        &mesh,
        "extract",
        json!({"selectors": {"v": "h1"}, "page": "p1"}),
    )
    .await
    .unwrap();
    assert_eq!(read["data"]["v"], "Items");
    mesh.stop().await;
}

#[tokio::test]
async fn browser_whose_caller_left_while_it_started_is_ended_too() {
    let site = Site::start().await;
    let mesh = engine_with(&site, |config| config.set("browser.idleSeconds", 1)).await;
    let mark = profiles(&mesh);
    let params = json!({"url": "/items", "connection": "site"});
    for run in ["run_1", "run_2"] {
        let asked = call_in(&mesh, run, "navigate", params.clone());
        let begun = wait_until("a browser starts", MAX, || !processes(&mark).is_empty());
        tokio::select! {
            _ = asked => panic!("it cannot be open by then"),
            () = begun => {}
        }
    }
    wait_until("no browser is left", MAX, || processes(&mark).is_empty()).await;
    mesh.stop().await;
}

#[tokio::test]
async fn missing_browser_is_explained() {
    let site = Site::start().await;
    let mesh = engine_with(&site, |c| c.set("browser.executable", "/nowhere/chromium")).await;
    let params = json!({"url": "/items", "connection": "site"});
    let status = call(&mesh, "navigate", params.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "BROWSER_UNAVAILABLE")
    );
    assert!(status.message().contains("/nowhere/chromium"), "{status:?}");
    mesh.stop().await;
    let mesh = engine_with(&site, |c| c.set("browser.executable", "/bin/false")).await;
    let status = call(&mesh, "navigate", params.clone()).await.unwrap_err();
    assert!(status.message().contains("did not start"), "{status:?}");
    assert_eq!(
        std::fs::read_dir(mesh.folder().join("browser"))
            .unwrap()
            .count(),
        0
    );
    mesh.stop().await;
    if rustix::process::geteuid().is_root() {
        let mesh = TestMesh::start_with(&[gearmesh_browser::SERVICE], |config| {
            sandbox(config);
            config.set("browser.sandbox", "on");
        })
        .await;
        let params = json!({"url": "http://1.1.1.1/"});
        let status = call(&mesh, "navigate", params).await.unwrap_err();
        assert!(status.message().contains("sandbox = \"off\""), "{status:?}");
        mesh.stop().await;
    }
}
