//! Tables and statements of the journal.

use std::sync::LazyLock;

use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::append::{ListRuns, OpenRun, Row, RunRow};
use crate::blob::whole;
use crate::counts::Counters;
use crate::error::{Error, Result};
use crate::heads::{Head, StoredHead};
use crate::migration::Migration;
use crate::run_id::RunId;
use crate::stored::Rows;

/// The tables' name among the sets of a store.
pub(crate) const SET: &str = "journal";

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
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
",
        down: Some(
            "
DROP TABLE shard; DROP TABLE blob; DROP TABLE journal; DROP TABLE open_run; DROP TABLE request; DROP TABLE run;
",
        ),
    },
    Migration {
        version: 2,
        sql: "
ALTER TABLE run ADD COLUMN parent INTEGER;
CREATE INDEX run_parent ON run(parent, run) WHERE parent IS NOT NULL;
CREATE TABLE dedupe(
  workflow TEXT NOT NULL, key TEXT NOT NULL, run INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (workflow, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE cache(
  hash BLOB PRIMARY KEY, at INTEGER NOT NULL, bytes BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE INDEX cache_at ON cache(at);
",
        // The sum of a run that has a parent covers it, so such a run would be damaged: the
        // first statements fail when there is one.
        down: Some(
            "
CREATE TEMP TABLE childless(run INTEGER CHECK (run IS NULL));
INSERT INTO childless SELECT run FROM run WHERE parent IS NOT NULL LIMIT 1;
DROP TABLE childless;
DROP TABLE cache; DROP TABLE dedupe; DROP INDEX run_parent; ALTER TABLE run DROP COLUMN parent;
",
        ),
    },
];

pub(crate) async fn epoch(c: &mut SqliteConnection) -> Result<i64> {
    let epoch = sqlx::query_scalar("SELECT epoch FROM shard WHERE shard = 0");
    Ok(epoch.fetch_one(c).await?)
}

/// The run and the hash behind a key.
pub(crate) async fn request(
    c: &mut SqliteConnection,
    counters: &Counters,
    principal: &str,
    key: &str,
) -> Result<(RunId, Vec<u8>)> {
    counters.statement();
    let row = sqlx::query("SELECT run, req_hash FROM request WHERE principal = ? AND key = ?")
        .bind(principal)
        .bind(key)
        .fetch_one(c)
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The run and the hash behind a key; None when it was never used.
pub(crate) async fn find_request(
    c: &mut SqliteConnection,
    principal: &str,
    key: &str,
) -> Result<Option<(RunId, Vec<u8>)>> {
    let row = sqlx::query("SELECT run, req_hash FROM request WHERE principal = ? AND key = ?")
        .bind(principal)
        .bind(key)
        .fetch_optional(c)
        .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}

/// Where a run stands; None when there is no such run.
pub(crate) async fn head(
    c: &mut SqliteConnection,
    counters: &Counters,
    run: RunId,
) -> Result<Option<Head>> {
    counters.statement();
    let head: Option<StoredHead> = sqlx::query_as(
        "SELECT (SELECT max(n) FROM journal WHERE run = r.run), o.due_at, o.status
FROM run AS r LEFT JOIN open_run AS o USING (run) WHERE r.run = ?",
    )
    .bind(run)
    .fetch_optional(c)
    .await?;
    Ok(head.map(Head::from))
}

/// Where each open run stands.
pub(crate) async fn heads(c: &mut SqliteConnection) -> Result<Vec<(RunId, Head)>> {
    sqlx::query_as("SELECT o.run, (SELECT max(n) FROM journal WHERE run = o.run), o.due_at, o.status FROM open_run AS o")
        .fetch(c)
        .map_ok(|(run, n, due, status)| (run, Head::from((n, due, status))))
        .map_err(Error::from)
        .try_collect()
        .await
}

pub(crate) async fn open_runs(c: &mut SqliteConnection) -> Result<Vec<OpenRun>> {
    sqlx::query("SELECT run, due_at, status FROM open_run ORDER BY run")
        .fetch(c)
        .map_err(Error::from)
        .and_then(async |row| {
            Ok(OpenRun {
                run: row.try_get(0)?,
                due_at_ms: row.try_get(1)?,
                status: row.try_get(2)?,
            })
        })
        .try_collect()
        .await
}

/// The rows of a run, each as its checksum says, none missing between.
pub(crate) async fn read_rows(c: &mut SqliteConnection, run: RunId) -> Result<Vec<Row>> {
    let mut stream =
        sqlx::query_as("SELECT n, v, kind, body, crc FROM journal WHERE run = ? ORDER BY n")
            .bind(run)
            .fetch(c);
    let mut rows = Rows::of(run);
    while let Some(row) = stream.try_next().await? {
        rows.push(row)?;
    }
    Ok(rows.whole())
}

const RUN_COLUMNS_FROM: &str = "SELECT r.run, r.workflow, r.version, r.principal, COALESCE(r.status, o.status, ''),
r.created_at, r.ended_at, r.deadline, r.parent, r.crc, r.end_crc FROM run AS r LEFT JOIN open_run AS o USING (run)";

pub(crate) async fn run(c: &mut SqliteConnection, run: RunId) -> Result<Option<RunRow>> {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{RUN_COLUMNS_FROM} WHERE r.run = ?"));
    let row = sqlx::query_as(TEXT.as_str())
        .bind(run)
        .fetch_optional(c)
        .await?;
    row.map(RunRow::whole).transpose()
}

/// Runs, newest first. One that is damaged is left out and reported to the log.
pub(crate) async fn list(
    c: &mut SqliteConnection,
    filter: &ListRuns,
    limit: u32,
) -> Result<Vec<RunRow>> {
    // The first condition is the index that is walked.
    static ALL: LazyLock<String> = LazyLock::new(|| listing("true"));
    static OF_WORKFLOW: LazyLock<String> = LazyLock::new(|| listing("r.workflow = ?1"));
    static OF_PARENT: LazyLock<String> = LazyLock::new(|| listing("r.parent = ?7"));
    let text = match filter {
        ListRuns {
            parent: Some(_), ..
        } => &OF_PARENT,
        ListRuns {
            workflow: Some(_), ..
        } => &OF_WORKFLOW,
        _ => &ALL,
    };
    let mut stream = sqlx::query_as(text.as_str())
        .bind(filter.workflow.as_deref())
        .bind(filter.before.unwrap_or(RunId::MAX))
        .bind(filter.status.as_deref())
        .bind(filter.from_ms)
        .bind(filter.to_ms)
        .bind(filter.principal.as_deref())
        .bind(filter.parent)
        .bind(limit)
        .fetch(c);
    let mut runs = Vec::new();
    while let Some(row) = stream.try_next().await? {
        match RunRow::whole(row) {
            Ok(run) => runs.push(run),
            Err(e) => tracing::error!(error = %e, "a run is left out of a list"),
        }
    }
    Ok(runs)
}

fn listing(first: &str) -> String {
    format!(
        "{RUN_COLUMNS_FROM} WHERE {first} AND (?1 IS NULL OR r.workflow = ?1) AND r.run < ?2
AND (?3 IS NULL OR COALESCE(r.status, o.status) = ?3)
AND (?4 IS NULL OR r.created_at >= ?4) AND (?5 IS NULL OR r.created_at < ?5)
AND (?6 IS NULL OR r.principal = ?6) AND (?7 IS NULL OR r.parent = ?7)
ORDER BY r.run DESC LIMIT ?8"
    )
}

pub(crate) async fn last_run(c: &mut SqliteConnection) -> Result<Option<RunId>> {
    Ok(sqlx::query_scalar("SELECT max(run) FROM run")
        .fetch_one(c)
        .await?)
}

pub(crate) async fn blob(c: &mut SqliteConnection, hash: &[u8; 32]) -> Result<Option<Bytes>> {
    let row = sqlx::query_as("SELECT bytes, crc FROM blob WHERE hash = ?")
        .bind(hash.as_slice())
        .fetch_optional(c)
        .await?;
    whole(hash, row)
}

pub(crate) async fn purge_requests(
    c: &mut SqliteConnection,
    before_ms: i64,
    max: u32,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM request WHERE (principal, key) IN
(SELECT q.principal, q.key FROM request AS q WHERE q.created_at < ?
AND NOT EXISTS (SELECT 1 FROM open_run AS o WHERE o.run = q.run)
AND NOT EXISTS (SELECT 1 FROM run AS r JOIN open_run AS o ON o.run = r.parent WHERE r.run = q.run)
LIMIT ?)",
    )
    .bind(before_ms)
    .bind(max)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
