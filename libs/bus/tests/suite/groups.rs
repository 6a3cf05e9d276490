//! Groups: sharing, acknowledging, recovery.

use std::collections::BTreeSet;
use std::time::Duration;

use gearmesh_bus::{Error, Follow, IN_FLIGHT_MAX};

use super::bench::{Bench, follow, member, name, next, payload, publish, quiet, take};

/// Short enough for a test, long enough that nothing falls due while it looks.
const DUE: Duration = Duration::from_millis(800);

fn quick(follow: Follow) -> Follow {
    Follow {
        ack_timeout: DUE,
        ..follow
    }
}

pub(crate) async fn members_share_and_acknowledge(bench: Bench) {
    let (here, there) = (bench.bus("here").await, bench.bus("there").await);
    let mut one = here.subscribe(member("t", "g", "one")).await.unwrap();
    let mut two = there.subscribe(member("t", "g", "two")).await.unwrap();
    let mut alone = here.subscribe(follow("t", None)).await.unwrap();
    let mut seen = BTreeSet::new();
    let mut by = [0, 0];
    for n in 0..40 {
        publish(&here, "t", &n.to_string()).await;
        let (delivery, who) = tokio::select! {
            d = one.next() => (d.unwrap(), 0),
            d = two.next() => (d.unwrap(), 1),
        };
        by[who] += 1;
        assert!(seen.insert(payload(&delivery)), "each goes to one");
        let acked = there.ack(&name("g"), &[delivery.event.sequence]).await;
        assert_eq!(acked.unwrap(), 1);
    }
    assert_eq!(seen.len(), 40);
    assert_eq!(take(&mut alone, 40).await.len(), 40);
    // Repeating does no harm.
    assert_eq!(here.ack(&name("g"), &[1, 2, 999]).await.unwrap(), 0);
    assert_eq!(here.groups().await.unwrap()[0].pending, 0);
    quiet(&mut one).await;
}

pub(crate) async fn pending_of_a_dead_member_goes_to_another(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..5 {
        publish(&bus, "t", &n.to_string()).await;
    }
    let mut dies = bus
        .subscribe(quick(member("t", "g", "dies")))
        .await
        .unwrap();
    assert_eq!(take(&mut dies, 2).await, ["0", "1"]);
    bus.ack(&name("g"), &[1]).await.unwrap();
    drop(dies);
    let mut lives = bus
        .subscribe(quick(member("t", "g", "lives")))
        .await
        .unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < 4 {
        let delivery = next(&mut lives).await;
        assert!(delivery.deliveries == 2, "{delivery:?}");
        bus.ack(&name("g"), &[delivery.event.sequence])
            .await
            .unwrap();
        seen.insert(payload(&delivery));
    }
    assert_eq!(seen.into_iter().collect::<String>(), "1234");
    assert_eq!(bus.groups().await.unwrap()[0].pending, 0);
}

pub(crate) async fn member_that_comes_back_gets_its_own_at_once(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..100 {
        publish(&bus, "t", &n.to_string()).await;
    }
    let mut first = bus.subscribe(member("t", "g", "m")).await.unwrap();
    assert_eq!(take(&mut first, 70).await.len(), 70);
    drop(first);
    let mut again = bus.subscribe(member("t", "g", "m")).await.unwrap();
    let wanted: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(take(&mut again, 100).await, wanted);
    quiet(&mut again).await;
}

pub(crate) async fn auto_ack_acknowledges_what_was_passed(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..3 {
        publish(&bus, "t", &n.to_string()).await;
    }
    let auto = Follow {
        auto_ack: true,
        ..member("t", "g", "m")
    };
    let mut first = bus.subscribe(auto.clone()).await.unwrap();
    assert_eq!(take(&mut first, 2).await, ["0", "1"]);
    // The first is acknowledged, the second may not have been seen.
    drop(first);
    let mut again = bus.subscribe(auto).await.unwrap();
    assert_eq!(take(&mut again, 2).await, ["1", "2"]);
    quiet(&mut again).await;
    assert_eq!(bus.groups().await.unwrap()[0].pending, 0);
}

pub(crate) async fn group_goes_on_where_it_stands(bench: Bench) {
    let bus = bench.bus("a").await;
    publish(&bus, "t", "before").await;
    let now = Follow {
        after: None,
        auto_ack: true,
        ..member("t", "g", "m")
    };
    let mut first = bus.subscribe(now.clone()).await.unwrap();
    publish(&bus, "t", "1").await;
    publish(&bus, "t", "2").await;
    assert_eq!(take(&mut first, 2).await, ["1", "2"]);
    quiet(&mut first).await;
    drop(first);
    publish(&bus, "t", "3").await;
    // What it says of the begin counts for the first only.
    let again = Follow {
        after: Some(0),
        ..now
    };
    let mut again = bus.subscribe(again).await.unwrap();
    assert_eq!(take(&mut again, 1).await, ["3"]);
}

