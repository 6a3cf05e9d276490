//! Keys that make starts of a workflow answer one run for a while.

use sqlx::postgres::PgConnection;

use super::PgStore;
use crate::append::{Dedupe, NewRun};
use crate::counts::Counters;
use crate::error::Result;
use crate::run_id::RunId;

/// Takes the key for a new run; or answers the run that has it, and lets the new run's
/// request key, if it has one, name that run as well. In a transaction.
pub(super) async fn take(
    c: &mut PgConnection,
    counters: &Counters,
    new: &NewRun,
    dedupe: &Dedupe,
) -> Result<Option<RunId>, sqlx::Error> {
    counters.statement();
    let taken = sqlx::query(
        "INSERT INTO dedupe(workflow, key, run, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (workflow, key) DO UPDATE SET run = excluded.run, until = excluded.until WHERE dedupe.until <= $5",
    )
    .bind(&new.workflow)
    .bind(&dedupe.key)
    .bind(new.run)
    .bind(dedupe.until_ms)
    .bind(new.created_at_ms)
    .execute(&mut *c)
    .await?;
    if taken.rows_affected() > 0 {
        return Ok(None);
    }
    counters.statement();
    let first: RunId =
        sqlx::query_scalar("SELECT run FROM dedupe WHERE workflow = $1 AND key = $2")
            .bind(&new.workflow)
            .bind(&dedupe.key)
            .fetch_one(&mut *c)
            .await?;
    if let Some(request) = &new.request {
        counters.statement();
        sqlx::query("UPDATE request SET run = $1 WHERE principal = $2 AND key = $3")
            .bind(first)
            .bind(&new.principal)
            .bind(&request.key)
            .execute(c)
            .await?;
    }
    Ok(Some(first))
}

pub(crate) async fn purge(store: &PgStore, now_ms: i64, max: u32) -> Result<u64> {
    let purge = async |c: &mut PgConnection| {
        let done = sqlx::query(
            "DELETE FROM dedupe WHERE (workflow, key) IN
(SELECT workflow, key FROM dedupe WHERE until <= $1 LIMIT $2)",
        )
        .bind(now_ms)
        .bind(i64::from(max))
        .execute(c)
        .await?;
        Ok(done.rows_affected())
    };
    store.write(purge).await
}
