use std::io::Write;

use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;

use super::peer::{Peer, send};
use crate::body::BODY_MAX;
use crate::error::Error;
use crate::request::HEADERS_MAX;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// A body of `length` bytes that does not name its length.
fn endless(length: usize) -> Body {
    const CHUNK: usize = 1024 * 1024;
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let whole = (0..length / CHUNK).map({
        let chunk = chunk.clone();
        move |_| chunk.clone()
    });
    let chunks = whole
        .chain([chunk.slice(..length % CHUNK)])
        .map(Ok::<_, std::io::Error>);
    Body::from_stream(stream::iter(chunks))
}

#[tokio::test]
async fn body_is_bounded_to_the_byte_even_without_a_length() {
    for (length, fits) in [(BODY_MAX, true), (BODY_MAX + 1, false)] {
        let peer =
            Peer::routes(Router::new().fallback(move || async move { endless(length) })).await;
        match peer.get("/").await {
            Ok(answer) => assert!(fits && answer.body.len() == length),
            Err(e) => assert!(
                !fits
                    && matches!(
                        e,
                        Error::TooLarge {
                            limit: BODY_MAX,
                            ..
                        }
                    ),
                "{e:?}"
            ),
        }
    }
}

#[tokio::test]
async fn body_that_says_it_is_too_large_is_not_read() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        BODY_MAX + 1
    );
    let refused = Peer::bytes(head.clone()).await.get("/").await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    // The answer to HEAD names the length of a body that it has not.
    let peer = Peer::bytes(head).await;
    let answer = send(&peer.request("HEAD", "/")).await.unwrap();
    assert_eq!(answer.body, b"");
}

#[tokio::test]
async fn compressed_body_is_inflated_and_a_bomb_refused() {
    let peer = Peer::routes(
        Router::new()
            .route(
                "/text",
                axum::routing::get(|| async { coded("gzip", gzip(b"hello")) }),
            )
            .route(
                "/bomb",
                axum::routing::get(|| async { coded("gzip", gzip(&vec![0; 8 << 20])) }),
            )
            .route(
                "/brotli",
                axum::routing::get(|| async { coded("br", vec![1, 2, 3]) }),
            ),
    )
    .await;
    assert_eq!(peer.get("/text").await.unwrap().body, b"hello");
    let bomb = peer.get("/bomb").await.unwrap_err();
    assert!(bomb.to_string().contains("inflates"), "{bomb}");
    assert!(
        matches!(peer.get("/brotli").await, Err(Error::Coding { coding, .. }) if coding == "br")
    );
}

fn coded(coding: &'static str, body: Vec<u8>) -> impl IntoResponse {
    ([(header::CONTENT_ENCODING, coding)], body)
}

#[tokio::test]
async fn headers_of_an_answer_are_bounded() {
    // Each header is counted with four bytes beside name and value.
    let rest = "content-length".len() + "0".len() + 4;
    let room = HEADERS_MAX - rest - "x".len() - 4;
    for (length, fits) in [(room, true), (room + 1, false)] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {}\r\n\r\n",
            "v".repeat(length)
        );
        let answer = Peer::bytes(head).await.get("/").await;
        assert_eq!(answer.is_ok(), fits, "{length}");
        if let Err(e) = answer {
            assert!(
                matches!(
                    e,
                    Error::TooLarge {
                        limit: HEADERS_MAX,
                        ..
                    }
                ),
                "{e:?}"
            );
        }
    }
}
