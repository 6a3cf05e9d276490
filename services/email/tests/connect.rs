//! Connections: verified TLS and logins or none at all, whatever the server is.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and tells one story"
)]

mod scene;
#[path = "scene/stand_in.rs"]
mod stand_in;

use std::time::{Duration, Instant};

use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use scene::{Scene, keyed, mesh, refusal};
use serde_json::{Value, json};
use stand_in::StandIn;
use tonic::Code;

#[tokio::test]
async fn login_is_verified_by_both_ways_to_tls() {
    let scene = Scene::start().await;
    let mail = &scene.mail;
    for (tool, tls, starttls) in [
        ("email.smtp_connect", mail.smtps(), mail.smtp()),
        ("email.imap_connect", mail.imaps(), mail.imap()),
    ] {
        for (port, secure) in [(tls, true), (starttls, false)] {
            let mut server = scene.server("c", port, "bob");
            server["secure"] = json!(secure);
            let answer = scene.call(tool, server.clone()).await;
            assert_eq!(answer["connectionId"], "c");
            let mut named = server.clone();
            named["host"] = json!("localhost");
            scene.call(tool, named).await;

            let mut wrong = server.clone();
            wrong["password"] = json!("wrong-password");
            let failure = scene.refusal(tool, wrong).await;
            assert_eq!(
                (failure.code, failure.reason.as_str()),
                (Code::Unauthenticated, "EMAIL_AUTH_FAILED")
            );
            assert!(!failure.message.contains("wrong-password"));

            for ca in [json!(""), json!(mail.other_ca())] {
                let mut foreign = server.clone();
                foreign["ca"] = ca;
                let failure = scene.refusal(tool, foreign).await;
                assert_eq!(
                    failure.reason, "EMAIL_CONNECTION_FAILED",
                    "{}",
                    failure.message
                );
                assert_eq!(failure.metadata["cause"], "TLS_HOST");
                assert_eq!(
                    (failure.code, failure.retryable),
                    (Code::FailedPrecondition, false)
                );
            }
        }
        let mut plain = scene.server("c", starttls, "bob");
        plain["secure"] = json!(true);
        let failure = scene.refusal(tool, plain).await;
        assert_eq!(
            failure.metadata["cause"], "TLS_FAILED",
            "{}",
            failure.message
        );
        let mut nobody = scene.server("c", 1, "bob");
        let failure = scene.refusal(tool, nobody.clone()).await;
        assert_eq!(
            (failure.code, failure.reason.as_str(), failure.retryable),
            (Code::Unavailable, "EMAIL_CONNECTION_FAILED", true)
        );
        for (field, bad) in [
            ("ca", json!("no PEM")),
            (
                "ca",
                json!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ),
            ("host", json!("a b")),
            ("host", json!("")),
            ("port", json!(0)),
            ("port", json!(65536)),
            ("secure", Value::Null),
            ("username", json!("a\r\nb")),
            ("connectionId", json!("")),
        ] {
            nobody[field] = bad.clone();
            let failure = scene.refusal(tool, nobody.clone()).await;
            assert_eq!(
                failure.reason, "INVALID_PARAMETERS",
                "{field} {bad}: {}",
                failure.message
            );
            nobody = scene.server("c", 1, "bob");
        }
    }
}

