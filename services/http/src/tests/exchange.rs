use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use gearmesh_fault::Fault;
use http::HeaderValue;
use tokio::sync::mpsc;

use super::peer::{Peer, send};
use crate::error::Error;
use crate::payload::Payload;
use crate::redirect::REDIRECTS_MAX;

fn to(status: u16, location: impl Into<String>) -> Response {
    let location = [(header::LOCATION, location.into())];
    (StatusCode::from_u16(status).expect("a status"), location).into_response()
}

/// Says what it was asked: method, credential and body.
async fn echo(method: Method, headers: HeaderMap, body: Bytes) -> String {
    let credential = headers
        .get("authorization")
        .map_or("-", |v| v.to_str().unwrap_or("?"));
    format!("{method} {credential} {}", String::from_utf8_lossy(&body))
}

fn site() -> Router {
    Router::new()
        .route("/echo", any(echo))
        .route(
            "/to/{status}",
            any(|Path(status): Path<u16>| async move { to(status, "/echo") }),
        )
        .route(
            "/hops/{n}",
            get(|Path(n): Path<usize>| async move {
                if n == 0 {
                    "there".into_response()
                } else {
                    to(302, format!("/hops/{}", n - 1))
                }
            }),
        )
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).expect("text")
}

#[tokio::test]
async fn redirect_keeps_the_connection_within_its_origin() {
    let peer = Peer::routes(site()).await;
    let answer = peer.get("/to/302").await.unwrap();
    assert_eq!(text(&answer.body), "GET Bearer own ");
    assert_eq!(answer.url.path(), "/echo");
}

