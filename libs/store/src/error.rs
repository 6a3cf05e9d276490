//! What can go wrong in a store.

use std::path::PathBuf;

use sqlx::postgres::PgDatabaseError;

use crate::run_id::{RunId, Shard, run_text};
use crate::{postgres, sqlite};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or another handle of this one, has the file.
    #[error("`{}` is in use by process {holder}", path.display())]
    Locked {
        /// The store's file.
        path: PathBuf,
        /// The holder's process id, `unknown` when it is not readable.
        holder: String,
    },
    /// The SQLite that was linked can damage its log.
    #[error(
        "SQLite {found} is too old, {} or newer is needed",
        sqlite::VERSION_MIN
    )]
    OldSqlite {
        /// The version that was found.
        found: String,
    },
    /// The file, or the schema of a server, was written by a newer program.
    #[error("`{}` has version {found} of the tables `{set}`, this program knows {known}", path.display())]
    NewerSchema {
        /// The store's file, or its schema.
        path: PathBuf,
        /// Which tables.
        set: String,
        /// The version in the file.
        found: u32,
        /// The newest version that the program knows.
        known: u32,
    },
    /// Tables whose newest shape cannot be undone, or that nobody knows.
    #[error("there is no way back before version {version} of the tables `{set}`")]
    NoWayBack {
        /// Which tables.
        set: String,
        /// The version that cannot be undone.
        version: u32,
    },
    /// A name that cannot be a file's name.
    #[error("`{0}` is no name of a store: use a-z, 0-9, `-` and `_`")]
    Name(String),
    /// A folder or file of the store could not be made or opened.
    #[error("`{}` cannot be used: {source}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The check after an unclean stop found damage in the file.
    #[error("`{}` is damaged: {what}", path.display())]
    Corrupt {
        /// The store's file.
        path: PathBuf,
        /// The first damage that was found.
        what: String,
    },
    /// No space is left. Nothing was written; a later call may succeed.
    #[error("the store has no space left")]
    Full,
    /// A write failed in a way that leaves its outcome open. Nothing is written
    /// until the process starts again.
    #[error("the store has failed: {0}")]
    Failed(String),
    /// No connection to the store, or it was lost. Nothing was written; a later call may
    /// succeed.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The connection was lost before the store said whether it has written.
    #[error("the store went away before it said whether it has written")]
    CommitUnknown,
    /// Another instance owns the shard. Nothing was written.
    #[error("shard {shard} has another owner")]
    Fenced {
        /// The shard.
        shard: Shard,
    },
    /// The server cannot be a store.
    #[error("PostgreSQL cannot be used: {0}")]
    Unfit(String),
    /// The store was closed.
    #[error("the store `{0}` is closed")]
    Closed(String),
    /// A row of the journal does not fit its checksum, or is missing.
    #[error("row {n} of run `{}` is damaged", run_text(*run))]
    Damaged {
        /// The run.
        run: RunId,
        /// The row; 0 for the run's own.
        n: u32,
    },
    /// A blob does not fit its checksum.
    #[error("blob `{0}` is damaged")]
    DamagedBlob(String),
    /// A row of the ledger does not fit its checksum.
    #[error("the ledger's entry of `{tool}` under key `{key}` is damaged")]
    DamagedEffect {
        /// The tool.
        tool: String,
        /// The key.
        key: String,
    },
    /// A workflow does not fit its checksum.
    #[error("version {version} of workflow `{name}` is damaged")]
    DamagedWorkflow {
        /// The workflow.
        name: String,
        /// The version; 0 for its head.
        version: u32,
    },
    /// Rows that do not continue the run.
    #[error("run `{}` goes on with row {expected}, not {found}", run_text(*run))]
    Gap {
        /// The run.
        run: RunId,
        /// The number that was due.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// No such run.
    #[error("no run `{}`", run_text(*.0))]
    UnknownRun(RunId),
    /// A run that exists already, or whose id cannot be one.
    #[error("run `{}` cannot be created again", run_text(*.0))]
    RunExists(RunId),
    /// A run that has ended already.
    #[error("run `{}` has ended already", run_text(*.0))]
    Ended(RunId),
    /// Something is larger than the store takes.
    #[error("{what} has {size} bytes, at most {limit} are stored")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A text with a NUL character, which PostgreSQL does not take.
    #[error("{0} holds a NUL character, which is not stored")]
    Nul(&'static str),
    /// The key was used for another request.
    #[error("key `{0}` was used for another request")]
    KeyReused(String),
    /// Another holder's call with this key has begun and not ended.
    #[error("a call with key `{0}` is under way")]
    KeyInUse(String),
    /// A later attempt, or a fence, stands against this one.
    #[error("a later attempt has taken over key `{0}`")]
    StaleEpoch(String),
    /// A statement failed.
    #[error("a statement failed: {0}")]
    Sql(#[source] sqlx::Error),
}

impl Error {
    /// The same once more, for those that concern the store and not a single caller.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Full),
            Self::Failed(cause) => Some(Self::Failed(cause.clone())),
            Self::Closed(name) => Some(Self::Closed(name.clone())),
            Self::Unavailable(cause) => Some(Self::Unavailable(cause.clone())),
            Self::CommitUnknown => Some(Self::CommitUnknown),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match severity(&error) {
            Severity::Full => Self::Full,
            Severity::Fatal => Self::Failed(error.to_string()),
            Severity::Lost => Self::Unavailable(error.to_string()),
            Severity::Statement => Self::Sql(error),
        }
    }
}

/// How far an error reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Nothing is written, and later there may be space.
    Full,
    /// What is on disk is not known any more.
    Fatal,
    /// The connection is gone, or there was none.
    Lost,
    /// The statement alone.
    Statement,
}

pub(crate) fn severity(error: &sqlx::Error) -> Severity {
    let error = match error {
        sqlx::Error::Database(error) => error,
        sqlx::Error::WorkerCrashed => return Severity::Fatal,
        // A file has no connections: these come from a server.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut => return Severity::Lost,
        _ => return Severity::Statement,
    };
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => postgres::severity(error),
        None => sqlite::severity(error.code().as_deref()),
    }
}
