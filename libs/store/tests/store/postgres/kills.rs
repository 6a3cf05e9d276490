//! Servers that crash, and what a run costs them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use gearmesh_store::{Accepted, Append, End, Error, Journal, NewRun, PgStore, RunId, RunIds};
use gearmesh_testparts::{Postgres, wait_until};

use super::{ints, keyed};
use crate::suite::{append, database, open_base, row};

const KILLS: usize = 20;
const WRITERS: usize = 8;
const SEED: u64 = 53_100;
/// How long a journal may take to go on once its server is back.
const AGAIN_MAX: Duration = Duration::from_secs(30);

/// What writers share.
struct Load {
    journal: Journal,
    ids: RunIds,
    acks: Mutex<Vec<(RunId, u32)>>,
    stop: AtomicBool,
}

fn body(run: RunId, n: u32) -> String {
    format!("{run}/{n}/{}", "x".repeat(n as usize * 50))
}

impl Load {
    fn acked(&self) -> usize {
        self.acks.lock().unwrap().len()
    }

    async fn write_on(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let run = self.ids.next(0);
            let mut n = 1;
            while n <= 4 {
                if self.write(run, n).await {
                    self.acks.lock().unwrap().push((run, n));
                    n += 1;
                }
            }
        }
    }

    /// Writes a row, or finds it written; false when neither is known.
    async fn write(&self, run: RunId, n: u32) -> bool {
        let rows = vec![row(n, &body(run, n))];
        let done = if n == 1 {
            let new = NewRun {
                rows,
                ..keyed(run, &run.to_string())
            };
            self.journal.accept(new).await.map(drop)
        } else {
            let next = Append {
                rows,
                ..append(run, n)
            };
            self.journal.append(next).await
        };
        match done {
            Ok(()) => true,
            Err(Error::Unavailable(_)) => false,
            // A repeat of what was unknown.
            Err(Error::CommitUnknown | Error::Gap { .. } | Error::RunExists(_)) => {
                let rows = self.journal.rows(run).await;
                rows.is_ok_and(|rows| rows.len() >= n as usize)
            }
            Err(e) => panic!("{run} {n}: {e}"),
        }
    }
}

#[tokio::test]
async fn acknowledged_rows_outlive_the_server() {
    let mut server = Postgres::start().await;
    let store = PgStore::open(&database(&server), "suite").await.unwrap();
    let load = Load {
        journal: open_base(&store).await,
        ids: RunIds::after(None),
        acks: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    let kills = async {
        let mut chance = fastrand::Rng::with_seed(SEED);
        for _ in 0..KILLS {
            let from = load.acked();
            let after = from + chance.usize(1..200);
            // It writes on meanwhile, so the kill falls anywhere.
            wait_until("rows are written", AGAIN_MAX, || load.acked() >= after).await;
            server.kill();
            let at = load.acked();
            server.restart().await;
            wait_until("the journal goes on", AGAIN_MAX, || load.acked() > at + 50).await;
        }
        load.stop.store(true, Ordering::SeqCst);
    };
    futures::join!(kills, join_all((0..WRITERS).map(|_| load.write_on())));
    let acks = load.acks.into_inner().unwrap();
    for (run, n) in &acks {
        let rows = load.journal.rows(*run).await.unwrap();
        assert_eq!(rows[*n as usize - 1].body, body(*run, *n), "{run}");
    }
    let rows = i64::try_from(acks.len()).unwrap();
    assert_eq!(ints(&store, "SELECT count(*) FROM journal").await, [rows]);
}

/// Bytes of log and statements of a one-task run, in groups of a hundred, with 200-byte
/// bodies.
async fn cost(journal: &Journal, store: &PgStore, ids: &RunIds, keys: bool) -> (f64, f64, f64) {
    const RUNS: u32 = 2_000;
    const GROUP: usize = 100;
    let text = "x".repeat(200);
    let runs: Vec<_> = (0..RUNS).map(|_| ids.next(0)).collect();
    let before = (store.wal_bytes().await.unwrap(), store.counts());
    for group in runs.chunks(GROUP) {
        let accepts = group.iter().map(|run| {
            let new = NewRun {
                rows: vec![row(1, &text)],
                ..keyed(*run, &run.to_string())
            };
            let bare = NewRun {
                request: None,
                ..new.clone()
            };
            journal.accept(if keys { new } else { bare })
        });
        for accepted in join_all(accepts).await {
            assert_eq!(accepted.unwrap(), Accepted::New);
        }
        let ends = group.iter().map(|run| {
            let end = End {
                status: "succeeded".into(),
                ended_at_ms: 5_000,
            };
            journal.append(Append {
                rows: vec![row(2, &text)],
                end: Some(end),
                ..append(*run, 2)
            })
        });
        for ended in join_all(ends).await {
            ended.unwrap();
        }
    }
    let counts = store.counts();
    let each = |after: u64, before: u64| (after - before) as f64 / f64::from(RUNS);
    let wal = each(store.wal_bytes().await.unwrap(), before.0);
    let statements = each(counts.statements, before.1.statements);
    (wal, statements, each(counts.commits, before.1.commits))
}

#[tokio::test]
async fn one_task_run_costs_what_was_planned() {
    let server = Postgres::start().await;
    let store = PgStore::open(&database(&server), "suite").await.unwrap();
    let journal = open_base(&store).await;
    let ids = RunIds::after(None);
    // Pages are written whole once after a checkpoint; that is the disk's cost, not ours.
    cost(&journal, &store, &ids, true).await;
    for (keys, wal_max) in [(false, 2_000.0), (true, 2_400.0)] {
        let (wal, statements, commits) = cost(&journal, &store, &ids, keys).await;
        eprintln!(
            "keys {keys}: {wal:.0} B of log, {statements:.3} statements, {commits:.3} commits a run"
        );
        assert!(wal <= wal_max, "{wal}");
        assert!(
            statements <= 0.1 && commits <= 0.05,
            "{statements} {commits}"
        );
    }
}

#[tokio::test]
async fn hot_tables_are_written_in_place() {
    let server = Postgres::start().await;
    let store = PgStore::open(&database(&server), "suite").await.unwrap();
    let journal = open_base(&store).await;
    let ids = RunIds::after(None);
    let runs: Vec<_> = (0..50).map(|i| ids.next_in(i, 0)).collect();
    for run in &runs {
        journal.accept(keyed(*run, &run.to_string())).await.unwrap();
    }
    for n in 2..=40 {
        let appends = runs.iter().map(|run| {
            journal.append(Append {
                due_at_ms: Some(i64::from(n)),
                status: Some(["waiting", "running"][n as usize % 2].into()),
                ..append(*run, n)
            })
        });
        for done in join_all(appends).await {
            done.unwrap();
        }
    }
    // A connection tells what it has done when it ends.
    drop(journal);
    let hot = async || {
        ints(
            &store,
            "SELECT (n_tup_hot_upd * 100 / greatest(n_tup_upd, 1))::bigint FROM pg_stat_user_tables
WHERE relname IN ('open_run', 'shard') AND n_tup_upd >= 1900 ORDER BY relname",
        )
        .await
    };
    let mut found = Vec::new();
    for _ in 0..200 {
        found = hot().await;
        if found.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|percent| *percent >= 95), "{found:?}");
}
