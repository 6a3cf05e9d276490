//! Bodies that can be had twice.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;

/// What is kept of a request or an answer for another send, in bytes. Larger ones go
/// through once.
pub(crate) const KEPT_MAX: usize = 1024 * 1024;

/// A request's body, kept while it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    rest: Body,
    sent: Vec<Bytes>,
    size: usize,
    /// What was sent is no longer all there.
    lost: bool,
    /// Which send may read; earlier ones get nothing more.
    turn: u64,
}

impl Kept {
    pub(crate) fn new(body: Body) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                rest: body,
                sent: Vec::new(),
                size: 0,
                lost: false,
                turn: 0,
            })),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the whole can be sent once more.
    pub(crate) fn whole(&self) -> bool {
        !self.shared().lost
    }

    /// Nobody will ask for it again.
    pub(crate) fn release(&self) {
        let mut shared = self.shared();
        shared.lost = true;
        shared.sent = Vec::new();
    }

    /// The body from its begin. Earlier ones end.
    pub(crate) fn body(&self) -> Body {
        let turn = {
            let mut shared = self.shared();
            shared.turn += 1;
            shared.turn
        };
        // `Body::new` asks whether it has ended.
        Body::new(Reading {
            kept: self.clone(),
            turn,
            next: 0,
        })
    }
}

/// One send of a kept body.
#[derive(Debug)]
struct Reading {
    kept: Kept,
    turn: u64,
    next: usize,
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut shared = this.kept.shared();
        if shared.turn != this.turn {
            return Poll::Ready(None);
        }
        if let Some(bytes) = shared.sent.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
        }
        loop {
            let polled = Pin::new(&mut shared.rest).poll_frame(cx);
            if let Poll::Ready(Some(Ok(frame))) = &polled {
                match frame.data_ref() {
                    // The end of a request that is passed on comes as one. h2 closes a
                    // connection that has brought a hundred of them, with all its calls.
                    Some(bytes) if bytes.is_empty() => continue,
                    Some(bytes) if !shared.lost && shared.size + bytes.len() <= KEPT_MAX => {
                        shared.size += bytes.len();
                        let bytes = bytes.clone();
                        shared.sent.push(bytes);
                        this.next += 1;
                    }
                    // Too large, or trailers, which no gRPC request has.
                    _ => {
                        shared.lost = true;
                        shared.sent = Vec::new();
                        this.next = 0;
                    }
                }
            }
            return polled;
        }
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.kept.shared();
        shared.turn != self.turn
            || shared.sent.get(self.next).is_none() && shared.rest.is_end_stream()
    }
}

/// Frames that are there, and what comes behind them.
#[derive(Debug)]
struct Begun {
    ready: VecDeque<Frame<Bytes>>,
    rest: Option<Body>,
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(frame) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// Waits for the end of an answer, so that one that breaks off can be asked for
/// again; one that is too large to be kept is handed on as it comes.
pub(crate) async fn ended(
    answer: http::Response<Body>,
) -> Result<http::Response<Body>, Box<Status>> {
    let (parts, mut body) = answer.into_parts();
    let mut ready = VecDeque::new();
    let mut size = 0;
    let mut rest = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Box::new)?;
        size += frame.data_ref().map_or(0, Bytes::len);
        ready.push_back(frame);
        if size > KEPT_MAX {
            rest = Some(body);
            break;
        }
    }
    let body = Body::new(Begun { ready, rest });
    Ok(http::Response::from_parts(parts, body))
}

/// A body that holds a value until it has ended.
#[derive(Debug)]
pub(crate) struct Holding<T> {
    body: Body,
    held: Option<T>,
}

impl<T> Holding<T> {
    pub(crate) fn new(body: Body, held: T) -> Self {
        Self {
            body,
            held: Some(held),
        }
    }
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.held = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn in_pieces(pieces: &[&'static [u8]]) -> Body {
        let frames: Vec<_> = pieces
            .iter()
            .map(|p| Ok::<_, Status>(Frame::data(Bytes::from_static(p))))
            .collect();
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    async fn all(body: Body) -> Vec<u8> {
        body.collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn body_is_had_again_from_its_begin() {
        let kept = Kept::new(in_pieces(&[b"ab", b"cd", b"ef"]));
        let mut first = kept.body();
        assert!(first.frame().await.is_some());
        let second = kept.body();
        assert!(
            first.frame().await.is_none(),
            "an earlier send reads no more"
        );
        assert_eq!(all(second).await, b"abcdef");
        assert_eq!(all(kept.body()).await, b"abcdef");
        kept.release();
        assert!(!kept.whole());
    }

    #[tokio::test]
    async fn empty_frames_are_not_sent_on() {
        let kept = Kept::new(in_pieces(&[b"", b"ab", b"", b""]));
        for _ in 0..2 {
            let mut body = kept.body();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.data_ref().unwrap(), &b"ab"[..]);
            assert!(body.frame().await.is_none());
        }
    }

    #[tokio::test]
    async fn end_is_known_with_the_last_frame() {
        let kept = Kept::new(Body::new(Full::new(Bytes::from_static(b"ab"))));
        for _ in 0..2 {
            let mut body = kept.body();
            assert!(!body.is_end_stream());
            assert!(body.frame().await.is_some());
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn body_at_the_limit_is_kept_and_one_above_goes_through_once() {
        for (size, whole) in [(KEPT_MAX, true), (KEPT_MAX + 1, false)] {
            let kept = Kept::new(Body::new(Full::new(Bytes::from(vec![7; size]))));
            assert_eq!(all(kept.body()).await.len(), size);
            assert_eq!(kept.whole(), whole);
        }
    }

    #[tokio::test]
    async fn answer_that_breaks_off_is_an_error_and_a_large_one_flows() {
        let broken = StreamBody::new(futures::stream::iter([
            Ok(Frame::data(Bytes::from_static(b"ab"))),
            Err(Status::unknown("reset")),
        ]));
        assert!(ended(http::Response::new(Body::new(broken))).await.is_err());
        let large = vec![1; KEPT_MAX + 1];
        let answer = http::Response::new(Body::new(Full::new(Bytes::from(large.clone()))));
        let answer = ended(answer).await.unwrap();
        assert_eq!(all(answer.into_body()).await, large);
    }
}
