//! From a request to the mail that arrives, over Postfix and Dovecot.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and tells one story"
)]

mod scene;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use scene::{PASSWORD, Scene, keyed, subjects};
use serde_json::{Value, json};
use tonic::Code;

fn letter() -> Value {
    json!({"from": "Ann <ann@test>", "to": ["bob@test"], "subject": "Hello", "text": "Hi"})
}

fn with(extra: Value) -> Value {
    let mut letter = letter();
    for (key, value) in extra.as_object().unwrap() {
        letter[key] = value.clone();
    }
    letter
}

#[tokio::test]
async fn mail_arrives_with_all_that_it_was_given() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let lines = b"bare\nline\rends\r\n.\r\n\0".to_vec();
    let big: Vec<u8> = (0..9 * 1024 * 1024_u32)
        .map(|n| n.to_le_bytes()[1])
        .collect();
    scene
        .call(
            "file.write",
            json!({"path": "big.bin", "data": BASE64.encode(&big), "encoding": "binary"}),
        )
        .await;
    let sent = scene
        .call(
            "email.smtp_send",
            json!({
                "connectionId": "out",
                "from": "\"Ann, Ä.\" <ann@test>",
                "to": ["Bob <bob@test>", "carl@test"],
                "cc": ["dora@test"],
                "bcc": ["eve@test"],
                "replyTo": "Desk <desk@test>",
                "subject": "Grüße ✓ und ein sehr langer Betreff, der gewiss nicht in eine einzige Zeile passt",
                "text": "plain ä\n.\n..x\n\nend",
                "html": "<p>rich ä <img src=\"cid:logo@1\"></p>",
                "attachments": [
                    {"filename": "bytes.bin", "content": BASE64.encode(&bytes)},
                    {"filename": "Übersicht 1.csv", "content": BASE64.encode(&lines), "contentType": "text/csv"},
                    {"filename": "big.dat", "path": "big.bin"},
                    {"filename": "logo.png", "content": BASE64.encode(b"png"), "contentId": "logo@1"},
                    {"filename": "empty.txt", "content": ""},
                ],
            }),
        )
        .await;
    assert_eq!(sent["accepted"], 4);
    let mails = scene.fetch(json!({"connectionId": "in"}), 1).await;
    let mail = &mails[0];
    assert_eq!(mail["messageId"], sent["messageId"]);
    assert_eq!(mail["from"], "\"Ann, Ä.\" <ann@test>");
    assert_eq!(mail["to"], json!(["Bob <bob@test>", "carl@test"]));
    assert_eq!(mail["cc"], json!(["dora@test"]));
    assert_eq!(mail["bcc"], json!([]));
    assert_eq!(mail["replyTo"], json!(["Desk <desk@test>"]));
    assert!(
        mail["subject"]
            .as_str()
            .unwrap()
            .starts_with("Grüße ✓ und ein sehr")
    );
    assert!(mail["subject"].as_str().unwrap().ends_with("Zeile passt"));
    assert_eq!(
        mail["text"]
            .as_str()
            .unwrap()
            .replace("\r\n", "\n")
            .trim_end(),
        "plain ä\n.\n..x\n\nend"
    );
    assert!(mail["html"].as_str().unwrap().contains("rich ä"));
    assert_eq!(
        (&mail["partial"], &mail["folder"]),
        (&json!(false), &json!("INBOX"))
    );
    assert!(mail["uid"].as_u64().unwrap() > 0);
    assert!(mail["date"].as_str().unwrap().starts_with("20"));
    assert!(
        !mail.to_string().contains("eve@test"),
        "a hidden recipient is seen"
    );
    let files = mail["attachments"].as_array().unwrap();
    let of = |name: &str| {
        let file = files.iter().find(|f| f["filename"] == name);
        let file = file.unwrap_or_else(|| panic!("{name}"));
        let content = BASE64.decode(file["content"].as_str().unwrap()).unwrap();
        assert_eq!(file["size"], json!(content.len()));
        (
            content,
            file["contentType"].as_str().unwrap(),
            file["contentId"].as_str().unwrap(),
        )
    };
    assert_eq!(of("bytes.bin"), (bytes, "application/octet-stream", ""));
    assert_eq!(of("Übersicht 1.csv"), (lines, "text/csv", ""));
    assert!(of("big.dat").0 == big);
    assert_eq!(of("logo.png"), (b"png".to_vec(), "image/png", "logo@1"));
    assert_eq!(of("empty.txt"), (vec![], "text/plain", ""));
    // The hidden recipient has it all the same.
    let eve = scene.server("eve", scene.mail.imaps(), "eve");
    scene.call("email.imap_connect", eve).await;
    let hidden = scene.fetch(json!({"connectionId": "eve"}), 1).await;
    assert_eq!(hidden[0]["messageId"], sent["messageId"]);
}