#[tokio::test]
async fn redirect_changes_method_and_body_by_its_status() {
    let peer = Peer::routes(site()).await;
    for (status, expected) in [
        (301, "GET Bearer own "),
        (303, "GET Bearer own "),
        (307, "POST Bearer own hello"),
        (308, "POST Bearer own hello"),
    ] {
        let mut request = peer.request("POST", &format!("/to/{status}"));
        let data = bytes::Bytes::from_static(b"\"hello\"");
        let payload = Payload {
            data,
            ..Payload::default()
        };
        request.set_payload(payload).unwrap();
        assert_eq!(
            text(&send(&request).await.unwrap().body),
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn redirects_are_counted() {
    let peer = Peer::routes(site()).await;
    let last = peer.get(&format!("/hops/{REDIRECTS_MAX}")).await.unwrap();
    assert_eq!(text(&last.body), "there");
    let refused = peer.get(&format!("/hops/{}", REDIRECTS_MAX + 1)).await;
    assert!(
        matches!(refused, Err(Error::RedirectLoop { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn redirect_is_a_result_when_none_is_followed() {
    let peer = Peer::routes(site()).await;
    let mut request = peer.request("GET", "/to/302");
    request.follow = false;
    let answer = send(&request).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (302, &HeaderValue::from_static("/echo"))
    );
}

#[tokio::test]
async fn redirect_into_another_private_server_is_refused_before_it_connects() {
    let (asked, mut calls) = mpsc::channel(1);
    let secret = Peer::routes(
        Router::new().fallback(move || async move { asked.send(()).await.is_ok().to_string() }),
    )
    .await;
    let target = format!("http://{}/", secret.address);
    let peer = Peer::routes(Router::new().fallback(move || async move { to(302, target) })).await;
    let refused = peer.get("/").await.unwrap_err();
    assert!(matches!(refused, Error::Denied { .. }), "{refused:?}");
    assert!(calls.try_recv().is_err(), "the other server was asked");

    for target in [
        "http://169.254.169.254/latest",
        "http://localhost/",
        "file:///etc/passwd",
        "http://0x7f.1/",
    ] {
        let peer =
            Peer::routes(Router::new().fallback(move || async move { to(307, target) })).await;
        let refused = peer.get("/").await.unwrap_err();
        assert!(
            matches!(refused, Error::Denied { .. }),
            "{target}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn status_is_a_fault_unless_it_is_allowed() {
    let site = Router::new().fallback(|| async {
        let headers = [(header::RETRY_AFTER, "7")];
        (
            StatusCode::TOO_MANY_REQUESTS,
            headers,
            "slow\ndown".to_owned() + &"!".repeat(10_000),
        )
    });
    let peer = Peer::routes(site).await;
    let fault = peer.get("/x?key=secret").await.unwrap_err();
    assert_eq!(fault.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(fault.code(), Some(tonic::Code::ResourceExhausted));
    let metadata: std::collections::BTreeMap<_, _> = fault.metadata().into_iter().collect();
    assert_eq!(metadata["status"], "429");
    assert!(metadata["body"].starts_with("slow\\ndown!!") && metadata["body"].len() <= 500);
    assert!(!fault.to_string().contains("secret") && !metadata["url"].contains("secret"));

    let mut request = peer.request("GET", "/x");
    request.set_allowed(&[404, 429]).unwrap();
    assert_eq!(send(&request).await.unwrap().status.as_u16(), 429);
}

#[tokio::test]
async fn retry_is_offered_for_transient_statuses_alone() {
    let site =
        Router::new().route(
            "/{status}",
            get(|Path(status): Path<u16>| async move {
                StatusCode::from_u16(status).expect("a status")
            }),
        );
    let peer = Peer::routes(site).await;
    for (status, retry) in [
        (400, false),
        (404, false),
        (408, true),
        (501, false),
        (503, true),
    ] {
        let fault = peer.get(&format!("/{status}")).await.unwrap_err();
        assert_eq!(fault.retry_after().is_some(), retry, "{status}");
        assert_eq!(fault.is_transient(), retry, "{status}");
    }
}

#[tokio::test]
async fn answer_that_does_not_come_is_a_timeout() {
    let peer = Peer::routes(Router::new().fallback(std::future::pending::<()>)).await;
    let mut request = peer.request("GET", "/");
    request.set_timeout(Duration::from_millis(20)).unwrap();
    let late = send(&request).await.unwrap_err();
    assert!(
        matches!(late, Error::Timeout { .. }) && late.is_transient(),
        "{late:?}"
    );
}

#[tokio::test]
async fn request_ends_when_its_caller_leaves() {
    struct Left(mpsc::Sender<()>);
    impl Drop for Left {
        fn drop(&mut self) {
            let _ = self.0.try_send(());
        }
    }
    let (begun, mut begin) = mpsc::channel(1);
    let (left, mut leave) = mpsc::channel(1);
    let peer = Peer::routes(Router::new().fallback(move || async move {
        let _left = Left(left);
        let _ = begun.send(()).await;
        std::future::pending::<()>().await;
    }))
    .await;
    let request = peer.request("GET", "/");
    tokio::select! {
        answer = send(&request) => panic!("answered {answer:?}"),
        _ = begin.recv() => {}
    }
    assert!(
        leave.recv().await.is_some(),
        "the server sees the end of the request"
    );
}

#[tokio::test]
async fn fault_says_whether_the_request_had_left() {
    let gone = Peer::bytes("").await;
    let request = gone.request("GET", "/");
    let phase = |e: &Error| {
        e.metadata()
            .into_iter()
            .find(|(k, _)| *k == "phase")
            .map(|(_, v)| v)
    };

    let cut = send(&request).await.unwrap_err();
    assert_eq!(phase(&cut).as_deref(), Some("exchange"), "{cut:?}");
    let half = Peer::bytes("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    let cut = half.get("/").await.unwrap_err();
    assert_eq!(phase(&cut).as_deref(), Some("exchange"), "{cut:?}");

    drop(gone);
    // The task that listened is aborted, and its socket closed, before this refusal.
    let refused = loop {
        match send(&request).await.unwrap_err() {
            Error::Cut { .. } => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert_eq!(phase(&refused).as_deref(), Some("connect"), "{refused:?}");
}

/// What an error says to whoever asks whether the request had an effect.
fn without_effect(error: Error) -> bool {
    gearmesh_fault::Failure::of(&error.into()).without_effect()
}

#[tokio::test]
async fn request_that_was_taken_is_never_said_to_have_had_no_effect() {
    let peer = Peer::routes(
        Router::new()
            .route("/gone", any(|| async { StatusCode::NOT_FOUND }))
            .route("/made", any(|| async { to(303, "/gone") }))
            .route("/away", any(|| async { to(302, "http://127.0.0.1:9/") }))
            .route("/round", any(|| async { to(307, "/round") }))
            .route(
                "/coded",
                any(|| async { ([(header::CONTENT_ENCODING, "br")], "x") }),
            ),
    )
    .await;
    for path in ["/made", "/away", "/round", "/coded"] {
        let error = send(&peer.request("POST", path)).await.unwrap_err();
        assert!(!without_effect(error), "{path}");
    }
    let refused = send(&peer.request("POST", "/gone")).await.unwrap_err();
    assert!(without_effect(refused), "by the server that was asked");
    let mut large = vec![b' '; crate::body::BODY_MAX + 1];
    large[0] = b'1';
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", large.len());
    let peer = Peer::bytes([head.into_bytes(), large].concat()).await;
    let error = send(&peer.request("POST", "/")).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert!(!without_effect(error));
}
