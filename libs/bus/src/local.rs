//! A file in the state folder, for the processes of one host.
//!
//! INVARIANT: whatever is answered as kept is committed with a flush. Writes go
//! through one connection, in transactions that a dropped call undoes; WAL lets
//! other processes open the same file.

mod events;
mod groups;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, Transaction};

use crate::error::{Error, Result};
use crate::options::{Now, Options};

/// Name of the file in the state folder.
const FILE: &str = "bus.sqlite";

/// The tables. The number rises when they change.
const VERSION: i64 = 1;
const TABLES: &str = include_str!("local/tables.sql");

/// Connections that read beside the writer, opened when they are needed.
const READERS_MAX: u32 = 4;

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A log in a file.
#[derive(Debug)]
pub(crate) struct Local {
    writer: SqlitePool,
    readers: SqlitePool,
    now: Clock,
    keep: i64,
}

/// The clock; a function shows nothing of itself.
struct Clock(Now);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Now")
    }
}

impl Local {
    pub(crate) async fn open(options: &Options) -> Result<Self> {
        make_folder(&options.folder)?;
        let file = options.folder.join(FILE);
        let connect = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            // A file that somebody else prepared must not run code.
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("mmap_size", "0")
            .disable_statement_logging();
        let one = |max: u32| {
            SqlitePoolOptions::new()
                .max_connections(max)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = one(1).connect_with(connect.clone()).await?;
        owner_only(&file)?;
        let local = Self {
            writer,
            readers: one(READERS_MAX).connect_lazy_with(connect.read_only(true)),
            now: Clock(options.now.clone()),
            keep: options.keep,
        };
        local.migrate().await?;
        Ok(local)
    }

    async fn migrate(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await?;
        match found {
            0 => {
                sqlx::raw_sql(TABLES).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(())
            }
            VERSION => Ok(()),
            newer => Err(Error::Unavailable(format!(
                "`{FILE}` has version {newer} of the tables, this program knows {VERSION}"
            ))),
        }
    }

    /// A transaction that writes; undone when it is dropped.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    fn now_ms(&self) -> i64 {
        (self.now.0)()
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| Error::Unavailable(format!("`{}` cannot be made: {e}", folder.display())))
}

/// Payloads are for the owner alone, as in the stores.
fn owner_only(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).map_err(|e| {
        Error::Unavailable(format!("`{}` cannot be kept private: {e}", file.display()))
    })
}
