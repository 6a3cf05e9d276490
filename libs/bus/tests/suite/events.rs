//! Events: order, patterns, cursors, trimming, limits.

use std::time::Duration;

use gearmesh_bus::{Error, PAYLOAD_MAX, RECENT_BYTES_MAX, RECENT_MAX, SUBSCRIBERS_MAX};

use super::bench::{Bench, event, follow, next, pattern, publish, quiet, take};

pub(crate) async fn publish_gives_one_order(bench: Bench) {
    let bus = bench.bus("a").await;
    let first = publish(&bus, "a.b", "1").await;
    let second = publish(&bus, "c", "2").await;
    assert_eq!((first.sequence, second.sequence), (1, 2));
    assert!(first.new && first.published_ms <= second.published_ms);
    let recent = bus.recent(&pattern("**"), 10).await.unwrap();
    let newest = &recent.events[0];
    assert_eq!((newest.sequence, newest.topic.as_str()), (2, "c"));
    assert_eq!(newest.published_ms, second.published_ms);
    assert_eq!((newest.id.as_str(), newest.source.as_str()), ("2", "agent"));
    assert_eq!(newest.publisher, "tester");
}

pub(crate) async fn repeat_of_an_id_is_the_first_event(bench: Bench) {
    let bus = bench.bus("a").await;
    let first = publish(&bus, "t", "x").await;
    let again = publish(&bus, "t", "x").await;
    assert_eq!(again.sequence, first.sequence);
    assert_eq!(again.published_ms, first.published_ms);
    assert!(!again.new);
    for other in [event("x", "t", "y"), event("x", "u", "x")] {
        let refused = bus.publish(&other).await;
        assert!(matches!(refused, Err(Error::IdReused(_))), "{refused:?}");
    }
    assert_eq!(
        bus.recent(&pattern("**"), 10).await.unwrap().events.len(),
        1
    );
}

pub(crate) async fn payload_is_bounded_and_exact(bench: Bench) {
    let bus = bench.bus("a").await;
    let mut largest = event("1", "t", "");
    // Bytes of every value: nothing on the way may take them for text.
    largest.payload = (0..PAYLOAD_MAX).map(|n| n.to_le_bytes()[0]).collect();
    bus.publish(&largest).await.unwrap();
    let mut empty = event("2", "t", "");
    empty.source = String::new();
    bus.publish(&empty).await.unwrap();
    let recent = bus.recent(&pattern("t"), 10).await.unwrap();
    assert_eq!(recent.events[1].payload, largest.payload);
    assert!(recent.events[0].payload.is_empty());
    let larger = event("3", "t", &"x".repeat(PAYLOAD_MAX + 1));
    let refused = bus.publish(&larger).await;
    assert!(matches!(refused, Err(Error::PayloadTooLarge(_))));
    let mut source = event("4", "t", "");
    source.source = "ä".repeat(100);
    bus.publish(&source).await.unwrap();
    source.source.push('x');
    assert!(matches!(bus.publish(&source).await, Err(Error::Source)));
}

pub(crate) async fn patterns_choose_and_alone_sees_all(bench: Bench) {
    let bus = bench.bus("a").await;
    publish(&bus, "order.created", "before").await;
    let mut one = bus.subscribe(follow("order.*", None)).await.unwrap();
    let mut two = bus.subscribe(follow("order.**", None)).await.unwrap();
    let mut all = bus.subscribe(follow("**", Some(0))).await.unwrap();
    let mut literal = bus.subscribe(follow("order.paid", None)).await.unwrap();
    publish(&bus, "order.paid", "1").await;
    publish(&bus, "other", "2").await;
    publish(&bus, "order.paid.late", "3").await;
    assert_eq!(take(&mut one, 1).await, ["1"]);
    assert_eq!(take(&mut two, 2).await, ["1", "3"]);
    assert_eq!(take(&mut all, 4).await, ["before", "1", "2", "3"]);
    assert_eq!(take(&mut literal, 1).await, ["1"]);
    for subscription in [&mut one, &mut two, &mut all, &mut literal] {
        quiet(subscription).await;
    }
}

