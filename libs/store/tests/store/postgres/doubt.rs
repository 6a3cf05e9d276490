//! Commits that nobody answers.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use gearmesh_store::{
    Accepted, Append, Begin, Dedupe, Error, Journal, Ledger, NewRun, PgStore, RunId, RunIds,
};
use gearmesh_testparts::{Postgres, wait_until};

use super::proxy::{Proxy, Rule};
use super::{ints, keyed};
use crate::suite::{append, database, new_run, open_base, row};

/// Connections that are cut at a commit.
const CUTS: u64 = 240;
const WRITERS: u64 = 8;
/// Of the runs' own; the proxy's has another.
const SEED: u64 = 20_261_121;

fn body(run: RunId, n: u32) -> String {
    format!("{run}/{n}")
}

/// Runs of one writer, until there were enough cuts; what was acknowledged.
async fn write_on(
    journal: &Journal,
    proxy: &Proxy,
    ids: &RunIds,
    writer: u64,
) -> Vec<(RunId, u32)> {
    let mut chance = fastrand::Rng::with_seed(SEED + writer);
    let mut acks = Vec::new();
    while proxy.cuts().0 < CUTS {
        let run = ids.next_in(chance.u8(..), 1);
        let rows = |n| vec![row(n, &body(run, n))];
        let new = NewRun {
            rows: rows(1),
            dedupe: chance.bool().then(|| Dedupe {
                key: run.to_string(),
                until_ms: 9_000,
            }),
            ..keyed(run, &run.to_string())
        };
        let twin = NewRun {
            run: ids.next_in(chance.u8(..), 1),
            ..new.clone()
        };
        let (first, second) = futures::join!(journal.accept(new), journal.accept(twin));
        assert_eq!(first.unwrap(), Accepted::New, "{run}");
        assert_eq!(second.unwrap(), Accepted::Existing(run));
        acks.push((run, 1));
        for n in 2..=3 {
            let next = Append {
                rows: rows(n),
                ..append(run, n)
            };
            journal.append(next).await.unwrap();
            acks.push((run, n));
        }
    }
    acks
}

#[tokio::test]
async fn no_answer_that_is_lost_loses_or_doubles_a_row() {
    let server = Postgres::shared().await;
    let url = database(server);
    let proxy = Proxy::start(server.port(), SEED).await;
    let store = PgStore::open(&proxy.url(&url), "suite").await.unwrap();
    let journal = open_base(&store).await;
    let ids = RunIds::after(None);
    proxy.rule(Rule::Chance(3));
    let writers = (0..WRITERS).map(|writer| write_on(&journal, &proxy, &ids, writer));
    let acks = join_all(writers).await.concat();
    proxy.rule(Rule::Whole);
    let (cuts, answered) = proxy.cuts();
    // Some were on disk and some were not.
    assert!(
        cuts >= CUTS && answered > CUTS / 10 && answered < cuts,
        "{cuts} {answered}"
    );
    for (run, n) in &acks {
        let rows = journal.rows(*run).await.unwrap();
        assert_eq!(rows[*n as usize - 1].body, body(*run, *n), "{run}");
    }
    let runs = i64::try_from(acks.len() / 3).unwrap();
    assert_eq!(
        ints(&store, "SELECT count(*) FROM journal").await,
        [runs * 3]
    );
    assert_eq!(ints(&store, "SELECT count(*) FROM run").await, [runs]);
    assert_eq!(ints(&store, "SELECT count(*) FROM open_run").await, [runs]);
    assert_eq!(ints(&store, "SELECT count(*) FROM request").await, [runs]);
    // A shard's numbers tell of each operation once, those that lost included.
    let seq = ints(&store, "SELECT sum(seq)::bigint FROM shard").await[0];
    assert_eq!(seq, runs * 4);
}

#[tokio::test]
async fn transaction_that_is_left_open_is_ended() {
    let server = Postgres::shared().await;
    let url = database(server);
    let proxy = Proxy::start(server.port(), SEED).await;
    let store = PgStore::open(&proxy.url(&url), "suite").await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    proxy.rule(Rule::Hold);
    let dedupe = Dedupe {
        key: "k".into(),
        until_ms: 2_000,
    };
    let new = NewRun {
        dedupe: Some(dedupe),
        ..keyed(2, "k")
    };
    let accepted = tokio::time::timeout(Duration::from_secs(9), journal.accept(new)).await;
    assert_eq!(accepted.unwrap().unwrap(), Accepted::New);
    assert!(proxy.is(Rule::Whole), "nothing was held");
    assert_eq!(journal.rows(2).await.unwrap().len(), 1);
    // It was written under its second name: the first will never be.
    let outcomes = "SELECT count(*) FROM txn WHERE outcome = 'aborted'";
    assert_eq!(ints(&store, outcomes).await, [1]);
}

