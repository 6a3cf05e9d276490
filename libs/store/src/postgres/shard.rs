//! Owners of shards.

use sqlx::postgres::PgConnection;

use super::PgStore;
use crate::error::Result;
use crate::owned::Owned;
use crate::run_id::Shard;

/// Takes every shard from whoever owned it: each epoch rises, so that nobody else writes
/// any more.
pub(crate) async fn take_all(store: &PgStore) -> Result<Owned> {
    let take = async |c: &mut PgConnection| {
        // In their order, as everybody locks them.
        let taken: Vec<(i16, i64)> = sqlx::query_as(
            "WITH l AS (SELECT shard FROM shard ORDER BY shard FOR UPDATE)
UPDATE shard AS s SET owner = current_setting('application_name'), epoch = s.epoch + 1
FROM l WHERE s.shard = l.shard RETURNING s.shard, s.epoch",
        )
        .fetch_all(c)
        .await?;
        Ok(taken)
    };
    let taken = store.write(take).await?;
    let shard = |(shard, epoch)| Some((Shard::try_from(shard).ok()?, epoch));
    Ok(taken.into_iter().filter_map(shard).collect())
}

/// The epochs of these shards, in their order.
pub(super) async fn epochs(
    c: &mut PgConnection,
    shards: &[i16],
) -> Result<Vec<(i16, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT shard, epoch FROM shard WHERE shard = ANY($1) ORDER BY shard")
        .bind(shards)
        .fetch_all(c)
        .await
}
