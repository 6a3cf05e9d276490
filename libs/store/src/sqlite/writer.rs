//! The connection that writes.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::connect::{check_version, writer};
use super::meta;
use crate::counts::Counters;
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::store::Versions;

/// Commits after which the log's length is looked at; a large commit counts
/// once more per [`CHECK_BYTES`].
const CHECK_COMMITS: u64 = 64;
const CHECK_BYTES: u64 = 64 << 10;
/// Pages in the log that make a checkpoint worth its two flushes: 4 MiB.
const CHECKPOINT_PAGES: i64 = 1024;

/// The connection that writes, and what is known of its state.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: SqliteConnection,
    /// Whether a transaction may be open: one whose owner left is undone by the
    /// next.
    pub(crate) open: bool,
    durability: Durability,
    /// Commits since the log's length was looked at, weighed.
    unchecked: u64,
}

impl Writer {
    /// Opens the file, and checks it when its last owner did not close it.
    pub(crate) async fn open(path: &Path, durability: Durability) -> Result<(Self, Versions)> {
        // SQLite removes the log when the last connection closes, so a log
        // that is there says by itself that the stop was not clean.
        let unclean = std::fs::metadata(log_path(path)).is_ok_and(|m| m.len() > 0);
        let mut connection = writer(path, durability).await?;
        let row = sqlx::query(
            "SELECT sqlite_version(), EXISTS(SELECT 1 FROM sqlite_schema WHERE name = 'meta')",
        )
        .fetch_one(&mut connection)
        .await?;
        check_version(row.try_get(0)?)?;
        if unclean {
            check(&mut connection, path).await?;
        }
        let versions = if row.try_get(1)? {
            meta::versions(&mut connection).await?
        } else {
            Versions::new()
        };
        let writer = Self {
            connection,
            open: false,
            durability,
            unchecked: 0,
        };
        Ok((writer, versions))
    }

    /// Begins a transaction of which the caller sends the first statement.
    pub(crate) async fn clear(&mut self, counters: &Counters) {
        if self.open {
            self.rollback(counters).await;
        }
        self.open = true;
    }

    pub(crate) async fn begin(&mut self, counters: &Counters) -> Result<()> {
        self.clear(counters).await;
        counters.statement();
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub(crate) async fn commit(&mut self, counters: &Counters) -> Result<(), sqlx::Error> {
        counters.statement();
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        self.committed(counters);
        Ok(())
    }

    /// Notes that a text with COMMIT in it has ended well.
    pub(crate) fn committed(&mut self, counters: &Counters) {
        self.open = false;
        self.unchecked += 1;
        counters.commit(u64::from(self.durability == Durability::Power));
    }

    pub(crate) async fn rollback(&mut self, counters: &Counters) {
        counters.statement();
        // It fails only where SQLite has rolled back by itself.
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        self.open = false;
    }

    /// Says how much the next commit writes, where that is known.
    pub(crate) fn weigh(&mut self, bytes: u64) {
        self.unchecked += bytes / CHECK_BYTES;
    }

    /// Moves the log into the file when it has become long.
    ///
    /// The log is used again from its start instead of being cut: writing over
    /// blocks that the file system knows costs less than new ones.
    pub(crate) async fn tidy(&mut self, counters: &Counters) -> Result<()> {
        if self.unchecked < CHECK_COMMITS {
            return Ok(());
        }
        self.unchecked = 0;
        counters.statement();
        let row = sqlx::query("PRAGMA wal_checkpoint(NOOP)")
            .fetch_one(&mut self.connection)
            .await?;
        let waiting = row.try_get::<i64, _>(1)? - row.try_get::<i64, _>(2)?;
        if waiting >= CHECKPOINT_PAGES {
            counters.statement();
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                .execute(&mut self.connection)
                .await?;
            counters.fsyncs(2);
        }
        Ok(())
    }

    /// Moves the log into the file and removes it.
    pub(crate) async fn close(mut self, counters: &Counters) -> Result<()> {
        if self.open {
            self.rollback(counters).await;
        }
        self.connection.close().await?;
        Ok(())
    }
}

async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    tracing::info!(file = %path.display(), "the store was not closed, checking it");
    let what: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|e| match e.into() {
            Error::Failed(what) => Error::Corrupt {
                path: path.to_owned(),
                what,
            },
            e => e,
        })?;
    if what != "ok" {
        return Err(Error::Corrupt {
            path: path.to_owned(),
            what,
        });
    }
    Ok(())
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
