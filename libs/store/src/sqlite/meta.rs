//! The table of what is known of the file itself: versions of its tables.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::error::Result;
use crate::migration::Migration;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID";
const SCHEMA: &str = "schema.";

/// The versions of the tables in the file, by set.
pub(crate) async fn versions(connection: &mut SqliteConnection) -> Result<BTreeMap<String, u32>> {
    let rows = sqlx::query(
        "SELECT substr(key, 8), CAST(value AS INTEGER) FROM meta WHERE key GLOB 'schema.*'",
    )
    .fetch_all(connection)
    .await?;
    let mut versions = BTreeMap::new();
    for row in rows {
        versions.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(versions)
}

/// Runs the steps above `from` and writes down the last one's version.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    set: &str,
    from: u32,
    migrations: &[Migration],
) -> Result<()> {
    sqlx::query(CREATE).execute(&mut *connection).await?;
    let mut reached = from;
    for step in migrations.iter().filter(|m| m.version > from) {
        sqlx::raw_sql(step.sql).execute(&mut *connection).await?;
        reached = step.version;
    }
    set_version(connection, set, reached).await
}

/// Runs the statements that lead back to a version.
pub(crate) async fn migrate_down(
    connection: &mut SqliteConnection,
    set: &str,
    texts: &[&'static str],
    to: u32,
) -> Result<()> {
    for text in texts {
        sqlx::raw_sql(*text).execute(&mut *connection).await?;
    }
    set_version(connection, set, to).await
}

async fn set_version(connection: &mut SqliteConnection, set: &str, version: u32) -> Result<()> {
    sqlx::query("INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value")
        .bind(format!("{SCHEMA}{set}"))
        .bind(version.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
