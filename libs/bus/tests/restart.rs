//! A Redis that dies in the middle.
#![allow(
    clippy::unwrap_used,
    reason = "a test may; clippy knows only functions marked as one"
)]

mod bench;

use std::time::Duration;

use bench::{Bench, event, follow, member, name, next, payload};
use gearmesh_bus::Error;

/// Events that are published over the crash.
const EVENTS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn restart_loses_no_acknowledged_event_and_subscribers_go_on() {
    let mut bench = Bench::redis().await;
    let bus = bench.bus("a").await;
    let mut alone = bus.subscribe(follow("t", None)).await.unwrap();
    let mut member = bus.subscribe(member("t", "g", "m")).await.unwrap();
    let publisher = bus.clone();
    let (sender, mut acknowledged) = tokio::sync::mpsc::channel(EVENTS);
    bench::spawn(async move {
        for n in 0..EVENTS {
            let text = n.to_string();
            // What is not acknowledged may be kept or not; it is sent again until it is.
            while publisher.publish(&event(&text, "t", &text)).await.is_err() {}
            sender.send(n).await.unwrap();
        }
    });
    while acknowledged.recv().await.unwrap() < 50 {}
    bench.redis.as_mut().unwrap().kill();
    // Nobody answers: whoever asks now hears of it, without the password.
    let refused = bus.recent(&bench::pattern("t"), 1).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    let password = bench.redis.as_ref().unwrap().password();
    assert!(!refused.to_string().contains(password));
    bench.redis.as_mut().unwrap().restart().await;
    for n in 0..EVENTS {
        let delivery = next(&mut alone).await;
        assert_eq!(payload(&delivery), n.to_string(), "once and in order");
        let delivery = next(&mut member).await;
        assert_eq!(payload(&delivery), n.to_string());
        let sequence = delivery.event.sequence;
        assert_eq!(bus.ack(&name("g"), &[sequence]).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn bus_that_is_not_there_is_told_without_its_password() {
    let bench = Bench::local();
    let options = bench::options(bench.folder.path(), "a");
    for url in [
        "redis://:canary-secret@127.0.0.1:1/0",
        "redis://:canary-secret@/bad host",
        "kafka://:canary-secret@h",
        "local:/x",
        "",
    ] {
        let open = gearmesh_bus::Bus::open(url, options.clone());
        let open = tokio::time::timeout(Duration::from_secs(30), open).await;
        let error = open.unwrap().map(drop).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("canary"), "{told}");
        let down = url.contains("127.0.0.1");
        assert_eq!(matches!(error, Error::Unavailable(_)), down, "{told}");
    }
}

#[tokio::test]
async fn wrong_password_is_told_without_it() {
    let bench = Bench::redis().await;
    let right = bench.redis.as_ref().unwrap();
    let url = right.url().replace(right.password(), "canary-wrong");
    let options = bench::options(bench.folder.path(), "a");
    let error = gearmesh_bus::Bus::open(&url, options).await.map(drop);
    let told = error.unwrap_err().to_string();
    assert!(!told.contains("canary"), "{told}");
}
