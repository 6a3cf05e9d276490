//! Several journals on one schema.

use futures::future::join_all;
use gearmesh_store::{
    Accepted, Dedupe, Error, NewRun, Owned, PgStore, RunIds, SHARDS, Shard, shard_of,
};
use gearmesh_testparts::Postgres;

use super::{ints, keyed, owning};
use crate::suite::{append, database, new_run};

async fn store() -> PgStore {
    let url = database(Postgres::shared().await);
    PgStore::open(&url, "suite").await.unwrap()
}

/// Another owner takes a shard; its epoch.
async fn taken(store: &PgStore, shard: Shard) -> i64 {
    let text = format!("UPDATE shard SET epoch = epoch + 1 WHERE shard = {shard} RETURNING epoch");
    ints(store, text).await[0]
}

#[tokio::test]
async fn other_owner_stops_every_later_group() {
    let store = store().await;
    let old = owning(&store, Owned::all(1)).await;
    let ids = RunIds::after(None);
    let (three, four) = (ids.next_in(3, 1), ids.next_in(4, 1));
    for run in [three, four] {
        assert_eq!(old.accept(new_run(run)).await.unwrap(), Accepted::New);
    }
    let epoch = taken(&store, 3).await;
    let new = owning(&store, Owned::from_iter([(3, epoch)])).await;
    // Whatever the old owner thinks, and however often it takes the shard back by itself.
    for _ in 0..3 {
        old.owned().insert(3, 1);
        let (appends, accepted) = futures::join!(
            join_all([append(three, 2), append(four, 9)].map(|a| old.append(a))),
            old.accept(new_run(ids.next_in(3, 1))),
        );
        let [fenced, gap] = appends.try_into().unwrap();
        assert!(
            matches!(fenced, Err(Error::Fenced { shard: 3 })),
            "{fenced:?}"
        );
        assert!(matches!(gap, Err(Error::Gap { .. })), "{gap:?}");
        assert!(
            matches!(accepted, Err(Error::Fenced { shard: 3 })),
            "{accepted:?}"
        );
        assert_eq!(old.owned().epoch(3), None);
        assert_eq!(old.owned().shards().len(), SHARDS - 1);
    }
    let fenced = old.append(append(three, 2)).await;
    assert!(
        matches!(fenced, Err(Error::Fenced { shard: 3 })),
        "{fenced:?}"
    );
    assert_eq!(new.rows(three).await.unwrap().len(), 1);
    assert_eq!(new.open_runs().await.unwrap().len(), 2);
    new.append(append(three, 2)).await.unwrap();
    // What was refused has drawn no number.
    let seqs = ints(
        &store,
        "SELECT seq FROM shard WHERE shard IN (3, 4) ORDER BY shard",
    )
    .await;
    assert_eq!(seqs, [2, 1]);
}

#[tokio::test]
async fn neighbours_of_a_lost_shard_are_written() {
    let store = store().await;
    let old = owning(&store, Owned::all(1)).await;
    let ids = RunIds::after(None);
    let runs: Vec<_> = (0..=u8::MAX).map(|shard| ids.next_in(shard, 1)).collect();
    for run in join_all(runs.iter().map(|run| old.accept(new_run(*run)))).await {
        run.unwrap();
    }
    for shard in [0, 7, 255] {
        taken(&store, shard).await;
    }
    let appends = join_all(runs.iter().map(|run| old.append(append(*run, 2)))).await;
    for (run, done) in runs.iter().zip(appends) {
        let shard = shard_of(*run);
        match done {
            Ok(()) => assert!(![0, 7, 255].contains(&shard), "{shard}"),
            Err(Error::Fenced { shard: lost }) => {
                assert_eq!(lost, shard);
                assert!([0, 7, 255].contains(&shard), "{shard}");
            }
            Err(e) => panic!("{shard}: {e}"),
        }
    }
    let rows = ints(&store, "SELECT count(*) FROM journal WHERE n = 2").await;
    assert_eq!(rows, [253]);
}

