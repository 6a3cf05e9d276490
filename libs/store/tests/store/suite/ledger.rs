//! The ledger. Which answer follows from which entry is told by a table beside
//! the rules; here is what reaches the store.

use bytes::Bytes;
use gearmesh_store::limits::{BODY_MAX, TEXT_MAX};
use gearmesh_store::{Begin, Call, Error, Fenced, Ledger};

use super::{Place, ints, sql};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn call(key: &str) -> Call {
    Call {
        owner: "file".into(),
        tool: "file.append".into(),
        key: key.into(),
        run: "run_1".into(),
        task: "t".into(),
        item: 0,
        pass: 1,
        epoch: 1,
        attempt: 1,
        hash: [7; 32],
    }
}

async fn fence(ledger: &Ledger, key: &str, attempt: i64) -> Fenced {
    ledger
        .fence("file", "file.append", key, 1, attempt)
        .await
        .unwrap()
}

pub(crate) async fn done_call_is_answered_from_the_ledger(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    let call = call("k");
    let reply = Bytes::from_static(b"reply");
    assert_eq!(ledger.begin(&call).await.unwrap(), Begin::Go);
    assert_eq!(ledger.begin(&call).await.unwrap(), Begin::Started);
    ledger.done(&call, reply.clone()).await.unwrap();
    assert_eq!(
        ledger.begin(&call).await.unwrap(),
        Begin::Done(reply.clone())
    );
    let elsewhere = Call {
        run: "run_2".into(),
        ..call.clone()
    };
    assert_eq!(ledger.begin(&elsewhere).await.unwrap(), Begin::Done(reply));
    let other = Call {
        hash: [8; 32],
        ..call
    };
    assert!(matches!(ledger.begin(&other).await, Err(Error::KeyReused(k)) if k == "k"));
}

pub(crate) async fn keys_are_apart_by_owner_and_tool(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    assert_eq!(ledger.begin(&call("k")).await.unwrap(), Begin::Go);
    let tool = Call {
        tool: "file.move".into(),
        hash: [1; 32],
        ..call("k")
    };
    assert_eq!(ledger.begin(&tool).await.unwrap(), Begin::Go);
    let owner = Call {
        owner: "email".into(),
        hash: [2; 32],
        ..call("k")
    };
    assert_eq!(ledger.begin(&owner).await.unwrap(), Begin::Go);
}

pub(crate) async fn failed_call_begins_again(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    assert_eq!(ledger.begin(&call("k")).await.unwrap(), Begin::Go);
    ledger.failed(&call("k")).await.unwrap();
    let next = Call {
        attempt: 2,
        ..call("k")
    };
    assert_eq!(ledger.begin(&next).await.unwrap(), Begin::Go);
    assert!(matches!(
        ledger.begin(&call("k")).await,
        Err(Error::StaleEpoch(_))
    ));
    assert!(matches!(
        ledger.done(&call("k"), Bytes::new()).await,
        Err(Error::StaleEpoch(_))
    ));
    ledger.unknown(&next).await.unwrap();
    assert_eq!(fence(&ledger, "k", 2).await, Fenced::Started);
}

pub(crate) async fn newer_attempt_fences_the_older(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    let next = Call {
        attempt: 2,
        ..call("k")
    };
    assert_eq!(ledger.begin(&call("k")).await.unwrap(), Begin::Go);
    assert_eq!(ledger.begin(&next).await.unwrap(), Begin::Started);
    assert!(matches!(
        ledger.begin(&call("k")).await,
        Err(Error::StaleEpoch(_))
    ));
    let another = Call {
        task: "u".into(),
        ..call("k")
    };
    assert!(matches!(
        ledger.begin(&another).await,
        Err(Error::KeyInUse(_))
    ));
}

pub(crate) async fn fence_says_how_far_a_call_came_and_stops_it(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    assert_eq!(fence(&ledger, "a", 1).await, Fenced::Absent);
    assert_eq!(fence(&ledger, "a", 1).await, Fenced::Absent);
    assert!(matches!(
        ledger.begin(&call("a")).await,
        Err(Error::StaleEpoch(_))
    ));
    let next = Call {
        attempt: 2,
        ..call("a")
    };
    assert_eq!(ledger.begin(&next).await.unwrap(), Begin::Go);
    assert_eq!(fence(&ledger, "a", 2).await, Fenced::Started);
    assert_eq!(fence(&ledger, "a", 2).await, Fenced::Started);
    // Its holder was only slow: that it has ended is true all the same.
    ledger.done(&next, Bytes::from_static(b"r")).await.unwrap();
    assert_eq!(
        fence(&ledger, "a", 3).await,
        Fenced::Done(Bytes::from_static(b"r"))
    );
}

