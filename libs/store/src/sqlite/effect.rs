//! Table and statements of the ledger.

use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::error::Result;
use crate::ledger::{Entry, Holder, Pair, Status, damaged};
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
}];

/// There is one tenant as yet.
const TENANT: &str = "";
/// How long an entry answers after its call has begun.
pub(crate) const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

pub(crate) async fn find(
    c: &mut SqliteConnection,
    owner: &str,
    tool: &str,
    key: &str,
) -> Result<Option<Entry>> {
    let row = sqlx::query(
        "SELECT run, task, item, pass, req_hash, status, epoch, attempt, fence_epoch, fence_attempt, reply, crc
FROM effect WHERE tenant = ? AND owner = ? AND tool = ? AND key = ?",
    )
    .bind(TENANT)
    .bind(owner)
    .bind(tool)
    .bind(key)
    .fetch_optional(c)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    match entry(&row)? {
        Some(entry) if row.try_get::<i64, _>(11)? == i64::from(entry.crc(tool, key)) => {
            Ok(Some(entry))
        }
        _ => Err(damaged(tool, key)),
    }
}

/// None when it cannot be one that was written.
fn entry(row: &SqliteRow) -> Result<Option<Entry>, sqlx::Error> {
    let holder = match row.try_get::<Option<String>, _>(0)? {
        Some(run) => {
            let Ok(hash) = row.try_get::<Vec<u8>, _>(4)?.try_into() else {
                return Ok(None);
            };
            let holder = Holder {
                run,
                task: row.try_get(1)?,
                item: row.try_get(2)?,
                pass: row.try_get(3)?,
            };
            Some((holder, hash))
        }
        None => None,
    };
    let Some(status) = Status::from_name(row.try_get(5)?) else {
        return Ok(None);
    };
    let fence = match row.try_get(8)? {
        Some(epoch) => Some(Pair {
            epoch,
            attempt: row.try_get(9)?,
        }),
        None => None,
    };
    Ok(Some(Entry {
        holder,
        status,
        pair: Pair {
            epoch: row.try_get(6)?,
            attempt: row.try_get(7)?,
        },
        fence,
        reply: row.try_get::<Option<Vec<u8>>, _>(10)?.map(Bytes::from),
    }))
}

/// Writes an entry whose call begins now, by the store's clock.
pub(crate) async fn start(
    c: &mut SqliteConnection,
    owner: &str,
    tool: &str,
    key: &str,
    entry: &Entry,
) -> Result<()> {
    const TEXT: &str = "INSERT INTO effect(tenant, owner, tool, key, run, task, item, pass, req_hash, status, epoch,
attempt, fence_epoch, fence_attempt, reply, crc, started_at, expires_at)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now, now + ?
FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now) WHERE true
ON CONFLICT DO UPDATE SET run = excluded.run, task = excluded.task, item = excluded.item, pass = excluded.pass,
req_hash = excluded.req_hash, status = excluded.status, epoch = excluded.epoch, attempt = excluded.attempt,
fence_epoch = excluded.fence_epoch, fence_attempt = excluded.fence_attempt, reply = excluded.reply,
crc = excluded.crc, started_at = excluded.started_at, expires_at = excluded.expires_at";
    write(c, TEXT, owner, tool, key, entry).await
}

/// Writes an entry. Its times stay when it is there already.
pub(crate) async fn put(
    c: &mut SqliteConnection,
    owner: &str,
    tool: &str,
    key: &str,
    entry: &Entry,
) -> Result<()> {
    const TEXT: &str = "INSERT INTO effect(tenant, owner, tool, key, run, task, item, pass, req_hash, status, epoch,
attempt, fence_epoch, fence_attempt, reply, crc, started_at, expires_at)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now, now + ?
FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now) WHERE true
ON CONFLICT DO UPDATE SET status = excluded.status, epoch = excluded.epoch, attempt = excluded.attempt,
fence_epoch = excluded.fence_epoch, fence_attempt = excluded.fence_attempt, reply = excluded.reply,
crc = excluded.crc";
    write(c, TEXT, owner, tool, key, entry).await
}

async fn write(
    c: &mut SqliteConnection,
    text: &'static str,
    owner: &str,
    tool: &str,
    key: &str,
    entry: &Entry,
) -> Result<()> {
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
