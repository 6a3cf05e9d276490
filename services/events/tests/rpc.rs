//! The engine through its generated client, on both buses.
#![allow(
    clippy::unwrap_used,
    reason = "a test may; clippy knows only functions marked as one"
)]

mod scene;

use std::time::Duration;

use gearmesh_api::events::v1::{
    AckRequest, DeleteGroupRequest, ListGroupsRequest, ListTopicsRequest, PublishRequest,
    RecentRequest, SubscribeRequest, TrimRequest,
};
use gearmesh_api::tool::v1::Json;
use gearmesh_bus::PAYLOAD_MAX;
use scene::{Client, Scene, publish, reason, take, text};
use tonic::{Code, Request};

/// One test per case and bus.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Scene::local().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Scene::redis().await).await;
            })*
        }
    };
}

on_both!(
    publish_answers_what_recent_shows,
    key_publishes_once,
    bad_requests_are_refused,
    stream_resumes_by_its_cursor,
    stream_ends_at_its_limit,
    group_is_acknowledged_by_rpc,
    topics_and_groups_come_by_pages,
    trim_and_delete_group,
    drain_ends_streams_with_a_reason,
);

fn request(topic: &str) -> PublishRequest {
    PublishRequest {
        topic: topic.to_owned(),
        ..PublishRequest::default()
    }
}

fn follow(topic: &str, after: &str) -> SubscribeRequest {
    SubscribeRequest {
        topic: topic.to_owned(),
        after: after.to_owned(),
        ..SubscribeRequest::default()
    }
}

fn recent(topic: &str, count: Option<i32>) -> RecentRequest {
    RecentRequest {
        topic: topic.to_owned(),
        count,
    }
}