pub(crate) async fn cursor_goes_on_without_loss(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..100 {
        let topic = if n % 2 == 0 { "even" } else { "odd" };
        publish(&bus, topic, &n.to_string()).await;
    }
    let mut seen = Vec::new();
    let mut cursor = 0;
    while seen.len() < 50 {
        let mut subscription = bus.subscribe(follow("even", Some(cursor))).await.unwrap();
        for _ in 0..7.min(50 - seen.len()) {
            let delivery = next(&mut subscription).await;
            cursor = delivery.event.sequence;
            assert_eq!(delivery.deliveries, 1);
            seen.push(super::bench::payload(&delivery));
        }
    }
    let wanted: Vec<_> = (0..100).step_by(2).map(|n| n.to_string()).collect();
    assert_eq!(seen, wanted);
}

pub(crate) async fn cursor_that_fell_out_is_refused(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 1..=3 {
        publish(&bus, "gone", &n.to_string()).await;
    }
    publish(&bus, "kept", "4").await;
    assert_eq!(bus.trim(&pattern("gone"), Duration::ZERO).await.unwrap(), 3);
    let refused = bus.subscribe(follow("**", Some(1))).await.map(drop);
    assert!(
        matches!(refused, Err(Error::CursorExpired(1))),
        "{refused:?}"
    );
    let refused = bus.subscribe(follow("**", Some(5))).await.map(drop);
    assert!(
        matches!(refused, Err(Error::CursorExpired(5))),
        "{refused:?}"
    );
    for good in [
        follow("kept", Some(1)),
        follow("**", Some(3)),
        follow("**", Some(0)),
    ] {
        let mut subscription = bus.subscribe(good).await.unwrap();
        assert_eq!(take(&mut subscription, 1).await, ["4"]);
    }
}

pub(crate) async fn recent_is_newest_first_and_bounded(bench: Bench) {
    let bus = bench.bus("a").await;
    assert!(
        bus.recent(&pattern("**"), 1)
            .await
            .unwrap()
            .events
            .is_empty()
    );
    for n in 0..1_100 {
        publish(&bus, "many", &n.to_string()).await;
    }
    publish(&bus, "few", "x").await;
    let recent = bus.recent(&pattern("**"), 5_000).await.unwrap();
    assert_eq!(recent.events.len(), RECENT_MAX);
    assert!(!recent.truncated);
    assert!(recent.events.is_sorted_by(|a, b| a.sequence > b.sequence));
    let one = bus.recent(&pattern("many"), 1).await.unwrap();
    assert_eq!(one.events[0].payload, "1099");
    for n in 0..40 {
        let mut large = event(&format!("large-{n}"), "large", "");
        large.payload = vec![b'x'; PAYLOAD_MAX].into();
        bus.publish(&large).await.unwrap();
    }
    let large = bus.recent(&pattern("large"), 40).await.unwrap();
    assert!(large.truncated);
    assert_eq!(large.events.len(), RECENT_BYTES_MAX / PAYLOAD_MAX);
    assert_eq!(large.events[0].id, "large-39");
}

pub(crate) async fn topics_tell_counts_and_subscribers(bench: Bench) {
    let bus = bench.bus("a").await;
    assert!(bus.topics().await.unwrap().is_empty());
    publish(&bus, "b", "1").await;
    publish(&bus, "a", "2").await;
    let last = publish(&bus, "b", "3").await;
    let _all = bus.subscribe(follow("**", None)).await.unwrap();
    let b = bus.subscribe(follow("b", None)).await.unwrap();
    let topics = bus.topics().await.unwrap();
    let told: Vec<_> = topics
        .iter()
        .map(|t| (t.topic.as_str(), t.events, t.last_sequence, t.subscribers))
        .collect();
    assert_eq!(told, [("a", 1, 2, 1), ("b", 2, 3, 2)]);
    assert_eq!(topics[1].last_published_ms, last.published_ms);
    drop(b);
    assert_eq!(bus.topics().await.unwrap()[1].subscribers, 1);
}

