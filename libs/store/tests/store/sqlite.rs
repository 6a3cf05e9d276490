//! The suite on SQLite, and what holds for its files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use gearmesh_store::sqlx::{query, query_scalar};
use gearmesh_store::{Begin, Durability, Error, Ledger, Migration, Options, Store};

use crate::suite::{append, new_run, open_base, sql_in as sql, suite};

suite!(crate::suite::Place::sqlite);

const THINGS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "CREATE TABLE thing(id INTEGER PRIMARY KEY) STRICT; INSERT INTO thing VALUES (1)",
        down: Some("DROP TABLE thing"),
    },
    Migration {
        version: 2,
        sql: "ALTER TABLE thing ADD COLUMN name TEXT",
        down: None,
    },
];

async fn things(store: &Store) -> i64 {
    let mut reader = store.read().await.unwrap();
    query_scalar("SELECT count(*) FROM thing")
        .fetch_one(&mut *reader)
        .await
        .unwrap()
}

#[tokio::test]
async fn second_opener_is_refused_and_told_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    match Store::open(folder.path(), "state").await {
        Err(Error::Locked { path, holder }) => {
            assert_eq!(path, store.path());
            assert_eq!(holder, std::process::id().to_string());
        }
        other => panic!("{other:?}"),
    }
    // Another service's file in the same folder is free.
    Store::open(folder.path(), "other").await.unwrap();
    drop(store);
    Store::open(folder.path(), "state").await.unwrap();
}

#[tokio::test]
async fn closed_store_is_whole_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(!folder.path().join("state.db-wal").exists());
    assert!(matches!(store.begin().await, Err(Error::Closed(_))));
    assert!(matches!(store.read().await, Err(Error::Closed(_))));
    assert!(matches!(
        journal.append(append(1, 2)).await,
        Err(Error::Closed(_))
    ));
    drop((store, journal));
    let store = Store::open(folder.path(), "state").await.unwrap();
    assert_eq!(things(&store).await, 1);
    assert_eq!(open_base(&store).await.rows(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn migrations_run_once_and_only_forward() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", &THINGS[..1]).await.unwrap();
    let before = store.counts();
    store.migrate("things", &THINGS[..1]).await.unwrap();
    assert_eq!(store.counts(), before);
    drop(store);
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    assert_eq!(things(&store).await, 1);
    sql(&store, "UPDATE thing SET name = 'x'").await;
    drop(store);
    let store = Store::open(folder.path(), "state").await.unwrap();
    match store.migrate("things", &THINGS[..1]).await {
        Err(Error::NewerSchema { found, known, .. }) => assert_eq!((found, known), (2, 1)),
        other => panic!("{other:?}"),
    }
}

/// The journal's tables and a run, as the version before parents, dedupe keys and kept
/// results wrote them.
const JOURNAL_1: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE run(
  run INTEGER PRIMARY KEY, workflow TEXT NOT NULL, version INTEGER NOT NULL, principal TEXT NOT NULL,
  created_at INTEGER NOT NULL, deadline INTEGER, crc INTEGER NOT NULL,
  status TEXT, ended_at INTEGER, end_crc INTEGER
) STRICT;
CREATE INDEX run_workflow ON run(workflow, run);
CREATE TABLE request(
  principal TEXT NOT NULL, key TEXT NOT NULL, req_hash BLOB NOT NULL, run INTEGER NOT NULL,
  created_at INTEGER NOT NULL, PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_run(
  run INTEGER PRIMARY KEY, shard INTEGER NOT NULL, due_at INTEGER, status TEXT NOT NULL
) STRICT;
CREATE TABLE journal(
  run INTEGER NOT NULL, n INTEGER NOT NULL, v INTEGER NOT NULL, kind INTEGER NOT NULL,
  body BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE blob(
  hash BLOB PRIMARY KEY, size INTEGER NOT NULL, refs_day INTEGER NOT NULL, bytes BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
CREATE TABLE shard(
  shard INTEGER PRIMARY KEY, owner TEXT NOT NULL, epoch INTEGER NOT NULL, lease_until INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO shard(shard, owner, epoch, lease_until, seq) VALUES (0, '', 1, 0, 0);
INSERT INTO run VALUES (7, 'report', 3, 'local', 1000, 9000, 276132350, NULL, NULL, NULL);
INSERT INTO open_run VALUES (7, 0, NULL, 'running');
INSERT INTO journal VALUES (7, 1, 1, 2, CAST('accepted' AS BLOB), 2831505945);
",
    down: None,
}];

#[tokio::test]
async fn journal_of_the_first_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("journal", JOURNAL_1).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = Store::open(folder.path(), "state").await.unwrap();
    let journal = open_base(&store).await;
    assert_eq!(journal.open_runs().await.unwrap().len(), 1);
    assert_eq!(
        journal.rows(7).await.unwrap(),
        [crate::suite::row(1, "accepted")]
    );
    let found = journal.run(7).await.unwrap().unwrap();
    assert_eq!((found.workflow.as_str(), found.parent), ("report", None));
    journal.append(append(7, 2)).await.unwrap();
    let child = gearmesh_store::NewRun {
        parent: Some(7),
        ..new_run(8)
    };
    journal.accept(child).await.unwrap();
    let of_parent = gearmesh_store::ListRuns {
        parent: Some(7),
        ..gearmesh_store::ListRuns::default()
    };
    assert_eq!(journal.list(&of_parent).await.unwrap()[0].run, 8);
    assert_eq!(journal.workflows().head("report").await.unwrap(), None);
}

#[tokio::test]
async fn failed_migration_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let broken = Migration {
        version: 2,
        sql: "CREATE TABLE other(id INTEGER); SELECT nonsense",
        down: None,
    };
    let refused = store.migrate("things", &[THINGS[0], broken]).await;
    assert!(matches!(refused, Err(Error::Sql(_))), "{refused:?}");
    store.migrate("things", THINGS).await.unwrap();
    assert_eq!(things(&store).await, 1);
}

#[tokio::test]
async fn transaction_that_is_dropped_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let mut left = store.begin().await.unwrap();
    query("INSERT INTO thing(id) VALUES (2)")
        .execute(&mut *left)
        .await
        .unwrap();
    drop(left);
    let refused = store
        .write(async |c| {
            query("INSERT INTO thing(id) VALUES (3)").execute(c).await?;
            Err::<(), _>(Error::Full)
        })
        .await;
    assert!(matches!(refused, Err(Error::Full)));
    sql(&store, "INSERT INTO thing(id) VALUES (4)").await;
    assert_eq!(things(&store).await, 2);
    // And so is one that is left open when the store closes.
    let mut left = store.begin().await.unwrap();
    query("INSERT INTO thing(id) VALUES (5)")
        .execute(&mut *left)
        .await
        .unwrap();
    drop(left);
    store.close().await.unwrap();
    drop(store);
    let store = Store::open(folder.path(), "state").await.unwrap();
    assert_eq!(things(&store).await, 2);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "no context in a test")]
