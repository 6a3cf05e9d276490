//! Opening pages.

use serde_json::{Value, json};
use tonic::Code;

use crate::support::{Site, call, engine, go, reason};

#[tokio::test]
async fn navigate_opens_waits_and_tells() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    let opened = go(&mesh, "/to").await;
    assert_eq!(opened["url"], site.at("/items"), "after the redirect");
    assert_eq!(opened["status"], 200);
    assert_eq!(opened["title"], "Items");
    assert_eq!(opened["session"], "default");
    assert_eq!(opened["page"], "p1");
    assert_eq!(opened["blocked"], json!([]));
    let missing = go(&mesh, "/missing").await;
    assert_eq!(
        (&missing["status"], &missing["title"]),
        (&json!(404), &json!("Gone"))
    );
    assert_eq!(missing["page"], "p1", "one page goes on");

    let ask = |params: Value| {
        let mut params = params;
        params["connection"] = "site".into();
        call(&mesh, "navigate", params)
    };
    let waited = ask(json!({"url": "/act", "waitForSelector": "#late"}))
        .await
        .unwrap();
    assert_eq!(waited["title"], "Act");
    let status = ask(json!({"url": "/items", "waitForSelector": "#never", "timeout": 3000}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ELEMENT_NOT_FOUND");
    let status = ask(json!({"url": "/slow", "timeout": "500ms"}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "TIMEOUT");
    // The page is free again, and what it was loading is stopped.
    assert_eq!(go(&mesh, "/items").await["page"], "p1");
    // A page that never comes to rest is open all the same.
    assert_eq!(go(&mesh, "/poll").await["title"], "Poll");
    // A page that does not come at first.
    assert_eq!(go(&mesh, "/flaky").await["title"], "At last");
    mesh.stop().await;
}

#[tokio::test]
async fn navigate_refuses_what_is_no_page() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    for (url, code) in [
        ("file:///etc/passwd", Code::InvalidArgument),
        ("chrome://version", Code::InvalidArgument),
        ("view-source:http://1.1.1.1", Code::InvalidArgument),
        ("javascript:alert(1)", Code::InvalidArgument),
        ("http://user:pw@1.1.1.1/", Code::InvalidArgument),
        ("/no/connection", Code::InvalidArgument),
    ] {
        let status = call(&mesh, "navigate", json!({"url": url}))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{url}: {status:?}");
        assert!(!status.message().contains("pw"), "{status:?}");
    }
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://1.1.1.1:22/",
    ] {
        let status = call(&mesh, "navigate", json!({"url": url}))
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "EGRESS_DENIED", "{url}");
    }
    let status = call(&mesh, "navigate", json!({"url": "http://name.invalid/"}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NAVIGATION_FAILED");
    let status = call(
        &mesh,
        "navigate",
        json!({"url": "/x", "connection": "other"}),
    )
    .await
    .unwrap_err();
    assert_eq!(reason(&status), "CONNECTION_NOT_FOUND");
    let status = call(
        &mesh,
        "extract",
        json!({"selectors": {"a": "a"}, "session": "s"}),
    )
    .await
    .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "SESSION_LOST")
    );
    mesh.stop().await;
}
