//! A bus to test on, of either kind.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gearmesh_bus::{
    Bus, Delivery, Follow, Name, NewEvent, Options, Pattern, Published, Subscription, Topic,
};
use gearmesh_runtime::{Clock, SystemClock};
use gearmesh_testkit::servers::Redis;
use tempfile::TempDir;

/// Time in which what comes has come; nothing is awaited for so long otherwise.
const SOON: Duration = Duration::from_secs(20);

/// Time in which what must not come has not: an event in flight takes milliseconds.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) redis: Option<Redis>,
}

impl Bench {
    pub(crate) fn local() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            redis: None,
        }
    }

    pub(crate) async fn redis() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            redis: Some(Redis::start().await),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.redis
            .as_ref()
            .map_or_else(|| "local:".to_owned(), Redis::url)
    }

    /// The bus as one process sees it.
    pub(crate) async fn bus(&self, instance: &str) -> Bus {
        self.bus_keeping(instance, gearmesh_bus::EVENTS_KEPT).await
    }

    pub(crate) async fn bus_keeping(&self, instance: &str, keep: i64) -> Bus {
        let mut options = options(self.folder.path(), instance);
        options.keep = keep;
        let (bus, driver) = Bus::open(&self.url(), options).await.unwrap();
        spawn(driver);
        bus
    }
}

pub(crate) fn options(folder: &std::path::Path, instance: &str) -> Options {
    let clock = SystemClock::default();
    Options::new(folder, instance, Arc::new(move || clock.now_ms()))
}

#[expect(clippy::disallowed_methods, reason = "a test has no Context")]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}

pub(crate) fn event(id: &str, topic: &str, payload: &str) -> NewEvent {
    NewEvent {
        id: id.to_owned(),
        topic: Topic::parse(topic).unwrap(),
        payload: Bytes::from(payload.to_owned()),
        source: "agent".to_owned(),
        publisher: "tester".to_owned(),
    }
}

/// Publishes an event whose id is its payload.
pub(crate) async fn publish(bus: &Bus, topic: &str, payload: &str) -> Published {
    bus.publish(&event(payload, topic, payload)).await.unwrap()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn follow(of: &str, after: Option<i64>) -> Follow {
    Follow {
        pattern: pattern(of),
        after,
        member: None,
        ack_timeout: Duration::from_secs(60),
        auto_ack: false,
        limit: None,
    }
}

pub(crate) fn member(of: &str, group: &str, member: &str) -> Follow {
    Follow {
        member: Some((name(group), name(member))),
        after: Some(0),
        ..follow(of, None)
    }
}

pub(crate) async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(SOON, subscription.next())
        .await
        .expect("an event comes")
        .unwrap()
}

/// The payloads of the next events.
pub(crate) async fn take(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut payloads = Vec::new();
    for _ in 0..count {
        payloads.push(payload(&next(subscription).await));
    }
    payloads
}

pub(crate) fn payload(delivery: &Delivery) -> String {
    String::from_utf8(delivery.event.payload.to_vec()).unwrap()
}

/// Nothing more comes.
pub(crate) async fn quiet(subscription: &mut Subscription) {
    let more = tokio::time::timeout(QUIET, subscription.next()).await;
    assert!(more.is_err(), "{more:?}");
}
