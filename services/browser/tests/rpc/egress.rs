//! What pages may call.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Site, call, engine, engine_with, go, reason};

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
