//! Search and fetch of a real mailbox, and what hostile mail does there: nothing.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and tells one story"
)]

mod scene;

use std::fmt::Write as _;

use scene::{Scene, subjects};
use serde_json::{Value, json};

fn raw(from: &str, to: &str, subject: &str, body: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sun, 01 Nov 2026 10:00:00 +0200\r\n\r\n{body}\r\n").into_bytes()
}

const WITH_FILE: &str = "From: dora@test\r\nTo: bob@test\r\nSubject: file\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee\r\n\
    --b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=\"../../a.csv\"\r\n\r\na,b\r\n--b--\r\n";

/// A mailbox with five mails, oldest first: invoice, grün, quote, file, newest.
async fn mailbox() -> Scene {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let mails = [
        raw("Ann <ann@test>", "bob@test", "invoice 1", "pay please"),
        raw(
            "carl@test",
            "bob@test, team@test",
            "=?utf-8?Q?gr=C3=BCn?=",
            "tree",
        ),
        raw("ann@test", "bob@test", "a \"quote\" \\ {5} (x", "OR ALL"),
        WITH_FILE.as_bytes().to_vec(),
        raw("eve@test", "bob@test", "newest", "=?"),
    ];
    for mail in &mails {
        scene.mail.deliver("bob", mail);
    }
    scene.fetch(json!({}), mails.len()).await;
    scene
}