pub(crate) async fn group_keeps_its_topic_and_ends_when_deleted(bench: Bench) {
    let bus = bench.bus("a").await;
    let unknown = bus.ack(&name("g"), &[1]).await;
    assert!(
        matches!(unknown, Err(Error::GroupNotFound(_))),
        "{unknown:?}"
    );
    assert!(!bus.delete_group(&name("g")).await.unwrap());
    let mut subscription = bus.subscribe(member("a.*", "g", "m")).await.unwrap();
    let other = bus.subscribe(member("b", "g", "m")).await.map(drop);
    let Err(Error::GroupTopicMismatch { found, .. }) = other else {
        panic!("{other:?}");
    };
    assert_eq!(found, "a.*");
    publish(&bus, "a.x", "1").await;
    assert_eq!(take(&mut subscription, 1).await, ["1"]);
    assert!(bus.delete_group(&name("g")).await.unwrap());
    let ended = subscription.next().await;
    assert!(matches!(ended, Err(Error::GroupNotFound(_))), "{ended:?}");
    assert!(bus.groups().await.unwrap().is_empty());
    // The name is free.
    let mut new = bus.subscribe(member("a.x", "g", "m")).await.unwrap();
    assert_eq!(take(&mut new, 1).await, ["1"]);
}

pub(crate) async fn member_that_never_acknowledges_is_bounded(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..IN_FLIGHT_MAX + 50 {
        publish(&bus, "t", &n.to_string()).await;
    }
    let mut greedy = bus.subscribe(member("t", "g", "m")).await.unwrap();
    let mut held = 0;
    while let Ok(delivery) = tokio::time::timeout(Duration::from_secs(1), greedy.next()).await {
        held = delivery.unwrap().event.sequence;
    }
    let held_count = usize::try_from(held).unwrap();
    assert!(
        held_count <= IN_FLIGHT_MAX && held_count > IN_FLIGHT_MAX - 64,
        "{held}"
    );
    let all: Vec<i64> = (1..=held).collect();
    assert_eq!(bus.ack(&name("g"), &all).await.unwrap(), held_count);
    assert_eq!(next(&mut greedy).await.event.sequence, held + 1);
}

pub(crate) async fn groups_tell_lag_and_pending(bench: Bench) {
    let bus = bench.bus("a").await;
    assert!(bus.groups().await.unwrap().is_empty());
    let mut b = bus.subscribe(member("t.*", "b", "m")).await.unwrap();
    let _a = bus.subscribe(member("t.x", "a", "m")).await.unwrap();
    for n in 0..3 {
        publish(&bus, "t.x", &n.to_string()).await;
    }
    publish(&bus, "other", "o").await;
    assert_eq!(take(&mut b, 3).await.len(), 3);
    bus.ack(&name("b"), &[1]).await.unwrap();
    let told: Vec<_> = bus
        .groups()
        .await
        .unwrap()
        .into_iter()
        .map(|g| {
            (
                g.group,
                g.pattern.as_str().to_owned(),
                g.members,
                g.pending,
                g.lag,
            )
        })
        .collect();
    let a = ("a".to_owned(), "t.x".to_owned(), 1, 0, 3);
    let b = ("b".to_owned(), "t.*".to_owned(), 1, 2, 0);
    assert_eq!(told, [a, b]);
}

pub(crate) async fn pattern_of_a_group_skips_others(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..200 {
        publish(&bus, "noise", &format!("n{n}")).await;
    }
    publish(&bus, "t", "1").await;
    let mut subscription = bus.subscribe(member("t", "g", "m")).await.unwrap();
    assert_eq!(take(&mut subscription, 1).await, ["1"]);
    assert_eq!(bus.groups().await.unwrap()[0].pending, 1);
    assert_eq!(bus.groups().await.unwrap()[0].lag, 0);
}

pub(crate) async fn member_with_a_limit_takes_no_more(bench: Bench) {
    let bus = bench.bus("a").await;
    for n in 0..10 {
        publish(&bus, "t", &n.to_string()).await;
    }
    let limited = Follow {
        limit: Some(2),
        auto_ack: true,
        ..member("t", "g", "one")
    };
    let mut one = bus.subscribe(limited).await.unwrap();
    assert_eq!(take(&mut one, 2).await, ["0", "1"]);
    one.pass().await.unwrap();
    assert_eq!(bus.groups().await.unwrap()[0].pending, 0);
    let mut two = bus.subscribe(member("t", "g", "two")).await.unwrap();
    assert_eq!(take(&mut two, 8).await.len(), 8);
}
