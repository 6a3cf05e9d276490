//! Tables of the journal, and what is read of them.

use std::sync::LazyLock;

use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::postgres::PgConnection;

use super::PgStore;
use crate::append::{ListRuns, OpenRun, Row, RunRow};
use crate::blob::whole;
use crate::error::{Error, Result};
use crate::heads::{Head, StoredHead};
use crate::migration::Migration;
use crate::run_id::{RunId, Shard};
use crate::stored::Rows;

/// The tables' name among the sets of a store.
pub(crate) const SET: &str = "journal";

/// Columns of fixed width stand first, so that no row is padded. What changes often lies in
/// no index, so that a new version of a row stays on its page (HOT).
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE run(
  run bigint PRIMARY KEY, created_at bigint NOT NULL, deadline bigint, ended_at bigint, parent bigint,
  crc bigint NOT NULL, end_crc bigint, version bigint NOT NULL,
  workflow text COLLATE \"C\" NOT NULL, principal text COLLATE \"C\" NOT NULL, status text COLLATE \"C\"
) WITH (fillfactor = 80);
CREATE INDEX run_workflow ON run(workflow, run);
CREATE INDEX run_parent ON run(parent, run) WHERE parent IS NOT NULL;
CREATE TABLE request(
  run bigint NOT NULL, created_at bigint NOT NULL, req_hash bytea NOT NULL,
  principal text COLLATE \"C\" NOT NULL, key text COLLATE \"C\" NOT NULL, PRIMARY KEY (principal, key)
);
CREATE TABLE dedupe(
  run bigint NOT NULL, until bigint NOT NULL,
  workflow text COLLATE \"C\" NOT NULL, key text COLLATE \"C\" NOT NULL, PRIMARY KEY (workflow, key)
) WITH (fillfactor = 80);
CREATE TABLE open_run(
  run bigint PRIMARY KEY, due_at bigint, shard smallint NOT NULL, status text COLLATE \"C\" NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  autovacuum_vacuum_cost_delay = 0);
CREATE TABLE journal(
  run bigint NOT NULL, crc bigint NOT NULL, n integer NOT NULL, kind integer NOT NULL, v integer NOT NULL,
  body bytea NOT NULL, PRIMARY KEY (run, n)
);
CREATE TABLE blob(
  size bigint NOT NULL, refs_day bigint NOT NULL, crc bigint NOT NULL,
  hash bytea PRIMARY KEY, bytes bytea NOT NULL
);
CREATE TABLE cache(at bigint NOT NULL, crc bigint NOT NULL, hash bytea PRIMARY KEY, bytes bytea NOT NULL);
CREATE INDEX cache_at ON cache(at);
CREATE TABLE shard(
  epoch bigint NOT NULL, seq bigint NOT NULL, shard smallint PRIMARY KEY, owner text NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0);
INSERT INTO shard(shard, owner, epoch, seq) SELECT n, '', 1, 0 FROM generate_series(0, 255) AS n;
CREATE TABLE instance(
  lease_until timestamptz NOT NULL, backend_start timestamptz NOT NULL, pid integer NOT NULL,
  process integer NOT NULL, draining boolean NOT NULL, started_at timestamptz NOT NULL,
  name text COLLATE \"C\" PRIMARY KEY, endpoint text NOT NULL, host text NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE txn(
  id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), outcome text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  autovacuum_vacuum_cost_delay = 0);
CREATE SEQUENCE txn_writer;
",
    down: Some(
        "DROP SEQUENCE txn_writer;
DROP TABLE run, request, dedupe, open_run, journal, blob, cache, shard, instance, txn",
    ),
}];

/// Where these runs stand; those that are not there are left out.
pub(super) async fn heads(
    c: &mut PgConnection,
    runs: &[RunId],
) -> Result<Vec<(RunId, Head)>, sqlx::Error> {
    type Found = (RunId, Option<i64>, Option<i64>, Option<String>);
    let found: Vec<Found> = sqlx::query_as(
        "SELECT r.run, (SELECT max(j.n) FROM journal AS j WHERE j.run = r.run)::bigint, o.due_at, o.status
FROM unnest($1::bigint[]) AS k(run) JOIN run AS r USING (run) LEFT JOIN open_run AS o USING (run)",
    )
    .bind(runs)
    .fetch_all(c)
    .await?;
    let head = |(run, n, due, status)| (run, Head::from(StoredHead::from((n, due, status))));
    Ok(found.into_iter().map(head).collect())
}