async fn search(scene: &Scene, params: Value) -> Vec<String> {
    let answer = scene.call("email.imap_search", params).await;
    let emails = answer["emails"].as_array().unwrap();
    assert_eq!(answer["count"], json!(emails.len()));
    subjects(emails).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn search_finds_by_each_of_its_fields() {
    let scene = mailbox().await;
    // Marks one as read, by fetching it so.
    let marked = scene
        .fetch(
            json!({"criteria": [["SUBJECT", "invoice"]], "markSeen": true}),
            1,
        )
        .await;
    assert_eq!(
        marked[0]["flags"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| *f == "\\Seen")
            .count(),
        1
    );
    let all = [
        "newest",
        "file",
        "a \"quote\" \\ {5} (x",
        "grün",
        "invoice 1",
    ];
    for (params, expected) in [
        (json!({}), &all[..]),
        (json!({"limit": 2}), &all[..2]),
        (json!({"from": "ann"}), &[all[2], all[4]]),
        (json!({"from": "Ann@Test", "subject": "invoice"}), &[all[4]]),
        (json!({"to": "team"}), &[all[3]]),
        (json!({"subject": "grün"}), &[all[3]]),
        (json!({"subject": "\"quote\" \\ {5} (x"}), &[all[2]]),
        (json!({"subject": "\" OR ALL \""}), &[]),
        (json!({"body": "please"}), &[all[4]]),
        (json!({"unread": false}), &[all[4]]),
        (json!({"unread": true}), &all[..4]),
        (json!({"starred": true}), &[]),
        (json!({"starred": false}), &all[..]),
        (json!({"after": "2000-01-01"}), &all[..]),
        (json!({"before": "2000-01-01"}), &[]),
        (json!({"after": "2999-01-01"}), &[]),
        (json!({"label": "$Work"}), &[]),
        (json!({"hasAttachment": true}), &[all[1]]),
        (json!({"hasAttachment": false, "limit": 1}), &[all[0]]),
        (json!({"folder": "Entwürfe & mehr"}), &[]),
    ] {
        assert_eq!(search(&scene, params.clone()).await, expected, "{params}");
    }
    for (bad, reason) in [
        (json!({"folder": "nowhere"}), "FOLDER_NOT_FOUND"),
        (json!({"folder": "a\r\nA1 LOGOUT"}), "INVALID_PARAMETERS"),
        (json!({"folder": "*"}), "INVALID_PARAMETERS"),
        (json!({"from": "a\r\nA1 LOGOUT"}), "INVALID_PARAMETERS"),
        (json!({"label": "a) ALL (b"}), "INVALID_PARAMETERS"),
        (json!({"after": "2026-02-30"}), "INVALID_PARAMETERS"),
        (json!({"after": "soon"}), "INVALID_PARAMETERS"),
        (json!({"limit": 0}), "INVALID_PARAMETERS"),
        (json!({"limit": 501}), "INVALID_PARAMETERS"),
        (json!({"connectionId": "nowhere"}), "CONNECTION_NOT_FOUND"),
    ] {
        let failure = scene.refusal("email.imap_search", bad.clone()).await;
        assert_eq!(failure.reason, reason, "{bad}: {}", failure.message);
    }
}

#[tokio::test]
async fn fetch_takes_criteria_and_marks_only_when_told() {
    let scene = mailbox().await;
    let of = async |criteria: Value| {
        let answer = scene
            .call(
                "email.imap_fetch",
                json!({"criteria": criteria, "folder": "inbox"}),
            )
            .await;
        let emails = answer["emails"].as_array().cloned().unwrap();
        subjects(&emails)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(json!([["FROM", "ann"], ["BODY", "please"]])).await,
        ["invoice 1"]
    );
    assert_eq!(
        of(json!([["OR", ["SUBJECT", "grün"], ["SUBJECT", "newest"]]])).await,
        ["newest", "grün"]
    );
    assert_eq!(
        of(json!(["!FROM ann", ["NOT", ["SUBJECT", "file"]]])).await,
        ["newest", "grün"]
    );
    assert_eq!(
        of(json!([["HEADER", "Subject", "ü"], ["SUBJECT", "ün"]])).await,
        ["grün"]
    );
    assert_eq!(of(json!([["UID", "1:2"]])).await, ["grün", "invoice 1"]);
    assert_eq!(of(json!(["UNSEEN"])).await.len(), 5);
    assert_eq!(
        of(json!(["SEEN"])).await,
        Vec::<String>::new(),
        "reading marks nothing"
    );
    let failure = scene
        .refusal(
            "email.imap_fetch",
            json!({"criteria": ["UNSEEN\r\nA1 LOGOUT"]}),
        )
        .await;
    assert_eq!(failure.reason, "INVALID_PARAMETERS");
    let first = scene
        .call("email.imap_fetch", json!({"limit": 1, "markSeen": true}))
        .await;
    assert_eq!(first["emails"][0]["subject"], "newest");
    assert_eq!(of(json!(["SEEN"])).await, ["newest"]);
    let failure = scene
        .refusal("email.imap_fetch", json!({"folder": "nowhere"}))
        .await;
    assert_eq!(failure.reason, "FOLDER_NOT_FOUND");
}

#[tokio::test]
async fn hostile_mail_is_read_as_far_as_it_goes_and_hides_no_other() {
    let scene = Scene::start().await;
    scene.connect("bob").await;
    let mut deep = "From: eve@test\r\nSubject: deep\r\n".to_owned();
    for i in 0..120 {
        let _ = write!(
            deep,
            "Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
        );
    }
    let part = "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n".repeat(5000);
    let wide = format!(
        "From: eve@test\r\nSubject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b--\r\n"
    );
    let coded = "From: =?utf-8?Q?eve=0D=0ABcc:_x?= <eve@test>\r\nSubject: =?utf-8?Q?a=0D=0AX:_y?=\r\n\
        Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=utf-8''..%2Fa%00%0Ab\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!\r\n";
    for mail in [&deep, &wide, coded, WITH_FILE] {
        scene.mail.deliver("bob", mail.as_bytes());
    }
    let mails = scene.fetch(json!({}), 4).await;
    assert_eq!(subjects(&mails), ["file", "a  X: y", "wide", "deep"]);
    assert_eq!(mails[0]["attachments"][0]["filename"], "a.csv");
    assert_eq!(mails[0]["partial"], false);
    assert_eq!(mails[1]["from"], "\"eve  Bcc: x\" <eve@test>");
    let name = mails[1]["attachments"][0]["filename"]
        .as_str()
        .unwrap_or("attachment-1");
    assert!(
        !name.contains('/') && !name.chars().any(char::is_control),
        "{name:?}"
    );
    assert_eq!(
        (&mails[2]["partial"], &mails[3]["partial"]),
        (&json!(true), &json!(true))
    );
    assert!(mails[2]["attachments"].as_array().unwrap().len() <= 1000);
    let with_files = search(&scene, json!({"hasAttachment": true})).await;
    assert_eq!(with_files, ["file", "a  X: y", "wide"]);
}