#[tokio::test]
async fn callers_are_told_when_a_server_stays_away() {
    let server = Postgres::shared().await;
    let url = database(server);
    let proxy = Proxy::start(server.port(), SEED).await;
    let store = PgStore::open(&proxy.url(&url), "suite").await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    proxy.rule(Rule::Shut);
    let unknown = journal.accept(keyed(2, "k")).await;
    assert!(matches!(unknown, Err(Error::CommitUnknown)), "{unknown:?}");
    // The others need not wait as long.
    let refused = journal.accept(keyed(3, "l")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let refused = journal.append(append(1, 2)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    proxy.rule(Rule::Whole);
    let answer = Mutex::new(None);
    let again = async {
        loop {
            match journal.accept(keyed(4, "k")).await {
                Err(Error::Unavailable(_)) => {}
                other => break *answer.lock().unwrap() = Some(other),
            }
        }
    };
    let known = wait_until("the server is found again", Duration::from_secs(20), || {
        answer.lock().unwrap().is_some()
    });
    futures::join!(again, known);
    // It was on disk all the time.
    let answer = answer.into_inner().unwrap().unwrap();
    assert_eq!(answer.unwrap(), Accepted::Existing(2));
    assert_eq!(journal.rows(3).await.unwrap(), []);
    journal.append(append(1, 2)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_owned_on_another_server() {
    let server = Postgres::shared().await;
    let other = Postgres::start().await;
    let url = database(server);
    // As after a failover that has lost the newest: the same tables, without the runs.
    let name = url.rsplit('/').next().unwrap();
    other.database(name);
    let there = PgStore::open(&other.url(name), "suite").await.unwrap();
    let journal_there = open_base(&there).await;
    let proxy = Proxy::start(server.port(), SEED).await;
    let store = PgStore::open(&proxy.url(&url), "suite").await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    assert_eq!(journal.owned().shards().len(), gearmesh_store::SHARDS);
    proxy.moves(other.port());
    // Even the epoch would fit.
    let refused = journal.append(append(1, 2)).await;
    assert!(
        matches!(refused, Err(Error::Fenced { shard: 0 })),
        "{refused:?}"
    );
    assert_eq!(journal.owned().shards(), [0; 0]);
    let refused = journal.accept(new_run(2)).await;
    assert!(
        matches!(refused, Err(Error::Fenced { shard: 0 })),
        "{refused:?}"
    );
    assert_eq!(journal_there.last_run().await.unwrap(), None);
    // Acquired anew, it goes on.
    let epoch = ints(
        &there,
        "UPDATE shard SET epoch = epoch + 1 WHERE shard = 0 RETURNING epoch",
    );
    journal.owned().insert(0, epoch.await[0]);
    assert_eq!(journal.accept(new_run(2)).await.unwrap(), Accepted::New);
    let refused = journal.append(append(1, 2)).await;
    assert!(matches!(refused, Err(Error::UnknownRun(1))), "{refused:?}");
    assert_eq!(journal_there.rows(2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn ledger_says_when_it_does_not_know() {
    let server = Postgres::shared().await;
    let proxy = Proxy::start(server.port(), SEED).await;
    let url = proxy.url(&database(server));
    let store = PgStore::open(&url, "suite").await.unwrap();
    let ledger = Ledger::open(store).await.unwrap();
    let call = crate::suite::ledger::call("k");
    proxy.rule(Rule::Shut);
    let unknown = ledger.begin(&call).await;
    assert!(matches!(unknown, Err(Error::CommitUnknown)), "{unknown:?}");
    proxy.rule(Rule::Whole);
    // The same call finds out.
    assert_eq!(ledger.begin(&call).await.unwrap(), Begin::Started);
    assert_eq!(
        ledger
            .begin(&crate::suite::ledger::call("l"))
            .await
            .unwrap(),
        Begin::Go
    );
}