pub(crate) async fn answered_call_costs_no_commit(store: Place) {
    let ledger = Ledger::open(store.clone()).await.unwrap();
    ledger.begin(&call("k")).await.unwrap();
    ledger.done(&call("k"), Bytes::new()).await.unwrap();
    let before = store.counts().commits;
    assert_eq!(
        ledger.begin(&call("k")).await.unwrap(),
        Begin::Done(Bytes::new())
    );
    assert_eq!(store.counts().commits, before);
}

pub(crate) async fn expired_entries_are_purged_in_batches(store: Place) {
    let ledger = Ledger::open(store.clone()).await.unwrap();
    for key in ["a", "b", "c"] {
        ledger.begin(&call(key)).await.unwrap();
        ledger.done(&call(key), Bytes::new()).await.unwrap();
    }
    sql(
        &store,
        "UPDATE effect SET started_at = 0, expires_at = 1000 WHERE key < 'c'",
    )
    .await;
    assert_eq!(ledger.purge(1000, 10).await.unwrap(), 0);
    assert_eq!(ledger.purge(1001, 1).await.unwrap(), 1);
    assert_eq!(ledger.purge(1001, 10).await.unwrap(), 1);
    assert_eq!(ledger.purge(1001, 10).await.unwrap(), 0);
    // The third is kept for thirty days by the store's clock.
    let kept = ints(&store, "SELECT expires_at - started_at FROM effect").await;
    assert_eq!(kept, [30 * DAY_MS]);
    assert_eq!(
        ledger.begin(&call("c")).await.unwrap(),
        Begin::Done(Bytes::new())
    );
    assert_eq!(ledger.begin(&call("a")).await.unwrap(), Begin::Go);
}

pub(crate) async fn damaged_entry_is_not_used(store: Place) {
    let ledger = Ledger::open(store.clone()).await.unwrap();
    let damages = [
        "reply = CAST('Reply' AS BLOB)",
        "reply = NULL",
        "status = 'gone'",
        "req_hash = CAST('x' AS BLOB)",
        "task = NULL",
    ];
    for (i, damage) in damages.iter().enumerate() {
        let call = call(&format!("k{i}"));
        ledger.begin(&call).await.unwrap();
        let reply = Bytes::from_static(b"reply");
        ledger.done(&call, reply).await.unwrap();
        sql(
            &store,
            format!("UPDATE effect SET {damage} WHERE key = 'k{i}'"),
        )
        .await;
        let found = ledger.begin(&call).await;
        assert!(
            matches!(found, Err(Error::DamagedEffect { .. })),
            "{damage}: {found:?}"
        );
    }
    ledger.begin(&call("k")).await.unwrap();
}

pub(crate) async fn of_many_at_once_one_begins(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    for round in 0..20 {
        let key = format!("k{round}");
        let calls: Vec<_> = (0..8)
            .map(|run| Call {
                run: format!("run_{run}"),
                ..call(&key)
            })
            .collect();
        let begun = futures::future::join_all(calls.iter().map(|c| ledger.begin(c))).await;
        let go = begun.iter().filter(|b| matches!(b, Ok(Begin::Go))).count();
        let in_use = |b: &&Result<_, _>| matches!(b, Err(Error::KeyInUse(_)));
        let in_use = begun.iter().filter(in_use).count();
        assert_eq!((go, in_use), (1, 7), "{begun:?}");
    }
}

pub(crate) async fn sizes_are_bounded(store: Place) {
    let ledger = Ledger::open(store).await.unwrap();
    let long = call(&"k".repeat(TEXT_MAX));
    assert_eq!(ledger.begin(&long).await.unwrap(), Begin::Go);
    let longer = ledger.begin(&call(&"k".repeat(TEXT_MAX + 1))).await;
    assert!(matches!(longer, Err(Error::TooLarge { .. })), "{longer:?}");
    // All three at their limits, and nothing in them that could be packed.
    let chance: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(TEXT_MAX)
        .collect();
    let (owner, tool) = chance.split_at(TEXT_MAX / 2);
    let widest = Call {
        owner: owner.into(),
        tool: tool.into(),
        ..call(&chance)
    };
    assert_eq!(ledger.begin(&widest).await.unwrap(), Begin::Go);
    let wider = Call {
        tool: format!("{tool}x"),
        ..widest
    };
    let refused = ledger.begin(&wider).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let refused = ledger.done(&long, Bytes::from(vec![0; BODY_MAX + 1])).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    ledger
        .done(&long, Bytes::from(vec![0; BODY_MAX]))
        .await
        .unwrap();
}
