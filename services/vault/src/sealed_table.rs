//! Which runs may use which scopes of sealed values.

use sqlx::SqliteConnection;

use crate::error::Error;

/// Lets a run use what is sealed in a scope.
pub(crate) async fn put_sealed_run(
    c: &mut SqliteConnection,
    run: &str,
    scope: &str,
    now_ms: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sealed_run (run, scope, touched) VALUES (?1, ?2, ?3) \
         ON CONFLICT (run, scope) DO UPDATE SET touched = ?3",
    )
    .bind(run)
    .bind(scope)
    .bind(now_ms)
    .execute(c)
    .await?;
    Ok(())
}

/// Whether a run may use what is sealed in a scope.
pub(crate) async fn is_sealed_for(
    c: &mut SqliteConnection,
    run: &str,
    scope: &str,
) -> Result<bool, Error> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sealed_run WHERE run = ? AND scope = ?")
            .bind(run)
            .bind(scope)
            .fetch_optional(c)
            .await?;
    Ok(found.is_some())
}

/// Takes a run off its scopes; answers them, and whether another run still has each.
pub(crate) async fn delete_sealed_run(
    c: &mut SqliteConnection,
    run: &str,
) -> Result<Vec<(String, bool)>, Error> {
    let scopes: Vec<String> =
        sqlx::query_scalar("DELETE FROM sealed_run WHERE run = ? RETURNING scope")
            .bind(run)
            .fetch_all(&mut *c)
            .await?;
    let mut all = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let other: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sealed_run WHERE scope = ? LIMIT 1")
                .bind(&scope)
                .fetch_optional(&mut *c)
                .await?;
        all.push((scope, other.is_some()));
    }
    Ok(all)
}

/// Runs behind `after` for which nothing was sealed since an instant, in their order.
pub(crate) async fn sealed_runs(
    c: &mut SqliteConnection,
    before_ms: i64,
    after: &str,
    max: i64,
) -> Result<Vec<String>, Error> {
    let runs = sqlx::query_scalar(
        "SELECT run FROM sealed_run WHERE run > ? GROUP BY run HAVING max(touched) < ? \
         ORDER BY run LIMIT ?",
    )
    .bind(after)
    .bind(before_ms)
    .bind(max)
    .fetch_all(c)
    .await?;
    Ok(runs)
}
