//! Who uses which page, what ends a session, and what it may call.

mod support;

use std::time::Duration;

use gearmesh_link::Call;
use gearmesh_testkit::{TestMesh, wait_until};
use serde_json::{Value, json};
use support::{Site, call, call_in, engine, engine_with, go, in_run, processes, reason, sandbox};
use tonic::Code;

/// Far more than anything here takes.
const MAX: Duration = Duration::from_secs(20);

async fn go_in(mesh: &TestMesh, run: &str, path: &str) -> Value {
    let params = json!({"url": path, "connection": "site"});
    call_in(mesh, run, "navigate", params).await.unwrap()
}

fn h1() -> Value {
    json!({"selectors": {"v": "h1"}})
}

/// The profile folder of a mesh, which is in the command line of its browser.
fn profiles(mesh: &TestMesh) -> String {
    let folder = mesh.folder().canonicalize().unwrap();
    folder.join("browser/profile-").display().to_string()
}

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
    assert!(support::effect_is_unknown(&status));
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
async fn page_reaches_nothing_private() {
    let (site, private) = (Site::start().await, Site::start().await);
    let mesh = engine(&site).await;
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let opened = go(&mesh, &format!("/greedy/{}", private.port())).await;
    assert_eq!(opened["title"], "Greedy");
    let blocked: Vec<&str> = opened["blocked"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for server in [
        format!("127.0.0.1:{}", private.port()),
        format!("localhost:{}", private.port()),
        "169.254.169.254:80".to_owned(),
    ] {
        assert!(blocked.contains(&server.as_str()), "{server}: {blocked:?}");
    }
    let script = format!(
        "(async () => {{ const c = new RTCPeerConnection({{iceServers: [{{urls: 'stun:127.0.0.1:{}'}}]}});
         c.createDataChannel('x'); await c.setLocalDescription(await c.createOffer());
         await new Promise(r => setTimeout(r, 1500)); return 1 }})()",
        udp.local_addr().unwrap().port()
    );
    call(&mesh, "evaluate", json!({"script": script}))
        .await
        .unwrap();
    let mut buffer = [0; 64];
    assert!(
        udp.try_recv_from(&mut buffer).is_err(),
        "WebRTC sent a packet"
    );
    // A redirect and a script of the page get there no more.
    let lead = format!("/lead/{}", private.at("/private"));
    let status = call(
        &mesh,
        "navigate",
        json!({"url": lead, "connection": "site"}),
    )
    .await
    .unwrap_err();
    assert_eq!(reason(&status), "EGRESS_DENIED", "{status:?}");
    go(&mesh, "/items").await;
    for target in [private.at("/private"), "file:///etc/passwd".to_owned()] {
        let script = format!("location.href = {}, 1", json!(target));
        call(&mesh, "evaluate", json!({"script": script}))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let read = call(&mesh, "extract", json!({"selectors": {"v": "body"}}))
            .await
            .unwrap();
        let text = read["data"]["v"].as_str().unwrap_or_default();
        assert!(
            text != "private" && !text.contains("root:"),
            "{target}: {text}"
        );
        go(&mesh, "/items").await;
    }
    assert_eq!(private.paths(), [] as [String; 0]);
    // What one session was let to reach, another is not.
    let params = json!({"url": site.at("/items"), "session": "other"});
    let status = call(&mesh, "navigate", params).await.unwrap_err();
    assert_eq!(reason(&status), "EGRESS_DENIED");
    mesh.stop().await;
}

#[tokio::test]
async fn configuration_opens_servers_and_no_text_is_misread() {
    let site = Site::start().await;
    let mesh = engine_with(&site, |config| {
        config.set("browser.allow", json!([site.url.clone()]));
    })
    .await;
    let opened = call(&mesh, "navigate", json!({"url": site.at("/items")}))
        .await
        .unwrap();
    assert_eq!(opened["status"], 200);
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
