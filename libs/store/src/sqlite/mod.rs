//! All that holds for SQLite alone: connections, texts of statements, codes.

mod batch;
pub(crate) mod cache;
mod connect;
pub(crate) mod dedupe;
pub(crate) mod effect;
pub(crate) mod group;
pub(crate) mod journal;
pub(crate) mod meta;
pub(crate) mod workflow;
mod writer;

pub(crate) use connect::{VERSION_MIN, readers};
pub(crate) use writer::Writer;

/// How far an error reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Nothing is written, and later there may be space.
    Full,
    /// What is on disk is not known any more.
    Fatal,
    /// The statement alone.
    Statement,
}

const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

pub(crate) fn severity(error: &sqlx::Error) -> Severity {
    let error = match error {
        sqlx::Error::Database(error) => error,
        sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => return Severity::Fatal,
        _ => return Severity::Statement,
    };
    // The low byte is the code, the rest says more about it.
    let code = error
        .code()
        .and_then(|c| c.parse::<i32>().ok())
        .map(|c| c & 0xff);
    match code {
        Some(SQLITE_FULL) => Severity::Full,
        Some(SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB) => Severity::Fatal,
        _ => Severity::Statement,
    }
}
