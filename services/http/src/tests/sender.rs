use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use gearmesh_runtime::{BoxFuture, Clock, Rng};

use super::peer::Peer;
use crate::error::Error;
use crate::request::Request;
use crate::sender::{Sender, Sent};

/// Long enough for every schedule.
const NO_LIMIT: Duration = Duration::from_hours(1);

/// Time that passes only by sleeping.
#[derive(Debug, Default)]
struct Dial {
    us: Arc<AtomicU64>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl Clock for Dial {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_us(&self) -> u64 {
        self.us.load(Ordering::SeqCst)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let us = u64::try_from(time.as_micros()).expect("short");
        self.us.fetch_add(us, Ordering::SeqCst);
        self.slept.lock().expect("no panic").push(time);
        Box::pin(std::future::ready(()))
    }
}

/// Chance that always says the same.
#[derive(Debug)]
struct Half;

impl Rng for Half {
    fn fraction(&self) -> f64 {
        0.5
    }

    fn number(&self) -> u64 {
        7
    }
}

/// A sender whose waits are recorded.
fn sender() -> (Sender, Arc<Mutex<Vec<Duration>>>) {
    let dial = Dial::default();
    let slept = dial.slept.clone();
    (
        Sender::new(Vec::new(), Arc::new(dial), Arc::new(Half)),
        slept,
    )
}

async fn send(request: &Request, retries: u32, limit: Duration) -> (Result<Sent, Error>, Vec<u64>) {
    let (sender, slept) = sender();
    let sent = sender.send(request, retries, limit).await;
    let slept = slept
        .lock()
        .expect("no panic")
        .iter()
        .map(|d| d.as_millis() as u64)
        .collect();
    (sent, slept)
}

/// A server that refuses its first requests; it records the keys of all.
async fn flaky(
    status: StatusCode,
    refused: usize,
    retry_after: Option<&'static str>,
) -> (Peer, Arc<Mutex<Vec<String>>>) {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = keys.clone();
    let answer = move |headers: HeaderMap| {
        let key = headers
            .get("idempotency-key")
            .map_or("-", |v| v.to_str().unwrap_or("?"));
        let mut seen = seen.lock().expect("no panic");
        seen.push(key.to_owned());
        let response = if seen.len() > refused {
            "done".into_response()
        } else if let Some(wait) = retry_after {
            (status, [("retry-after", wait)]).into_response()
        } else {
            status.into_response()
        };
        std::future::ready(response)
    };
    (Peer::routes(Router::new().fallback(answer)).await, keys)
}

#[tokio::test]
async fn transient_refusals_are_tried_again_by_schedule() {
    let (peer, keys) = flaky(StatusCode::SERVICE_UNAVAILABLE, 2, None).await;
    let (sent, slept) = send(&peer.request("GET", "/"), 3, NO_LIMIT).await;
    let sent = sent.unwrap();
    assert_eq!(
        (sent.attempts, sent.total_delay),
        (3, Duration::from_millis(3300))
    );
    assert_eq!(slept, [1100, 2200]);
    assert_eq!(keys.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn retries_are_counted() {
    for (retries, asked) in [(0, 1), (1, 2), (3, 4)] {
        let (peer, keys) = flaky(StatusCode::BAD_GATEWAY, usize::MAX, None).await;
        let (sent, _) = send(&peer.request("GET", "/"), retries, NO_LIMIT).await;
        assert!(matches!(sent, Err(Error::Status { .. })));
        assert_eq!(keys.lock().unwrap().len(), asked);
    }
}

#[tokio::test]
async fn wait_that_the_server_asks_for_comes_first() {
    let (peer, _) = flaky(StatusCode::TOO_MANY_REQUESTS, 1, Some("7")).await;
    let (sent, slept) = send(&peer.request("GET", "/"), 3, NO_LIMIT).await;
    assert_eq!((sent.unwrap().attempts, slept), (2, vec![7000]));
}

#[tokio::test]
async fn deadline_bounds_the_waits() {
    let (peer, keys) = flaky(StatusCode::SERVICE_UNAVAILABLE, usize::MAX, None).await;
    let (sent, slept) = send(&peer.request("GET", "/"), 3, Duration::from_secs(3)).await;
    assert!(matches!(sent, Err(Error::Status { .. })));
    assert_eq!(
        slept,
        [1100],
        "the second wait would end after the deadline"
    );
    assert_eq!(keys.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_may_have_taken_effect_is_sent_again_with_a_key_alone() {
    let (peer, keys) = flaky(StatusCode::SERVICE_UNAVAILABLE, 1, None).await;
    let (sent, _) = send(&peer.request("POST", "/"), 3, NO_LIMIT).await;
    assert!(matches!(sent, Err(Error::Status { .. })));
    assert_eq!(*keys.lock().unwrap(), ["-"]);

    let (peer, keys) = flaky(StatusCode::SERVICE_UNAVAILABLE, 1, None).await;
    let mut keyed = peer.request("POST", "/");
    let (sender, _) = sender();
    keyed.set_key(&sender.random_key()).unwrap();
    assert_eq!(sender.send(&keyed, 3, NO_LIMIT).await.unwrap().attempts, 2);
    let keys = keys.lock().unwrap();
    assert!(keys[0].len() == 32 && keys[0] == keys[1], "{keys:?}");
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    let (peer, keys) = flaky(StatusCode::NOT_FOUND, usize::MAX, None).await;
    let (sent, slept) = send(&peer.request("GET", "/"), 3, NO_LIMIT).await;
    assert!(sent.is_err() && slept.is_empty());
    assert_eq!(keys.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn network_fault_is_tried_again() {
    let peer = Peer::bytes("").await;
    let (sent, slept) = send(&peer.request("GET", "/"), 3, NO_LIMIT).await;
    assert!(matches!(sent, Err(Error::Cut { .. })));
    assert_eq!(slept, [1100, 2200, 4400]);
}