#[tokio::test]
async fn connections_are_found_listed_and_forgotten() {
    let scene = Scene::start().await;
    let failure = scene.refusal("email.imap_fetch", json!({})).await;
    assert_eq!(failure.reason, "CONNECTION_REQUIRED");
    scene.connect("bob").await;
    scene.call("email.imap_fetch", json!({})).await;
    let second = scene.server("second", scene.mail.imaps(), "eve");
    scene.call("email.imap_connect", second).await;
    let failure = scene.refusal("email.imap_fetch", json!({})).await;
    assert_eq!(failure.reason, "CONNECTION_REQUIRED");
    let list = async |params: Value| {
        let answer = scene.call("email.list_connections", params).await;
        let all = answer["connections"].as_array().unwrap();
        all.iter()
            .map(|c| format!("{} {}", c["kind"], c["connectionId"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(
        list(json!({})).await,
        "\"smtp\" \"out\", \"imap\" \"in\", \"imap\" \"second\""
    );
    assert_eq!(list(json!({"kind": "smtp"})).await, "\"smtp\" \"out\"");
    // A name may be of both kinds.
    let both = scene.server("second", scene.mail.smtps(), "eve");
    scene.call("email.smtp_connect", both).await;
    let forget = |kind: &str| json!({"connectionId": "second", "kind": kind});
    scene.call("email.disconnect", forget("smtp")).await;
    assert_eq!(
        list(json!({})).await,
        "\"smtp\" \"out\", \"imap\" \"in\", \"imap\" \"second\""
    );
    scene
        .call("email.disconnect", json!({"connectionId": "second"}))
        .await;
    let failure = scene
        .refusal("email.disconnect", json!({"connectionId": "second"}))
        .await;
    assert_eq!(failure.reason, "CONNECTION_NOT_FOUND");
    scene.call("email.imap_fetch", json!({})).await;
}

fn no_starttls(line: &str) -> Option<Vec<u8>> {
    Some(match line.split(' ').next()? {
        "EHLO" => b"250-x\r\n250 AUTH PLAIN LOGIN\r\n".to_vec(),
        "T1" => b"T1 BAD unknown\r\n".to_vec(),
        _ => b"250 ok\r\n".to_vec(),
    })
}

/// Agrees to STARTTLS, and says more in the same breath.
fn pipelined(line: &str) -> Option<Vec<u8>> {
    Some(match line.split(' ').next()? {
        "EHLO" => b"250-x\r\n250 STARTTLS\r\n".to_vec(),
        "T1" => b"T1 OK go\r\n* OK [ALERT] evil\r\n".to_vec(),
        _ => b"220 go\r\n250 AUTH PLAIN\r\n".to_vec(),
    })
}

#[tokio::test]
async fn without_verified_tls_no_password_is_said() {
    let mesh = mesh().await;
    for (greeting, tool) in [
        (&b"220 hi\r\n"[..], "email.smtp_connect"),
        (&b"* OK hi\r\n"[..], "email.imap_connect"),
    ] {
        for (answer, cause) in [
            (no_starttls as stand_in::Answer, "TLS_REQUIRED"),
            (pipelined, "TLS_PIPELINED"),
        ] {
            let server = StandIn::start(greeting, answer).await;
            let mut params = server.server("c");
            let failure = refusal(&mesh, tool, params.clone()).await;
            assert_eq!(
                failure.metadata["cause"], cause,
                "{tool}: {}",
                failure.message
            );
            // Callers cannot allow it: only the configuration can.
            params["allowPlain"] = json!(true);
            assert_eq!(
                refusal(&mesh, tool, params).await.reason,
                "INVALID_PARAMETERS"
            );
            let heard = server.heard();
            assert!(
                !heard.contains("hunter2") && !heard.contains("AUTH") && !heard.contains("LOGIN"),
                "{heard}"
            );
        }
    }
    let preauth = StandIn::start(b"* PREAUTH hi\r\n", no_starttls).await;
    let failure = refusal(&mesh, "email.imap_connect", preauth.server("c")).await;
    assert_eq!(failure.reason, "EMAIL_CONNECTION_FAILED");
    assert_eq!(preauth.heard(), "");
}

#[tokio::test]
async fn server_that_never_ends_a_line_is_left() {
    let mesh = mesh().await;
    static ENDLESS: &[u8] = &[b'2'; 4 * 1024 * 1024];
    let server = StandIn::start(ENDLESS, |_| None).await;
    for tool in ["email.smtp_connect", "email.imap_connect"] {
        let before = Instant::now();
        let failure = refusal(&mesh, tool, server.server("c")).await;
        assert_eq!(failure.reason, "EMAIL_CONNECTION_FAILED");
        assert!(failure.message.len() < 400, "{}", failure.message);
        assert!(before.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn server_that_nests_without_end_does_not_end_the_process() {
    let server = StandIn::start(b"* OK hi\r\n", |line| {
        let tag = line.split(' ').next()?;
        if line.contains("SEARCH") {
            return Some(format!("* SEARCH 1\r\n{tag} OK done\r\n").into_bytes());
        }
        let mut said = Vec::new();
        if line.contains("FETCH") {
            said.extend_from_slice(b"* 1 FETCH (UID 1 BODYSTRUCTURE ");
            said.resize(1024 * 1024, b'(');
        }
        said.extend_from_slice(format!("{tag} OK done\r\n").as_bytes());
        Some(said)
    })
    .await;
    let mesh = plain("imap", &server).await;
    let search = json!({"hasAttachment": true});
    let failure = refusal(&mesh, "email.imap_search", search).await;
    assert_eq!(failure.reason, "EMAIL_FETCH_FAILED", "{}", failure.message);
    assert!(failure.message.len() < 400, "{}", failure.message);
}

/// A mesh whose configuration has a plain connection to a stand-in.
async fn plain(kind: &str, server: &StandIn) -> TestMesh {
    let port = server.port;
    TestMesh::start_with(
        &[
            gearmesh_vault::SERVICE,
            gearmesh_file::SERVICE,
            gearmesh_email::SERVICE,
        ],
        |config| {
            let connection = json!({"kind": kind, "host": "127.0.0.1", "port": port,
                "username": "bob", "password": "hunter2!", "allowPlain": true});
            config.set("connections.plain", connection);
        },
    )
    .await
}

/// Takes a mail, then leaves without a word.
fn takes_and_leaves(line: &str) -> Option<Vec<u8>> {
    Some(match line.split([' ', ':']).next()? {
        "EHLO" => b"250-x\r\n250 AUTH PLAIN LOGIN\r\n".to_vec(),
        "AUTH" => b"235 ok\r\n".to_vec(),
        "DATA" => b"354 go\r\n".to_vec(),
        "MAIL" | "RCPT" | "NOOP" => b"250 ok\r\n".to_vec(),
        "." | "QUIT" => return None,
        _ => Vec::new(),
    })
}

#[tokio::test]
async fn silence_after_the_mail_is_no_failure_and_no_success() {
    let server = StandIn::start(b"220 hi\r\n", takes_and_leaves).await;
    let mesh = plain("smtp", &server).await;
    let letter = json!({"from": "a@test", "to": ["b@test"], "subject": "s", "text": "t\n.\nQUIT"});
    let status = mesh
        .call_as("email.smtp_send", letter.clone(), keyed("k"))
        .await
        .unwrap_err();
    let failure = Failure::of(&status);
    assert_eq!(failure.reason, "EMAIL_SEND_FAILED", "{}", failure.message);
    assert_eq!(failure.metadata["phase"], "exchange");
    assert!(!failure.without_effect() && !failure.retryable);
    let status = mesh
        .call_as("email.smtp_send", letter, keyed("k"))
        .await
        .unwrap_err();
    assert_eq!(Failure::of(&status).reason, "OUTCOME_UNKNOWN");
    assert_eq!(server.heard().matches("DATA").count(), 1, "sent once");
    assert!(
        server.heard().contains("\n..\n"),
        "dots are stuffed: {}",
        server.heard()
    );
    let failure = refusal(&mesh, "email.disconnect", json!({"connectionId": "plain"})).await;
    assert!(
        failure.message.contains("configuration"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn what_a_server_says_about_a_login_is_not_told() {
    let echo: stand_in::Answer = |line| {
        Some(match line.split(' ').next()? {
            "EHLO" => b"250-x\r\n250 AUTH PLAIN LOGIN\r\n".to_vec(),
            "AUTH" => format!("535 {line} hunter2!\r\n").into_bytes(),
            "QUIT" => return None,
            tag => format!("{tag} NO {line}\r\n").into_bytes(),
        })
    };
    for (kind, greeting, call) in [
        (
            "smtp",
            &b"220 hi\r\n"[..],
            json!({"from": "a@test", "to": ["b@test"], "subject": "s", "text": "t"}),
        ),
        ("imap", b"* OK hi\r\n", json!({})),
    ] {
        let server = StandIn::start(greeting, echo).await;
        let mesh = plain(kind, &server).await;
        let tool = if kind == "smtp" {
            "email.smtp_send"
        } else {
            "email.imap_fetch"
        };
        let failure = refusal(&mesh, tool, call).await;
        assert_eq!(failure.reason, "EMAIL_AUTH_FAILED");
        assert!(failure.without_effect());
        let shown = format!("{failure:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("aHVudGVy"),
            "{shown}"
        );
        assert!(server.heard().contains("AUTH") || server.heard().contains("LOGIN"));
    }
}