async fn write_may_be_awaited_in_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let name = String::from("borrowed by the closure");
    let task = tokio::spawn(async move {
        let wanted = &name;
        store
            .write(async |c| {
                query("UPDATE thing SET name = ?")
                    .bind(wanted)
                    .execute(&mut *c)
                    .await?;
                let found: String = query_scalar("SELECT name FROM thing").fetch_one(c).await?;
                Ok::<_, Error>(found == *wanted)
            })
            .await
    });
    assert!(task.await.unwrap().unwrap());
}

#[tokio::test]
async fn reader_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let mut reader = store.read().await.unwrap();
    let refused = query("DELETE FROM thing").execute(&mut *reader).await;
    assert!(refused.is_err());
    assert_eq!(things(&store).await, 1);
}

#[tokio::test]
async fn connection_is_set_as_designed() {
    let folder = tempfile::tempdir().unwrap();
    for (durability, synchronous) in [(Durability::Power, 2), (Durability::Process, 1)] {
        let store = Store::open_with(folder.path(), "state", Options { durability })
            .await
            .unwrap();
        let mut writer = store.begin().await.unwrap();
        let mode: String = query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *writer)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
        for (pragma, expected) in [
            ("PRAGMA synchronous", synchronous),
            ("PRAGMA wal_autocheckpoint", 0),
            ("PRAGMA trusted_schema", 0),
            ("PRAGMA cell_size_check", 1),
            ("PRAGMA mmap_size", 0),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA busy_timeout", 5000),
        ] {
            let found: i64 = query_scalar(pragma).fetch_one(&mut *writer).await.unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
    }
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("a/b");
    let store = Store::open(&folder, "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"]
    );
}

#[tokio::test]
async fn name_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "../x", "a/b", "a.b", "A", "\u{e9}"] {
        let refused = Store::open(folder.path(), name).await;
        assert!(
            matches!(refused, Err(Error::Name(_))),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("state.db"), vec![b'x'; 8192]).unwrap();
    let refused = Store::open(folder.path(), "state").await;
    assert!(matches!(refused, Err(Error::Failed(_))), "{refused:?}");
}

#[tokio::test]
async fn log_is_moved_into_the_file_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let journal = open_base(&store).await;
    let before = store.counts();
    journal.accept(new_run(1)).await.unwrap();
    let body = "x".repeat(100_000);
    for n in 2..200 {
        let large = gearmesh_store::Append {
            rows: vec![crate::suite::row(n, &body)],
            ..append(1, n)
        };
        journal.append(large).await.unwrap();
    }
    let after = store.counts();
    let checkpoints = (after.fsyncs - before.fsyncs - (after.commits - before.commits)) / 2;
    assert!(checkpoints >= 2, "{checkpoints}");
    // 20 MB went through it.
    let log = std::fs::metadata(folder.path().join("state.db-wal"))
        .unwrap()
        .len();
    assert!(log < 12_000_000, "{log}");
    assert_eq!(journal.rows(1).await.unwrap().len(), 199);
}

