//! Raw messages, taken apart: good, odd and hostile ones.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and tells one story"
)]

mod scene;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use gearmesh_testkit::TestMesh;
use scene::refusal;
use serde_json::{Value, json};

async fn engine() -> TestMesh {
    TestMesh::start(&[gearmesh_email::SERVICE]).await
}

async fn parse(mesh: &TestMesh, raw: &str) -> Value {
    let answer = mesh.call("email.parse", json!({"raw": raw})).await;
    answer.unwrap_or_else(|e| panic!("{}", e.message()))
}

const FORWARDED: &str = "\
Message-ID: <2@b.test>\r\nIn-Reply-To: <1@a.test>\r\nReferences: <0@a.test> <1@a.test>\r\n\
From: Ann <ann@a.test>\r\nTo: b@b.test, \"C, D\" <c@c.test>\r\nCc: d@d.test\r\nBcc: e@e.test\r\n\
Reply-To: desk@a.test\r\nDate: Sun, 01 Nov 2026 10:00:00 +0200\r\nX-Tag: one\r\nX-Tag: two\r\n\
Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=FCn\r\n\
--a\r\nContent-Type: text/html\r\n\r\n<b>x</b><script>y</script><img src=\"http://evil.test/\">\r\n--a--\r\n\
--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwithin\r\n\
--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"r.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n\
--m--\r\n";

#[tokio::test]
async fn message_comes_apart_into_its_fields() {
    let mesh = engine().await;
    let mail = parse(&mesh, FORWARDED).await;
    for (field, expected) in [
        ("messageId", json!("2@b.test")),
        ("inReplyTo", json!("1@a.test")),
        ("references", json!(["0@a.test", "1@a.test"])),
        ("from", json!("Ann <ann@a.test>")),
        ("to", json!(["b@b.test", "\"C, D\" <c@c.test>"])),
        ("cc", json!(["d@d.test"])),
        ("bcc", json!(["e@e.test"])),
        ("replyTo", json!(["desk@a.test"])),
        ("subject", json!("Grüße")),
        ("date", json!("2026-11-01T08:00:00Z")),
        ("text", json!("grün")),
        ("partial", json!(false)),
    ] {
        assert_eq!(mail[field], expected, "{field}");
    }
    assert!(mail["html"].as_str().unwrap().contains("<b>x</b>"));
    assert_eq!(mail["headers"]["x-tag"], "one\ntwo");
    assert_eq!(mail["headers"]["subject"], "Grüße");
    let files = mail["attachments"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    let pdf = files.iter().find(|f| f["filename"] == "r.pdf").unwrap();
    assert_eq!(
        (&pdf["content"], &pdf["size"], &pdf["contentType"]),
        (&json!("AAECAw=="), &json!(4), &json!("application/pdf"))
    );
    let inner = files
        .iter()
        .find(|f| f["contentType"] == "message/rfc822")
        .unwrap();
    assert!(inner["size"].as_u64().unwrap() >= 20, "{inner}");
}

#[tokio::test]
async fn contents_of_files_are_given_as_far_as_asked() {
    let mesh = engine().await;
    let of = async |extra: Value| {
        let mut request = json!({"raw": FORWARDED});
        for (key, value) in extra.as_object().unwrap() {
            request[key] = value.clone();
        }
        let mail = mesh.call("email.parse", request).await.unwrap();
        let files = mail["attachments"].as_array().unwrap().clone();
        let pdf = files
            .iter()
            .find(|f| f["filename"] == "r.pdf")
            .unwrap()
            .clone();
        (
            pdf["omitted"].as_bool().unwrap(),
            pdf["content"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        of(json!({"includeAttachments": false})).await,
        (true, String::new())
    );
    assert_eq!(
        of(json!({"maxAttachmentSize": 3})).await,
        (true, String::new())
    );
    assert_eq!(
        of(json!({"maxAttachmentSize": 4})).await,
        (false, "AAECAw==".into())
    );
    let failure = refusal(
        &mesh,
        "email.parse",
        json!({"raw": "a: b\n\n", "maxAttachmentSize": -1}),
    )
    .await;
    assert_eq!(failure.reason, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn text_that_is_no_mail_is_refused() {
    let mesh = engine().await;
    for (raw, reason) in [
        ("", "INVALID_PARAMETERS"),
        ("\r\n\r\n", "EMAIL_PARSE_FAILED"),
        ("no header at all", "EMAIL_PARSE_FAILED"),
    ] {
        let failure = refusal(&mesh, "email.parse", json!({"raw": raw})).await;
        assert_eq!(failure.reason, reason, "{raw:?}: {}", failure.message);
    }
    // No content is a mail all the same.
    let mail = parse(&mesh, "Subject: x\r\n\r\n").await;
    assert_eq!(
        (&mail["subject"], &mail["text"], &mail["attachments"]),
        (&json!("x"), &json!(""), &json!([]))
    );
    let mail = parse(
        &mesh,
        "Subject: html\r\nContent-Type: text/html\r\n\r\n<p>a</p><p>b &amp; c</p>",
    )
    .await;
    let text = mail["text"].as_str().unwrap();
    assert!(
        text.contains('a') && text.contains("b & c") && !text.contains('<'),
        "{text}"
    );
}

#[tokio::test]
async fn message_built_to_exhaust_is_cut_in_time() {
    let mesh = engine().await;
    let mut deep = "From: e@e.test\r\nSubject: x\r\n".to_owned();
    for i in 0..1000 {
        let _ = write!(
            deep,
            "Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
        );
    }
    let wide = format!(
        "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\n\r\n".repeat(100_000)
    );
    let messages = format!(
        "Subject: x\r\n{}",
        "Content-Type: message/rfc822\r\n\r\n".repeat(10_000)
    );
    let header = format!(
        "Subject: x\r\nX: {}\r\n\r\nbody",
        "y".repeat(8 * 1024 * 1024)
    );
    let headers = format!("Subject: x\r\n{}\r\nbody", "X: y\r\n".repeat(1_000_000));
    let coded = format!(
        "Subject: x\r\nX: {}\r\n\r\n",
        "=?utf-8?Q?=61?= ".repeat(10_000)
    );
    let bad = format!(
        "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        "!\r\n".repeat(1_000_000)
    );
    let addresses = format!("Subject: x\r\nTo: {}\r\n\r\n", "a@b.test,".repeat(20_000));
    let nested = format!("Subject: x\r\nTo: {}\r\n\r\n", "(".repeat(200_000));
    for (name, raw, partial) in [
        ("deep", &deep, true),
        ("wide", &wide, true),
        ("messages", &messages, true),
        ("header", &header, true),
        ("headers", &headers, true),
        ("coded", &coded, false),
        ("bad", &bad, false),
        ("addresses", &addresses, false),
        ("nested", &nested, false),
    ] {
        let before = Instant::now();
        let mail = parse(&mesh, raw).await;
        let took = before.elapsed();
        assert_eq!(mail["subject"], "x", "{name}");
        if partial {
            assert_eq!(mail["partial"], true, "{name}");
        }
        assert!(
            mail["attachments"].as_array().unwrap().len() <= 1000,
            "{name}"
        );
        // Generous: an unoptimised build on a busy machine.
        let mib = u32::try_from(raw.len() / (1024 * 1024) + 1).unwrap();
        assert!(took < Duration::from_secs(2) * mib, "{name}: {took:?}");
        println!("{name}: {} bytes in {took:?}", raw.len());
    }
}
