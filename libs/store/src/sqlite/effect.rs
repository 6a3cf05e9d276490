//! Table and statements of the ledger.

use sqlx::sqlite::SqliteConnection;

use crate::error::Result;
use crate::ledger::{Entry, Name, Step, StoredEntry, Write, damaged};
use crate::migration::Migration;

/// The table's name among the sets of a store.
pub(crate) const SET: &str = "ledger";

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE effect(
  tenant TEXT NOT NULL, owner TEXT NOT NULL, tool TEXT NOT NULL, key TEXT NOT NULL,
  run TEXT, task TEXT, item INTEGER, pass INTEGER, req_hash BLOB,
  status TEXT NOT NULL, epoch INTEGER NOT NULL, attempt INTEGER NOT NULL,
  fence_epoch INTEGER, fence_attempt INTEGER, reply BLOB,
  started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY (tenant, owner, tool, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX effect_expires ON effect(expires_at);
",
    down: Some("DROP TABLE effect"),
}];

/// There is one tenant as yet.
pub(crate) const TENANT: &str = "";
/// How long an entry answers after its call has begun.
pub(crate) const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Takes a step in a transaction; says whether anything was written.
pub(crate) async fn step<T>(
    c: &mut SqliteConnection,
    name: Name<'_>,
    step: impl Step<T>,
) -> Result<(T, bool)> {
    let entry = find(c, name).await?;
    let (answer, write) = step(entry)?;
    match &write {
        Some(Write::Start(entry)) => start(c, name, entry).await?,
        Some(Write::Put(entry)) => put(c, name, entry).await?,
        None => {}
    }
    Ok((answer, write.is_some()))
}

async fn find(c: &mut SqliteConnection, name: Name<'_>) -> Result<Option<Entry>> {
    let Name { owner, tool, key } = name;
    let stored: Option<StoredEntry> = sqlx::query_as(
        "SELECT run, task, item, pass, req_hash, status, epoch, attempt, fence_epoch, fence_attempt, reply, crc
FROM effect WHERE tenant = ? AND owner = ? AND tool = ? AND key = ?",
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

/// Writes an entry whose call begins now, by the store's clock.
async fn start(c: &mut SqliteConnection, name: Name<'_>, entry: &Entry) -> Result<()> {
    const TEXT: &str = "INSERT INTO effect(tenant, owner, tool, key, run, task, item, pass, req_hash, status, epoch,
attempt, fence_epoch, fence_attempt, reply, crc, started_at, expires_at)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now, now + ?
FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now) WHERE true
ON CONFLICT DO UPDATE SET run = excluded.run, task = excluded.task, item = excluded.item, pass = excluded.pass,
req_hash = excluded.req_hash, status = excluded.status, epoch = excluded.epoch, attempt = excluded.attempt,
fence_epoch = excluded.fence_epoch, fence_attempt = excluded.fence_attempt, reply = excluded.reply,
crc = excluded.crc, started_at = excluded.started_at, expires_at = excluded.expires_at";
    write(c, TEXT, name, entry).await
}

/// Writes an entry. Its times stay when it is there already.
async fn put(c: &mut SqliteConnection, name: Name<'_>, entry: &Entry) -> Result<()> {
    const TEXT: &str = "INSERT INTO effect(tenant, owner, tool, key, run, task, item, pass, req_hash, status, epoch,
attempt, fence_epoch, fence_attempt, reply, crc, started_at, expires_at)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now, now + ?
FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now) WHERE true
ON CONFLICT DO UPDATE SET status = excluded.status, epoch = excluded.epoch, attempt = excluded.attempt,
fence_epoch = excluded.fence_epoch, fence_attempt = excluded.fence_attempt, reply = excluded.reply,
crc = excluded.crc";
    write(c, TEXT, name, entry).await
}

async fn write(
    c: &mut SqliteConnection,
    text: &'static str,
    name: Name<'_>,
    entry: &Entry,
) -> Result<()> {
    let Name { owner, tool, key } = name;
    let holder = entry.holder.as_ref().map(|(holder, _)| holder);
    sqlx::query(text)
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
        .bind(entry.crc(tool, key))
        .bind(KEPT_MS)
        .execute(c)
        .await?;
    Ok(())
}

pub(crate) async fn purge(c: &mut SqliteConnection, now_ms: i64, max: u32) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM effect WHERE (tenant, owner, tool, key) IN
(SELECT tenant, owner, tool, key FROM effect WHERE expires_at < ? LIMIT ?)",
    )
    .bind(now_ms)
    .bind(max)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