/// Files as a process leaves them that is killed: copied while they are open.
async fn unclean(from: &Path, to: &Path) {
    let store = Store::open(from, "state").await.unwrap();
    let journal = open_base(&store).await;
    for run in 1..=200 {
        journal.accept(new_run(run)).await.unwrap();
    }
    let mut writer = store.begin().await.unwrap();
    query("ROLLBACK").execute(&mut *writer).await.unwrap();
    query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(&mut *writer)
        .await
        .unwrap();
    drop(writer);
    journal.accept(new_run(201)).await.unwrap();
    for file in ["state.db", "state.db-wal"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[tokio::test]
async fn file_that_was_not_closed_is_recovered() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    unclean(from.path(), to.path()).await;
    let store = Store::open(to.path(), "state").await.unwrap();
    assert_eq!(
        open_base(&store).await.open_runs().await.unwrap().len(),
        201
    );
}

#[tokio::test]
async fn damage_is_found_after_an_unclean_stop() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    unclean(from.path(), to.path()).await;
    let path = to.path().join("state.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // Every page but the first few, so that the log cannot cover all of them.
    let page = 4096;
    for start in (page * 12..bytes.len()).step_by(page) {
        bytes[start..start + 64].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    let refused = Store::open(to.path(), "state").await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
}

#[tokio::test]
async fn full_store_takes_writes_again_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    sql(&store, "PRAGMA max_page_count = 30").await;
    let large = |n| gearmesh_store::Append {
        rows: vec![crate::suite::row(n, &"x".repeat(200_000))],
        ..append(1, n)
    };
    let refused = journal.append(large(2)).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(store.healthy());
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
    sql(&store, "PRAGMA max_page_count = 1000000").await;
    journal.append(large(2)).await.unwrap();
    assert_eq!(journal.rows(1).await.unwrap().len(), 2);
}

#[tokio::test]
async fn lost_shard_stops_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    sql(&store, "UPDATE shard SET epoch = epoch + 1 WHERE shard = 0").await;
    let refused = journal.append(append(1, 2)).await;
    assert!(matches!(refused, Err(Error::Failed(_))), "{refused:?}");
    assert!(!store.healthy());
    let refused = journal.accept(new_run(2)).await;
    assert!(matches!(refused, Err(Error::Failed(_))), "{refused:?}");
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn effect_and_entry_commit_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let ledger = Ledger::open(store.clone()).await.unwrap();
    sql(&store, "CREATE TABLE thing(id INTEGER)").await;
    let effect = async |fails: bool| {
        store
            .write(async |c| {
                let begin = Ledger::begin_in(c, &crate::suite::ledger::call("k")).await?;
                if begin != Begin::Go {
                    return Ok(begin);
                }
                query("INSERT INTO thing VALUES (1)")
                    .execute(&mut *c)
                    .await?;
                Ledger::done_in(
                    c,
                    &crate::suite::ledger::call("k"),
                    Bytes::from_static(b"r"),
                )
                .await?;
                if fails { Err(Error::Full) } else { Ok(begin) }
            })
            .await
    };
    assert!(matches!(effect(true).await, Err(Error::Full)));
    assert_eq!(effect(false).await.unwrap(), Begin::Go);
    assert_eq!(
        effect(false).await.unwrap(),
        Begin::Done(Bytes::from_static(b"r"))
    );
    let count: i64 = query_scalar("SELECT count(*) FROM thing")
        .fetch_one(&mut *store.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!(count, 1);
    drop(ledger);
}

#[tokio::test]
async fn step_without_a_way_back_is_not_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    store.migrate("things", THINGS).await.unwrap();
    let refused = store.migrate_down("things", THINGS, 0).await;
    assert!(
        matches!(refused, Err(Error::NoWayBack { version: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(things(&store).await, 1);
    let refused = store.migrate_down("things", &THINGS[..1], 0).await;
    assert!(
        matches!(refused, Err(Error::NewerSchema { .. })),
        "{refused:?}"
    );
    store.migrate_down("things", THINGS, 2).await.unwrap();
}

#[tokio::test]
async fn runs_with_a_parent_are_not_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "state").await.unwrap();
    let journal = open_base(&store).await;
    let child = gearmesh_store::NewRun {
        parent: Some(1),
        ..new_run(2)
    };
    journal.accept(new_run(1)).await.unwrap();
    journal.accept(child).await.unwrap();
    drop(journal);
    let base = gearmesh_store::Base::from(store.clone());
    let refused = base.migrate_down("journal", 1).await;
    assert!(matches!(refused, Err(Error::Sql(_))), "{refused:?}");
    assert_eq!(
        open_base(&store)
            .await
            .run(2)
            .await
            .unwrap()
            .unwrap()
            .parent,
        Some(1)
    );
    sql(&store, "DELETE FROM run WHERE run = 2").await;
    base.migrate_down("journal", 1).await.unwrap();
    // The program of that version goes on, and this one after it.
    store.migrate("journal", JOURNAL_1).await.unwrap();
    let journal = open_base(&store).await;
    assert_eq!(journal.run(1).await.unwrap().unwrap().parent, None);
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
}