async fn publish_answers_what_recent_shows(scene: Scene) {
    let mut client = scene.client();
    let full = PublishRequest {
        payload: Some(Json {
            text: r#"{"n": 9007199254740993, "ä": [null]}"#.into(),
        }),
        source_agent_id: "agent-7".to_owned(),
        ..request("order.created")
    };
    let mut called = Request::new(full);
    (called.metadata_mut()).insert("gearmesh-principal", "ann".parse().unwrap());
    let first = client.publish(called).await.unwrap().into_inner();
    assert_eq!((first.sequence, first.topic.as_str()), (1, "order.created"));
    assert!(first.triggered.is_empty() && first.published_at.is_some());
    client.publish(request("order.paid")).await.unwrap();
    let answer = client.recent(recent("order.*", None)).await.unwrap();
    let answer = answer.into_inner();
    assert!(!answer.truncated);
    let [paid, created] = answer.events.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(text(paid), "null");
    assert_eq!(text(created), r#"{"n": 9007199254740993, "ä": [null]}"#);
    assert_eq!(created.event_id, first.event_id);
    assert_eq!(created.published_at, first.published_at);
    assert_eq!(created.source_agent_id, "agent-7");
    assert_eq!(
        (created.published_by.as_str(), paid.published_by.as_str()),
        ("ann", "")
    );
    let one = client.recent(recent("**", Some(1))).await.unwrap();
    assert_eq!(one.into_inner().events.len(), 1);
    for bad in [0, 1_001, -1] {
        let refused = client.recent(recent("**", Some(bad))).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    client.recent(recent("**", Some(1_000))).await.unwrap();
}

async fn key_publishes_once(scene: Scene) {
    let mut client = scene.client();
    let keyed = |topic: &str| {
        let mut keyed = Request::new(request(topic));
        (keyed.metadata_mut()).insert("idempotency-key", "order-4711".parse().unwrap());
        keyed
    };
    let first = client.publish(keyed("t")).await.unwrap().into_inner();
    let again = client.publish(keyed("t")).await.unwrap().into_inner();
    assert_eq!(first, again);
    // A key is its caller's own: another may have chosen the same.
    let mut of_ada = keyed("t");
    (of_ada.metadata_mut()).insert(
        gearmesh_link::names::PRINCIPAL,
        "token/ada".parse().unwrap(),
    );
    let of_ada = client.publish(of_ada).await.unwrap().into_inner();
    assert_ne!(of_ada.event_id, first.event_id);
    let refused = client.publish(keyed("u")).await.unwrap_err();
    assert_eq!(reason(&refused), "KEY_REUSED");
    if scene.has_instances() {
        // Another instance has no ledger of ours; the bus knows the event.
        let other = scene.instance().await;
        let elsewhere = other.client().publish(keyed("t")).await.unwrap();
        assert_eq!(elsewhere.into_inner(), first);
        let refused = scene.instance().await.client().publish(keyed("u")).await;
        assert_eq!(reason(&refused.unwrap_err()), "KEY_REUSED");
    }
    // One of each caller.
    let events = client.recent(recent("**", None)).await.unwrap();
    assert_eq!(events.into_inner().events.len(), 2);
}

async fn bad_requests_are_refused(scene: Scene) {
    let mut client = scene.client();
    for bad in ["", "a..b", "a b", "*", &"a".repeat(101)] {
        let refused = client.publish(request(bad)).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_PARAMETERS", "{bad}");
    }
    client.publish(request(&"a".repeat(100))).await.unwrap();
    let json = |text: String| PublishRequest {
        payload: Some(Json { text: text.into() }),
        ..request("t")
    };
    let largest = format!("\"{}\"", "x".repeat(PAYLOAD_MAX - 2));
    client.publish(json(largest.clone())).await.unwrap();
    let refused = client.publish(json(format!("{largest} "))).await;
    assert_eq!(reason(&refused.unwrap_err()), "PAYLOAD_TOO_LARGE");
    let refused = client.publish(json("{".to_owned())).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_PARAMETERS");
    let source = |length| PublishRequest {
        source_agent_id: "ä".repeat(length),
        ..request("t")
    };
    client.publish(source(100)).await.unwrap();
    assert!(client.publish(source(101)).await.is_err());
    for bad in [
        follow("a*", ""),
        follow("**.a", ""),
        follow("t", "x"),
        follow("t", "9999999999999999999"),
        SubscribeRequest {
            group: "a b".to_owned(),
            ..follow("t", "")
        },
        SubscribeRequest {
            member: "m".to_owned(),
            ..follow("t", "")
        },
        SubscribeRequest {
            auto_ack: true,
            ..follow("t", "")
        },
        SubscribeRequest {
            ack_timeout: Some(millis(100)),
            ..follow("t", "")
        },
        SubscribeRequest {
            group: "g".to_owned(),
            ack_timeout: Some(millis(99)),
            ..follow("t", "")
        },
        SubscribeRequest {
            limit: -1,
            ..follow("t", "")
        },
    ] {
        let refused = client.subscribe(bad.clone()).await.map(drop);
        let refused = refused.expect_err(&format!("{bad:?}"));
        assert_eq!(reason(&refused), "INVALID_PARAMETERS", "{bad:?}");
    }
    let refused = client.subscribe(follow("t", "999")).await.map(drop);
    assert_eq!(reason(&refused.unwrap_err()), "CURSOR_EXPIRED");
    let ack = |group: &str, sequences: Vec<i64>| AckRequest {
        group: group.to_owned(),
        sequences,
    };
    let refused = client.ack(ack("nobody", vec![1])).await.unwrap_err();
    assert_eq!(reason(&refused), "GROUP_NOT_FOUND");
    for bad in [ack("g", vec![]), ack("g", vec![1; 1_001]), ack("", vec![1])] {
        let refused = client.ack(bad).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_PARAMETERS");
    }
}

fn millis(ms: i32) -> prost_types::Duration {
    prost_types::Duration {
        seconds: 0,
        nanos: ms * 1_000_000,
    }
}

async fn stream_resumes_by_its_cursor(scene: Scene) {
    let mut client = scene.client();
    let mut live = client
        .subscribe(follow("t.*", ""))
        .await
        .unwrap()
        .into_inner();
    for n in 0..6 {
        publish(&mut client, &format!("t.{n}"), &n.to_string()).await;
    }
    let first = take(&mut live, 2).await;
    assert_eq!(text(first[1].event.as_ref().unwrap()), "1");
    assert_eq!(first[0].deliveries, 1);
    drop(live);
    // Another instance goes on.
    let other = scene.instance().await;
    let request = follow("t.*", &first[1].cursor);
    let mut resumed = other
        .client()
        .subscribe(request)
        .await
        .unwrap()
        .into_inner();
    let rest: Vec<_> = take(&mut resumed, 4).await;
    let rest: Vec<_> = rest
        .iter()
        .map(|r| text(r.event.as_ref().unwrap()))
        .collect();
    assert_eq!(rest, ["2", "3", "4", "5"]);
}

async fn stream_ends_at_its_limit(scene: Scene) {
    let mut client = scene.client();
    for n in 0..3 {
        publish(&mut client, "t", &n.to_string()).await;
    }
    let limited = SubscribeRequest {
        limit: 2,
        group: "g".to_owned(),
        auto_ack: true,
        ..follow("t", "0")
    };
    let mut stream = client.subscribe(limited).await.unwrap().into_inner();
    take(&mut stream, 2).await;
    assert!(stream.message().await.unwrap().is_none());
    let all = ListGroupsRequest {
        topic: "**".to_owned(),
        ..ListGroupsRequest::default()
    };
    let groups = client.list_groups(all).await.unwrap().into_inner().groups;
    assert_eq!(
        (groups[0].pending, groups[0].lag),
        (0, 1),
        "no more is taken"
    );
}

async fn group_is_acknowledged_by_rpc(scene: Scene) {
    let mut client = scene.client();
    let member = |name: &str| SubscribeRequest {
        group: "g".to_owned(),
        member: name.to_owned(),
        ack_timeout: Some(millis(500)),
        ..follow("t", "0")
    };
    for n in 0..3 {
        publish(&mut client, "t", &n.to_string()).await;
    }
    let mut dies = client.subscribe(member("a")).await.unwrap().into_inner();
    let first = take(&mut dies, 1).await;
    let sequence = first[0].event.as_ref().unwrap().sequence;
    let ack = AckRequest {
        group: "g".to_owned(),
        sequences: vec![sequence],
    };
    let acked = client.ack(ack.clone()).await.unwrap().into_inner();
    assert_eq!(acked.acknowledged, 1);
    assert_eq!(client.ack(ack).await.unwrap().into_inner().acknowledged, 0);
    drop(dies);
    let other = scene.instance().await;
    let mut lives = other
        .client()
        .subscribe(member("b"))
        .await
        .unwrap()
        .into_inner();
    let again = take(&mut lives, 2).await;
    let seen: Vec<_> = again
        .iter()
        .map(|r| text(r.event.as_ref().unwrap()))
        .collect();
    assert_eq!(seen, ["1", "2"]);
    assert!(again.iter().all(|r| r.deliveries >= 2), "{again:?}");
    let mismatch = SubscribeRequest {
        topic: "u".to_owned(),
        ..member("c")
    };
    let refused = client.subscribe(mismatch).await.map(drop).unwrap_err();
    assert_eq!(reason(&refused), "GROUP_TOPIC_MISMATCH");
}

async fn topics_and_groups_come_by_pages(scene: Scene) {
    let mut client = scene.client();
    for topic in ["b", "a", "c", "a"] {
        publish(&mut client, topic, "1").await;
    }
    let mut streams = Vec::new();
    for (group, topic) in [("g2", "**"), ("g1", "a"), ("g3", "b")] {
        let member = SubscribeRequest {
            group: group.to_owned(),
            ..follow(topic, "")
        };
        streams.push(client.subscribe(member).await.unwrap());
    }
    let page = ListTopicsRequest {
        page_size: 2,
        ..ListTopicsRequest::default()
    };
    let first = client.list_topics(page.clone()).await.unwrap().into_inner();
    let told: Vec<_> = (first.topics.iter())
        .map(|t| (t.topic.as_str(), t.events, t.last_sequence, t.subscribers))
        .collect();
    assert_eq!(told, [("a", 2, 4, 2), ("b", 1, 1, 2)]);
    assert!(first.topics[0].last_published_at.is_some());
    let next = ListTopicsRequest {
        page_token: first.next_page_token,
        ..page.clone()
    };
    let second = client.list_topics(next).await.unwrap().into_inner();
    assert_eq!(second.topics[0].topic, "c");
    assert!(second.next_page_token.is_empty());
    let bad = ListTopicsRequest {
        page_token: "x".to_owned(),
        ..page
    };
    assert!(client.list_topics(bad).await.is_err());
    let page = ListGroupsRequest {
        topic: "a".to_owned(),
        page_size: 1,
        ..ListGroupsRequest::default()
    };
    let first = client.list_groups(page.clone()).await.unwrap().into_inner();
    assert_eq!(
        (first.groups[0].group.as_str(), first.groups[0].members),
        ("g1", 1)
    );
    let next = ListGroupsRequest {
        page_token: first.next_page_token,
        ..page
    };
    let second = client.list_groups(next).await.unwrap().into_inner();
    assert_eq!(
        (
            second.groups[0].group.as_str(),
            second.groups[0].topic.as_str()
        ),
        ("g2", "**")
    );
    assert!(second.next_page_token.is_empty());
}

async fn trim_and_delete_group(scene: Scene) {
    let mut client = scene.client();
    for topic in ["a.x", "a.y", "b"] {
        publish(&mut client, topic, "1").await;
    }
    let trim = |topic: &str, age: Option<i64>| TrimRequest {
        topic: topic.to_owned(),
        max_age: age.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    };
    let removed = async |client: &mut Client, request: TrimRequest| {
        client.trim(request).await.unwrap().into_inner().removed
    };
    assert_eq!(removed(&mut client, trim("**", None)).await, 0);
    assert_eq!(removed(&mut client, trim("a.*", Some(0))).await, 2);
    assert_eq!(removed(&mut client, trim("**", Some(0))).await, 1);
    assert!(client.trim(trim("**", Some(-1))).await.is_err());
    assert!(client.trim(trim("**", Some(315_360_001))).await.is_err());
    let member = SubscribeRequest {
        group: "g".to_owned(),
        ..follow("t", "")
    };
    let mut stream = client.subscribe(member).await.unwrap().into_inner();
    let delete = DeleteGroupRequest {
        group: "g".to_owned(),
    };
    let deleted = client.delete_group(delete.clone()).await.unwrap();
    assert!(deleted.into_inner().deleted);
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.message()).await;
    assert_eq!(reason(&ended.unwrap().unwrap_err()), "GROUP_NOT_FOUND");
    let deleted = client.delete_group(delete).await.unwrap();
    assert!(!deleted.into_inner().deleted);
}

async fn drain_ends_streams_with_a_reason(scene: Scene) {
    let mut client = scene.client();
    let mut stream = client
        .subscribe(follow("t", ""))
        .await
        .unwrap()
        .into_inner();
    let stopped = tokio::time::timeout(Duration::from_secs(20), scene.stop());
    let (ended, _redis) = tokio::join!(stream.message(), stopped);
    assert_eq!(reason(&ended.unwrap_err()), "SHUTTING_DOWN");
}
