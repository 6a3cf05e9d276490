//! The schema itself: made, and brought from version to version.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use crate::error::{Error, Result};
use crate::migration::{Migration, way_back};

const PREFIX: &str = "schema.";

/// Makes the schema and its first table. Of two who come at once, one waits.
pub(super) async fn prepare(c: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "BEGIN;
SELECT pg_advisory_xact_lock(hashtextextended(current_setting('gearmesh.schema'), 0));
DO $$ BEGIN
  IF to_regclass(format('%I.meta', current_setting('gearmesh.schema'))) IS NULL THEN
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', current_setting('gearmesh.schema'));
    CREATE TABLE meta(key text COLLATE \"C\" PRIMARY KEY, value text NOT NULL);
  END IF;
END $$;
COMMIT",
    )
    .execute(c)
    .await?;
    Ok(())
}

/// The version of a set's tables; 0 when there are none.
pub(super) async fn version(c: &mut PgConnection, set: &str) -> Result<u32> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(format!("{PREFIX}{set}"))
        .fetch_optional(c)
        .await?;
    Ok(value.and_then(|v| v.parse().ok()).unwrap_or_default())
}

pub(super) async fn versions(c: &mut PgConnection) -> Result<BTreeMap<String, u32>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM meta WHERE starts_with(key, $1)")
            .bind(PREFIX)
            .fetch_all(c)
            .await?;
    let version = |(key, value): (String, String)| {
        let set = key.strip_prefix(PREFIX)?.to_owned();
        Some((set, value.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(version).collect())
}

/// Runs the steps above the version that is there.
pub(super) async fn migrate(
    c: &mut PgConnection,
    schema: &str,
    set: &str,
    migrations: &[Migration],
) -> Result<()> {
    let found = lock(c, set).await?;
    let known = migrations.last().map_or(0, |m| m.version);
    if found > known {
        return Err(Error::NewerSchema {
            path: schema.into(),
            set: set.to_owned(),
            found,
            known,
        });
    }
    for step in migrations.iter().filter(|m| m.version > found) {
        sqlx::raw_sql(step.sql).execute(&mut *c).await?;
    }
    set_version(c, set, known).await
}

/// Runs the steps that lead back to a version.
pub(super) async fn migrate_down(
    c: &mut PgConnection,
    set: &str,
    migrations: &[Migration],
    to: u32,
) -> Result<()> {
    let found = lock(c, set).await?;
    let texts = way_back(set, migrations, found, to)?;
    if texts.is_empty() {
        return Ok(());
    }
    for text in texts {
        sqlx::raw_sql(text).execute(&mut *c).await?;
    }
    set_version(c, set, to).await
}

/// Keeps other migrators out until the transaction ends; the version that is there.
async fn lock(c: &mut PgConnection, set: &str) -> Result<u32> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended(current_setting('gearmesh.schema'), 0))",
    )
    .execute(&mut *c)
    .await?;
    version(c, set).await
}

async fn set_version(c: &mut PgConnection, set: &str, version: u32) -> Result<()> {
    sqlx::query(
        "INSERT INTO meta(key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(format!("{PREFIX}{set}"))
    .bind(version.to_string())
    .execute(c)
    .await?;
    Ok(())
}

/// Where the server's log stands.
pub(super) async fn wal_at(c: &mut PgConnection) -> Result<u64> {
    let at: i64 =
        sqlx::query_scalar("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
            .fetch_one(c)
            .await?;
    Ok(at.unsigned_abs())
}
