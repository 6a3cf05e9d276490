//! Connections to a store's file.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::error::{Error, Result};
use crate::options::Durability;

/// Older versions can damage the log when two connections write or checkpoint
/// at the same time.
pub(crate) const VERSION_MIN: &str = "3.51.3";

/// Read-only connections beside the writer, opened when they are needed.
const READERS_MAX: u32 = 4;
/// How long a statement waits for a lock that only another process could hold.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Texts of statements that a connection keeps prepared.
const STATEMENTS_KEPT: usize = 200;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS_KEPT)
        // A file that somebody else prepared must not run code, and a damaged
        // one is to be noticed: a mapped page would end the process by a signal.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
        .disable_statement_logging()
}

/// The one connection that writes. The file is there already.
pub(crate) async fn writer(path: &Path, durability: Durability) -> Result<SqliteConnection> {
    let synchronous = match durability {
        Durability::Power => SqliteSynchronous::Full,
        Durability::Process => SqliteSynchronous::Normal,
    };
    let connection = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        // The writer does it itself, after it has answered.
        .pragma("wal_autocheckpoint", "0")
        .connect()
        .await?;
    Ok(connection)
}

/// The connections that read.
pub(crate) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options(path).read_only(true))
}

/// Refuses a SQLite that is too old.
pub(crate) fn check_version(found: &str) -> Result<()> {
    let parts =
        |text: &str| -> Vec<u32> { text.split('.').map_while(|p| p.parse().ok()).collect() };
    if parts(found) < parts(VERSION_MIN) {
        return Err(Error::OldSqlite {
            found: found.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for good in ["3.51.3", "3.51.10", "3.52.0", "4.0.0"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for old in ["3.51.2", "3.9.9", "3.51", "", "x"] {
            assert!(
                matches!(check_version(old), Err(Error::OldSqlite { .. })),
                "{old}"
            );
        }
    }
}