pub(crate) async fn trim_removes_by_age_and_pattern(bench: Bench) {
    let bus = bench.bus("a").await;
    for topic in ["a.x", "a.y", "b"] {
        publish(&bus, topic, topic).await;
    }
    let hour = Duration::from_secs(3_600);
    assert_eq!(bus.trim(&pattern("**"), hour).await.unwrap(), 0);
    assert_eq!(bus.trim(&pattern("a.*"), Duration::ZERO).await.unwrap(), 2);
    assert_eq!(bus.trim(&pattern("a.*"), Duration::ZERO).await.unwrap(), 0);
    let topics = bus.topics().await.unwrap();
    assert_eq!(topics.len(), 1);
    // A trimmed number does not come again, and its id is free.
    assert_eq!(publish(&bus, "a.x", "a.x").await.sequence, 4);
    for n in 0..1_200 {
        publish(&bus, "many", &format!("m{n}")).await;
    }
    assert_eq!(
        bus.trim(&pattern("many"), Duration::ZERO).await.unwrap(),
        1_200
    );
}

pub(crate) async fn oldest_fall_out_beyond_what_is_kept(bench: Bench) {
    let bus = bench.bus_keeping("a", 10).await;
    for n in 1..=25 {
        publish(
            &bus,
            if n % 2 == 0 { "even" } else { "odd" },
            &n.to_string(),
        )
        .await;
    }
    let recent = bus.recent(&pattern("**"), 100).await.unwrap();
    let kept: Vec<_> = recent.events.iter().map(|e| e.sequence).collect();
    assert_eq!(kept, (16..=25).rev().collect::<Vec<_>>());
    let events: i64 = bus.topics().await.unwrap().iter().map(|t| t.events).sum();
    assert_eq!(events, 10);
    let refused = bus.subscribe(follow("odd", Some(3))).await.map(drop);
    assert!(matches!(refused, Err(Error::CursorExpired(3))));
}

pub(crate) async fn other_process_sees_what_is_published(bench: Bench) {
    let (here, there) = (bench.bus("here").await, bench.bus("there").await);
    let mut subscription = there.subscribe(follow("t", None)).await.unwrap();
    publish(&here, "t", "1").await;
    assert_eq!(take(&mut subscription, 1).await, ["1"]);
    let again = publish(&there, "t", "1").await;
    assert!(!again.new && again.sequence == 1);
    assert_eq!(publish(&there, "t", "2").await.sequence, 2);
}

pub(crate) async fn slow_subscriber_gets_all_in_order(bench: Bench) {
    let bus = bench.bus("a").await;
    let mut slow = bus.subscribe(follow("t", None)).await.unwrap();
    // More than it reads at once, and more than it could be let to hold.
    for n in 0..64 {
        let mut large = event(&n.to_string(), "t", "");
        large.payload = vec![b'x'; PAYLOAD_MAX].into();
        bus.publish(&large).await.unwrap();
    }
    for n in 1..=64 {
        assert_eq!(next(&mut slow).await.event.sequence, n);
    }
    quiet(&mut slow).await;
}

pub(crate) async fn subscribers_are_bounded(bench: Bench) {
    let bus = bench.bus("a").await;
    let mut held = Vec::new();
    for _ in 0..SUBSCRIBERS_MAX {
        held.push(bus.subscribe(follow("t", None)).await.unwrap());
    }
    let refused = bus.subscribe(follow("t", None)).await.map(drop);
    assert!(matches!(refused, Err(Error::TooManySubscribers)));
    held.pop();
    bus.subscribe(follow("t", None)).await.unwrap();
}