#[tokio::test]
async fn key_sends_once_and_makes_the_id() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let sessions = || scene.mail.log().matches("]: connect from").count();
    let before = sessions();
    let first = scene
        .mesh
        .call_as("email.smtp_send", letter(), keyed("order-17"))
        .await
        .unwrap();
    let again = scene
        .mesh
        .call_as("email.smtp_send", letter(), keyed("order-17"))
        .await
        .unwrap();
    assert_eq!(first, again);
    // The session is used again; another mail has another id.
    let other = scene.call("email.smtp_send", letter()).await;
    assert_ne!(first["messageId"], other["messageId"]);
    assert!(first["messageId"].as_str().unwrap().ends_with("@test"));
    let mails = scene.fetch(json!({"connectionId": "in"}), 2).await;
    // Which of two at once is delivered first is the server's choice.
    let same = |m: &&Value| m["messageId"] == first["messageId"];
    assert_eq!(mails.iter().filter(same).count(), 1);
    assert_eq!(sessions(), before + 1, "{}", scene.mail.log());
}

#[tokio::test]
async fn refused_recipient_stops_the_mail_for_all() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let to = |to: &str| with(json!({"to": ["bob@test", to]}));
    let failure = scene.refusal("email.smtp_send", to("refused@test")).await;
    assert_eq!(
        (failure.code, failure.reason.as_str(), failure.retryable),
        (Code::FailedPrecondition, "EMAIL_SEND_FAILED", false)
    );
    assert!(failure.message.contains("refused@test") && failure.message.contains("No such user"));
    assert!(failure.without_effect());
    let failure = scene.refusal("email.smtp_send", to("later@test")).await;
    assert_eq!(
        (failure.code, failure.retryable, failure.without_effect()),
        (Code::Unavailable, true, true)
    );
    // A send that surely had no effect is free to be sent again under its key.
    let status = scene
        .mesh
        .call_as("email.smtp_send", to("later@test"), keyed("k"))
        .await;
    assert_eq!(status.unwrap_err().code(), Code::Unavailable);
    let again = scene
        .mesh
        .call_as("email.smtp_send", to("later@test"), keyed("k"))
        .await;
    assert_eq!(again.unwrap_err().code(), Code::Unavailable);
    scene
        .call("email.smtp_send", with(json!({"subject": "last"})))
        .await;
    let mails = scene.fetch(json!({"connectionId": "in"}), 1).await;
    assert_eq!(subjects(&mails), ["last"]);
}

#[tokio::test]
async fn request_that_cannot_be_a_mail_reaches_no_server() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let evil = "x@test>\r\nRCPT TO:<eve@test";
    for (bad, reason) in [
        (
            json!({"subject": "a\r\nBcc: eve@test"}),
            "EMAIL_INVALID_ADDRESS",
        ),
        (
            json!({"from": "a\nBcc: eve@test <a@test>"}),
            "EMAIL_INVALID_ADDRESS",
        ),
        (json!({"from": "nobody"}), "EMAIL_INVALID_ADDRESS"),
        (json!({"to": [evil]}), "EMAIL_INVALID_ADDRESS"),
        (
            json!({"cc": ["bob@test, eve@test"]}),
            "EMAIL_INVALID_ADDRESS",
        ),
        (json!({"bcc": ["bob@test\0"]}), "EMAIL_INVALID_ADDRESS"),
        (
            json!({"replyTo": "a@test\r\nX: y"}),
            "EMAIL_INVALID_ADDRESS",
        ),
        (json!({"to": []}), "INVALID_PARAMETERS"),
        (json!({"to": vec!["bob@test"; 101]}), "INVALID_PARAMETERS"),
        (json!({"bcc": vec!["bob@test"; 100]}), "INVALID_PARAMETERS"),
        (json!({"text": ""}), "INVALID_PARAMETERS"),
        (json!({"subject": ""}), "INVALID_PARAMETERS"),
        (
            json!({"attachments": [{"filename": "a"}]}),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"attachments": [{"filename": "a", "content": "", "path": "a"}]}),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"attachments": [{"filename": "../a", "content": ""}]}),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"attachments": [{"filename": "a\r\nX: y", "content": ""}]}),
            "EMAIL_INVALID_ADDRESS",
        ),
        (
            json!({"attachments": [{"filename": "a", "content": "", "contentType": "x"}]}),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"attachments": [{"filename": "a", "content": "", "contentId": "a b"}]}),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"attachments": [{"filename": "a", "path": "nowhere.txt"}]}),
            "FILE_NOT_FOUND",
        ),
        (
            json!({"attachments": [{"filename": "a", "path": "/etc/passwd"}]}),
            "PATH_ESCAPES_ROOT",
        ),
        (json!({"connectionId": "nowhere"}), "CONNECTION_NOT_FOUND"),
    ] {
        let failure = scene.refusal("email.smtp_send", with(bad.clone())).await;
        assert_eq!(failure.reason, reason, "{bad}: {}", failure.message);
        assert!(failure.without_effect(), "{bad}");
    }
    assert!(!scene.mail.log().contains("eve@test"));
}

