//! Results that stand in for later calls.

use bytes::Bytes;
use sqlx::postgres::PgConnection;

use super::PgStore;
use crate::blob::{Blob, whole};
use crate::error::Result;

pub(crate) async fn find(
    c: &mut PgConnection,
    hash: &[u8; 32],
    since_ms: i64,
) -> Result<Option<Bytes>> {
    let row = sqlx::query_as("SELECT bytes, crc FROM cache WHERE hash = $1 AND at >= $2")
        .bind(hash.as_slice())
        .bind(since_ms)
        .fetch_optional(c)
        .await?;
    whole(hash, row)
}

pub(crate) async fn keep(store: &PgStore, kept: &Blob, at_ms: i64) -> Result<()> {
    let keep = async |c: &mut PgConnection| {
        sqlx::query(
            "INSERT INTO cache(hash, at, bytes, crc) VALUES ($1, $2, $3, $4)
ON CONFLICT (hash) DO UPDATE SET at = excluded.at, bytes = excluded.bytes, crc = excluded.crc",
        )
        .bind(kept.hash.as_slice())
        .bind(at_ms)
        .bind(kept.bytes.as_ref())
        .bind(i64::from(kept.crc()))
        .execute(c)
        .await?;
        Ok(())
    };
    store.write(keep).await
}

pub(crate) async fn purge(store: &PgStore, before_ms: i64, max: u32) -> Result<u64> {
    let purge = async |c: &mut PgConnection| {
        let done = sqlx::query(
            "DELETE FROM cache WHERE hash IN (SELECT hash FROM cache WHERE at < $1 LIMIT $2)",
        )
        .bind(before_ms)
        .bind(i64::from(max))
        .execute(c)
        .await?;
        Ok(done.rows_affected())
    };
    store.write(purge).await
}
