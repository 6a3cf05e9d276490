//! The connection that writes.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::connect::{check_version, writer};
use super::{log, meta, sum};
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
    path: PathBuf,
    durability: Durability,
    /// Commits since the log's length was looked at, weighed.
    unchecked: u64,
}

impl Writer {
    /// Opens the file, and checks it when its last owner did not close it.
    pub(crate) async fn open(path: &Path, durability: Durability) -> Result<(Self, Versions)> {
        let unclean = is_unclean(path);
        let left = path.to_owned();
        // Reads whole files.
        let checked = tokio::task::spawn_blocking(move || check_left(&left, unclean, durability));
        match checked.await {
            Ok(checked) => checked?,
            Err(e) => return Err(Error::Failed(e.to_string())),
        }
        let mut connection = writer(path, durability).await?;
        let row = sqlx::query(
            "SELECT sqlite_version(), EXISTS(SELECT 1 FROM sqlite_schema WHERE name = 'meta')",
        )
        .fetch_one(&mut connection)
        .await?;
        check_version(row.try_get(0)?)?;
        if unclean {
            check(&mut connection, path).await?;
            settle(&mut connection, path).await?;
        }
        let versions = if row.try_get(1)? {
            meta::versions(&mut connection).await?
        } else {
            Versions::new()
        };
        let writer = Self {
            connection,
            open: false,
            path: path.to_owned(),
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

    /// Moves the log into the file, removes it, and leaves the file's checksum.
    pub(crate) async fn close(mut self, counters: &Counters) -> Result<()> {
        if self.open {
            self.rollback(counters).await;
        }
        self.connection.close().await?;
        if !is_unclean(&self.path) {
            // It logs what fails, and cannot be cancelled half done.
            let _ = tokio::task::spawn_blocking(move || sum::leave(&self.path)).await;
        }
        Ok(())
    }
}

/// Checks what the last process left, before SQLite reads it.
fn check_left(path: &Path, unclean: bool, durability: Durability) -> Result<()> {
    let log_path = log_path(path);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let corrupt = |what| Error::Corrupt {
        path: path.to_owned(),
        what,
    };
    if !sum::take(path).map_err(at(path))? {
        return Err(corrupt(format!(
            "nobody wrote to it since it was closed, and it is not as it was; restore it from a backup, or delete `{}` to use it as it is",
            sum::beside(path).display()
        )));
    }
    // Where a commit is not flushed before the next one, several may be missing after a
    // loss of power, and nothing is wrong.
    if !unclean || durability != Durability::Power {
        return Ok(());
    }
    match log::damage(&log_path).map_err(at(&log_path))? {
        Some(place) => Err(corrupt(format!(
            "{place} does not fit its checksum, and commits behind it would be lost; restore it from a backup"
        ))),
        None => Ok(()),
    }
}

/// Moves the log into the file and empties it.
///
/// When a flush has failed before, the system may show what the disk does not have, and
/// never write it. SQLite would go on behind such frames, and lose the new ones with them
/// when the power goes. Moved into the file, all of it is written again.
async fn settle(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(connection)
        .await;
    match moved.map_err(Error::from) {
        // Readers need nothing of it, and writers are refused until there is space.
        Err(Error::Full) => {
            tracing::warn!(file = %path.display(), "no space to move the log into the file");
            Ok(())
        }
        moved => moved.map(drop),
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

/// SQLite removes the log when the last connection closes, so a log that is there says by
/// itself that the stop was not clean.
fn is_unclean(path: &Path) -> bool {
    std::fs::metadata(log_path(path)).is_ok_and(|m| m.len() > 0)
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