#[tokio::test]
async fn attachments_are_bounded_by_their_sum() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    const MIB: usize = 1024 * 1024;
    for (name, size) in [("a.bin", 13 * MIB), ("b.bin", 12 * MIB)] {
        let data = BASE64.encode(vec![0; size]);
        let file = json!({"path": name, "data": data, "encoding": "binary"});
        scene.call("file.write", file).await;
    }
    let files = |more: &[&str]| {
        let mut all = vec![
            json!({"filename": "a", "path": "a.bin"}),
            json!({"filename": "b", "path": "b.bin"}),
        ];
        all.extend(more.iter().map(|c| json!({"filename": "c", "content": c})));
        with(json!({"attachments": all}))
    };
    scene.call("email.smtp_send", files(&[""])).await;
    let failure = scene.refusal("email.smtp_send", files(&["AA=="])).await;
    assert_eq!(
        failure.reason, "EMAIL_ATTACHMENT_TOO_LARGE",
        "{}",
        failure.message
    );
    // What does not fit into one answer is named, with its size.
    let mails = scene.fetch(json!({"connectionId": "in"}), 1).await;
    let files = mails[0]["attachments"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    assert_eq!(
        (&files[0]["omitted"], &files[0]["size"]),
        (&json!(true), &json!(13 * MIB))
    );
    assert_eq!(files[0]["content"], "");
}

#[tokio::test]
async fn password_comes_from_the_vault_and_is_nowhere_else() {
    let scene = Scene::start().await;
    for (vault, value) in [
        ("plain", PASSWORD.to_owned()),
        (
            "pair",
            json!({"username": "bob", "password": PASSWORD}).to_string(),
        ),
    ] {
        let set = json!({"vaultName": vault, "credentialName": "mail", "value": value});
        scene.call("vault.set", set).await;
    }
    let mut by_names = scene.server("names", scene.mail.smtps(), "bob");
    by_names.as_object_mut().unwrap().remove("password");
    by_names["vaultName"] = json!("plain");
    by_names["credentialName"] = json!("mail");
    scene.call("email.smtp_connect", by_names.clone()).await;
    let mut by_reference = scene.server("reference", scene.mail.imaps(), "");
    by_reference["password"] = json!("vault://pair/mail");
    scene.call("email.imap_connect", by_reference).await;
    scene.call("email.smtp_send", letter()).await;
    scene.fetch(json!({}), 1).await;
    let list = scene.call("email.list_connections", json!({})).await;
    assert_eq!(list["count"], 2);
    assert_eq!(list["connections"][0]["username"], "bob");
    assert!(!list.to_string().contains(PASSWORD) && !list.to_string().contains("vault://"));
    for extra in [
        json!({"password": PASSWORD}),
        json!({"vaultName": ""}),
        json!({"credentialName": ""}),
    ] {
        let mut bad = by_names.clone();
        for (key, value) in extra.as_object().unwrap() {
            bad[key] = value.clone();
        }
        let failure = scene.refusal("email.smtp_connect", bad).await;
        assert_eq!(failure.reason, "INVALID_PARAMETERS", "{extra}");
    }
    by_names["credentialName"] = json!("nothing");
    let failure = scene.refusal("email.smtp_connect", by_names).await;
    assert_eq!(failure.code, Code::NotFound, "{}", failure.message);
}