pub(crate) async fn open_runs(c: &mut PgConnection) -> Result<Vec<OpenRun>> {
    let rows = sqlx::query_as("SELECT run, due_at, status FROM open_run ORDER BY run").fetch_all(c);
    Ok(rows.await?.into_iter().map(open_run).collect())
}

pub(crate) async fn open_runs_of(c: &mut PgConnection, shards: &[Shard]) -> Result<Vec<OpenRun>> {
    let shards: Vec<_> = shards.iter().copied().map(i16::from).collect();
    let rows = sqlx::query_as(
        "SELECT run, due_at, status FROM open_run WHERE shard = ANY($1) ORDER BY run",
    )
    .bind(shards)
    .fetch_all(c);
    Ok(rows.await?.into_iter().map(open_run).collect())
}

fn open_run((run, due_at_ms, status): (RunId, Option<i64>, String)) -> OpenRun {
    OpenRun {
        run,
        due_at_ms,
        status,
    }
}

pub(crate) async fn last_run(c: &mut PgConnection) -> Result<Option<RunId>> {
    Ok(sqlx::query_scalar("SELECT max(run) FROM run")
        .fetch_one(c)
        .await?)
}

/// The run and the hash behind a key; None when it was never used.
pub(crate) async fn find_request(
    c: &mut PgConnection,
    principal: &str,
    key: &str,
) -> Result<Option<(RunId, Vec<u8>)>> {
    let text = "SELECT run, req_hash FROM request WHERE principal = $1 AND key = $2";
    Ok(sqlx::query_as(text)
        .bind(principal)
        .bind(key)
        .fetch_optional(c)
        .await?)
}

/// The rows of a run, each as its checksum says, none missing between.
pub(crate) async fn read_rows(c: &mut PgConnection, run: RunId) -> Result<Vec<Row>> {
    let mut stream = sqlx::query_as(
        "SELECT n::bigint, v::bigint, kind::bigint, body, crc FROM journal WHERE run = $1 ORDER BY n",
    )
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

pub(crate) async fn run(c: &mut PgConnection, run: RunId) -> Result<Option<RunRow>> {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| format!("{RUN_COLUMNS_FROM} WHERE r.run = $1"));
    let row = sqlx::query_as(TEXT.as_str())
        .bind(run)
        .fetch_optional(c)
        .await?;
    row.map(RunRow::whole).transpose()
}

/// Runs, newest first. One that is damaged is left out and reported to the log.
pub(crate) async fn list(
    c: &mut PgConnection,
    filter: &ListRuns,
    limit: u32,
) -> Result<Vec<RunRow>> {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{RUN_COLUMNS_FROM} WHERE ($1 IS NULL OR r.workflow = $1) AND r.run < $2
AND ($3 IS NULL OR COALESCE(r.status, o.status) = $3)
AND ($4 IS NULL OR r.created_at >= $4) AND ($5 IS NULL OR r.created_at < $5)
AND ($6 IS NULL OR r.principal = $6) AND ($7 IS NULL OR r.parent = $7)
ORDER BY r.run DESC LIMIT $8"
        )
    });
    // Not kept prepared: which index serves is seen from the values alone.
    let mut stream = sqlx::query_as(TEXT.as_str())
        .persistent(false)
        .bind(filter.workflow.as_deref())
        .bind(filter.before.unwrap_or(RunId::MAX))
        .bind(filter.status.as_deref())
        .bind(filter.from_ms)
        .bind(filter.to_ms)
        .bind(filter.principal.as_deref())
        .bind(filter.parent)
        .bind(i64::from(limit))
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

pub(crate) async fn blob(c: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Bytes>> {
    let row = sqlx::query_as("SELECT bytes, crc FROM blob WHERE hash = $1")
        .bind(hash.as_slice())
        .fetch_optional(c)
        .await?;
    whole(hash, row)
}

pub(crate) async fn purge_requests(store: &PgStore, before_ms: i64, max: u32) -> Result<u64> {
    let purge = async |c: &mut PgConnection| {
        let done = sqlx::query(
            "DELETE FROM request WHERE (principal, key) IN
(SELECT q.principal, q.key FROM request AS q WHERE q.created_at < $1
AND NOT EXISTS (SELECT 1 FROM open_run AS o WHERE o.run = q.run)
AND NOT EXISTS (SELECT 1 FROM run AS r JOIN open_run AS o ON o.run = r.parent WHERE r.run = q.run)
LIMIT $2)",
        )
        .bind(before_ms)
        .bind(i64::from(max))
        .execute(c)
        .await?;
        Ok::<_, Error>(done.rows_affected())
    };
    store.write(purge).await
}
