//! Results that stand in for later calls.

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;

use crate::blob::{Blob, whole};
use crate::error::Result;

pub(crate) async fn find(
    c: &mut SqliteConnection,
    hash: &[u8; 32],
    since_ms: i64,
) -> Result<Option<Bytes>> {
    let row = sqlx::query_as("SELECT bytes, crc FROM cache WHERE hash = ? AND at >= ?")
        .bind(hash.as_slice())
        .bind(since_ms)
        .fetch_optional(c)
        .await?;
    whole(hash, row)
}

pub(crate) async fn keep(c: &mut SqliteConnection, kept: &Blob, at_ms: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO cache(hash, at, bytes, crc) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET at = excluded.at, bytes = excluded.bytes, crc = excluded.crc",
    )
    .bind(kept.hash.as_slice())
    .bind(at_ms)
    .bind(kept.bytes.as_ref())
    .bind(kept.crc())
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn purge(c: &mut SqliteConnection, before_ms: i64, max: u32) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM cache WHERE hash IN (SELECT hash FROM cache WHERE at < ? LIMIT ?)",
    )
    .bind(before_ms)
    .bind(max)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