#[tokio::test]
async fn head_of_a_shard_that_came_back_is_read_anew() {
    let store = store().await;
    let first = owning(&store, Owned::all(1)).await;
    let run = RunIds::after(None).next_in(9, 1);
    first.accept(new_run(run)).await.unwrap();
    first.append(append(run, 2)).await.unwrap();
    let epoch = taken(&store, 9).await;
    let second = owning(&store, Owned::from_iter([(9, epoch)])).await;
    assert_eq!(second.adopt(9).await.unwrap()[0].run, run);
    second.append(append(run, 3)).await.unwrap();
    let epoch = taken(&store, 9).await;
    first.owned().insert(9, epoch);
    assert_eq!(first.adopt(9).await.unwrap().len(), 1);
    let gap = first.append(append(run, 3)).await;
    assert!(
        matches!(gap, Err(Error::Gap { expected: 4, .. })),
        "{gap:?}"
    );
    first.append(append(run, 4)).await.unwrap();
    assert_eq!(first.open_runs_of(&[8]).await.unwrap(), []);
    first.owned().remove(9);
    let adopted = first.adopt(9).await;
    assert!(
        matches!(adopted, Err(Error::Fenced { shard: 9 })),
        "{adopted:?}"
    );
}

/// Journals that own every second shard.
async fn two(store: &PgStore) -> [gearmesh_store::Journal; 2] {
    let half = |odd: u8| Owned::from_iter((0..=u8::MAX).filter(|s| s % 2 == odd).map(|s| (s, 1)));
    [owning(store, half(0)).await, owning(store, half(1)).await]
}

#[tokio::test]
async fn request_to_two_journals_is_one_run() {
    let store = store().await;
    let journals = two(&store).await;
    let ids = RunIds::after(None);
    for round in 0..40 {
        // Each sends the keys in an order of its own.
        let mut requests = Vec::new();
        for i in 0..12_u8 {
            let shard = i % 2;
            let key = if shard == 0 { i / 2 } else { 5 - i / 2 };
            let run = ids.next_in(shard, 1);
            requests.push((
                key,
                usize::from(shard),
                keyed(run, &format!("{round}/{key}")),
            ));
        }
        let sent = requests.iter().map(async |(key, journal, new)| {
            let accepted = journals[*journal].accept(new.clone()).await.unwrap();
            (*key, new.run, accepted)
        });
        let answers = join_all(sent).await;
        for key in 0..6 {
            let of_key: Vec<_> = answers.iter().filter(|(k, ..)| *k == key).collect();
            let first: Vec<_> = of_key.iter().filter(|a| a.2 == Accepted::New).collect();
            assert_eq!(first.len(), 1, "{of_key:?}");
            let expected = Accepted::Existing(first[0].1);
            assert!(
                of_key.iter().all(|a| a.1 == first[0].1 || a.2 == expected),
                "{of_key:?}"
            );
        }
    }
    assert_eq!(ints(&store, "SELECT count(*) FROM run").await, [240]);
}

#[tokio::test]
async fn dedupe_key_in_two_journals_is_one_run() {
    let store = store().await;
    let journals = two(&store).await;
    let ids = RunIds::after(None);
    for round in 0..20 {
        let sent = (0..8_u8).map(|i| {
            let dedupe = Dedupe {
                key: format!("{round}/{}", i / 4),
                until_ms: 2_000,
            };
            let new = NewRun {
                dedupe: Some(dedupe),
                ..keyed(ids.next_in(i % 2, 1), &format!("{round}/{i}"))
            };
            journals[usize::from(i % 2)].accept(new)
        });
        let answers: Vec<_> = join_all(sent)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        for half in answers.chunks(4) {
            let new = half.iter().filter(|a| **a == Accepted::New).count();
            assert_eq!(new, 1, "{answers:?}");
        }
    }
    assert_eq!(ints(&store, "SELECT count(*) FROM run").await, [40]);
    let keys = "SELECT count(*) FROM request WHERE run NOT IN (SELECT run FROM run)";
    assert_eq!(ints(&store, keys).await, [0]);
}
