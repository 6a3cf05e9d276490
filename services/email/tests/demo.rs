//! The engine against the stand-in that `dev` brings along.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and tells one story"
)]

use gearmesh_demo::DemoMail;
use gearmesh_fault::Failure;
use gearmesh_runtime::CancellationToken;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

struct Dev {
    mesh: TestMesh,
    stop: CancellationToken,
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn dev() -> Dev {
    let (demo, at) = DemoMail::bind().await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(demo.serve(stop.clone()));
    let mesh = TestMesh::start_with(&[gearmesh_email::SERVICE], |config| {
        for (name, kind, address) in [("demo-mail", "smtp", at.smtp), ("demo-inbox", "imap", at.imap)] {
            let connection = json!({"kind": kind, "host": address.ip().to_string(), "port": address.port(),
                "username": "demo", "password": "demo", "allowPlain": true});
            config.set(&format!("connections.{name}"), connection);
        }
    })
    .await;
    Dev { mesh, stop }
}

impl Dev {
    async fn call(&self, tool: &str, params: Value) -> Value {
        let answer = self.mesh.call(tool, params).await;
        answer.unwrap_or_else(|e| panic!("{tool}: {:?}", Failure::of(&e)))
    }

    async fn subjects(&self, tool: &str, params: Value) -> Vec<String> {
        let answer = self.call(tool, params).await;
        let emails = answer["emails"].as_array().unwrap();
        emails
            .iter()
            .map(|m| m["subject"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn mail_to_anybody_is_in_the_demo_inbox() {
    let dev = dev().await;
    let list = dev.call("email.list_connections", json!({})).await;
    assert_eq!(list["count"], 2);
    assert!(!list.to_string().contains("password"));
    let sent = dev
        .call(
            "email.smtp_send",
            json!({"from": "a@example.test", "to": ["x@example.test", "y@elsewhere.test"], "subject": "grün ✓",
                "text": "first\n.\n..\nlast", "html": "<p>x</p>",
                "attachments": [{"filename": "a.bin", "content": "AAECAw=="}]}),
        )
        .await;
    let mail = dev.call("email.imap_fetch", json!({"limit": 1})).await["emails"][0].clone();
    assert_eq!(mail["messageId"], sent["messageId"]);
    assert_eq!(mail["subject"], "grün ✓");
    assert!(
        mail["text"]
            .as_str()
            .unwrap()
            .replace("\r\n", "\n")
            .starts_with("first\n.\n..\nlast")
    );
    assert_eq!(mail["attachments"][0]["content"], "AAECAw==");
    let refused = json!({"from": "a@b.test", "to": ["refuse@x.test"], "subject": "s", "text": "t"});
    let failure = Failure::of(&dev.mesh.call("email.smtp_send", refused).await.unwrap_err());
    assert_eq!(
        (failure.reason.as_str(), failure.retryable),
        ("EMAIL_SEND_FAILED", false)
    );
}

#[tokio::test]
async fn demo_inbox_is_searched_and_marked() {
    let dev = dev().await;
    let search = "email.imap_search";
    let all = dev.subjects(search, json!({})).await;
    assert_eq!(
        (all.len(), all[1].as_str(), all[2].as_str()),
        (3, "Order 17", "Welcome"),
        "{all:?}"
    );
    let order = ["Order 17".to_owned()];
    for params in [
        json!({"from": "ann@"}),
        json!({"subject": "ORDER"}),
        json!({"body": "attached"}),
        json!({"hasAttachment": true, "from": "example.test", "body": "attached"}),
        json!({"to": "you@", "from": "Ann", "after": "2026-01-01", "unread": true, "starred": false}),
    ] {
        assert_eq!(
            dev.subjects(search, params.clone()).await,
            order,
            "{params}"
        );
    }
    for params in [
        json!({"label": "x"}),
        json!({"subject": "grün"}),
        json!({"before": "2020-01-01"}),
        json!({"unread": false}),
    ] {
        assert!(
            dev.subjects(search, params.clone()).await.is_empty(),
            "{params}"
        );
    }
    let fetch = "email.imap_fetch";
    let criteria = json!({"criteria": [["OR", ["SUBJECT", "welcome"], [["FROM", "ann"], "UNSEEN"]], "!FLAGGED"]});
    assert_eq!(dev.subjects(fetch, criteria).await, ["Order 17", "Welcome"]);
    dev.call(
        fetch,
        json!({"criteria": [["SUBJECT", "order"]], "markSeen": true}),
    )
    .await;
    assert_eq!(
        dev.subjects(fetch, json!({"criteria": ["SEEN"]})).await,
        order
    );
    let failure = Failure::of(
        &dev.mesh
            .call(fetch, json!({"folder": "x"}))
            .await
            .unwrap_err(),
    );
    assert_eq!(failure.reason, "FOLDER_NOT_FOUND");
}
