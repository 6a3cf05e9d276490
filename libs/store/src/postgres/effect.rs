//! Table and statements of the ledger.

use sqlx::postgres::PgConnection;

use super::PgStore;
use crate::error::Result;
use crate::ledger::{Entry, Name, Step, StoredEntry, Write, damaged};
use crate::migration::Migration;
use crate::sqlite::effect::{KEPT_MS, TENANT};

/// The table's name among the sets of a store.
pub(crate) const SET: &str = "ledger";

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE effect(
  started_at bigint NOT NULL, expires_at bigint NOT NULL, epoch bigint NOT NULL, attempt bigint NOT NULL,
  crc bigint NOT NULL, item bigint, pass bigint, fence_epoch bigint, fence_attempt bigint,
  tenant text COLLATE \"C\" NOT NULL, owner text COLLATE \"C\" NOT NULL, tool text COLLATE \"C\" NOT NULL,
  key text COLLATE \"C\" NOT NULL, status text NOT NULL, run text, task text, req_hash bytea, reply bytea,
  PRIMARY KEY (tenant, owner, tool, key)
) WITH (fillfactor = 70);
CREATE INDEX effect_expires ON effect(expires_at);
",
    down: Some("DROP TABLE effect"),
}];

/// Takes a step in a transaction of its own.
pub(crate) async fn step_alone<T>(
    store: &PgStore,
    name: Name<'_>,
    wanted: impl Step<T>,
) -> Result<T> {
    store.transact(async |c| step(c, name, wanted).await).await
}

/// Takes a step in a transaction, whose lock on the entry then keeps others waiting; says
/// whether anything was written.
pub(super) async fn step<T>(
    c: &mut PgConnection,
    name: Name<'_>,
    step: impl Step<T>,
) -> Result<(T, bool)> {
    loop {
        let entry = find(c, name).await?;
        let new = entry.is_none();
        let (answer, write) = step(entry)?;
        let written = match &write {
            None => return Ok((answer, false)),
            Some(Write::Start(entry) | Write::Put(entry)) if new => {
                update(c, INSERT, name, entry).await?
            }
            Some(Write::Start(entry)) => update(c, START, name, entry).await?,
            Some(Write::Put(entry)) => update(c, PUT, name, entry).await?,
        };
        // Another caller was quicker with the first entry: its word counts.
        if written {
            return Ok((answer, true));
        }
    }
}

async fn find(c: &mut PgConnection, name: Name<'_>) -> Result<Option<Entry>> {
    let Name { owner, tool, key } = name;
    let stored: Option<StoredEntry> = sqlx::query_as(
        "SELECT run, task, item, pass, req_hash, status, epoch, attempt, fence_epoch, fence_attempt, reply, crc
FROM effect WHERE tenant = $1 AND owner = $2 AND tool = $3 AND key = $4 FOR UPDATE",
    )
    .bind(TENANT)
    .bind(owner)
    .bind(tool)
    .bind(key)
    .fetch_optional(c)
    .await?;
    let whole = |stored| Entry::whole(tool, key, stored).ok_or_else(|| damaged(tool, key));
    stored.map(whole).transpose()
}

const INSERT: &str =
    "INSERT INTO effect(tenant, owner, tool, key, run, task, item, pass, req_hash, status, epoch,
attempt, fence_epoch, fence_attempt, reply, crc, started_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, now, now + $17
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS clock
ON CONFLICT DO NOTHING";

const START: &str = "UPDATE effect SET run = $5, task = $6, item = $7, pass = $8, req_hash = $9, status = $10,
epoch = $11, attempt = $12, fence_epoch = $13, fence_attempt = $14, reply = $15, crc = $16, started_at = now, expires_at = now + $17
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS clock
WHERE tenant = $1 AND owner = $2 AND tool = $3 AND key = $4";

/// Times and holder stay; the places of the others are left out.
const PUT: &str =
    "UPDATE effect SET status = $10, epoch = $11, attempt = $12, fence_epoch = $13, fence_attempt = $14,
reply = $15, crc = $16 WHERE tenant = $1 AND owner = $2 AND tool = $3 AND key = $4";

/// False when nothing was written: an entry is there, or is not.
async fn update(
    c: &mut PgConnection,
    text: &'static str,
    name: Name<'_>,
    entry: &Entry,
) -> Result<bool> {
    let Name { owner, tool, key } = name;
    let holder = entry.holder.as_ref().map(|(holder, _)| holder);
    let done = sqlx::query(text)
        .bind(TENANT)
        .bind(owner)
        .bind(tool)
        .bind(key)
        .bind(holder.map(|h| h.run.as_str()))
        .bind(holder.map(|h| h.task.as_str()))
        .bind(holder.map(|h| h.item))
        .bind(holder.map(|h| h.pass))
        .bind(entry.holder.as_ref().map(|(_, hash)| hash.as_slice()))
        .bind(entry.status.name())
        .bind(entry.pair.epoch)
        .bind(entry.pair.attempt)
        .bind(entry.fence.map(|f| f.epoch))
        .bind(entry.fence.map(|f| f.attempt))
        .bind(entry.reply.as_deref())
        .bind(i64::from(entry.crc(tool, key)))
        .bind(KEPT_MS)
        .execute(c)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn purge(store: &PgStore, now_ms: i64, max: u32) -> Result<u64> {
    let purge = async |c: &mut PgConnection| {
        let done = sqlx::query(
            "DELETE FROM effect WHERE (tenant, owner, tool, key) IN
(SELECT tenant, owner, tool, key FROM effect WHERE expires_at < $1 LIMIT $2)",
        )
        .bind(now_ms)
        .bind(i64::from(max))
        .execute(c)
        .await?;
        Ok(done.rows_affected())
    };
    store.write(purge).await
}
