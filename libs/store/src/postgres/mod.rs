//! All that holds for PostgreSQL alone: connections, texts of statements, codes.

pub(crate) mod cache;
mod connect;
mod contents;
pub(crate) mod dedupe;
pub(crate) mod effect;
mod groups;
pub(crate) mod journal;
pub(crate) mod keeper;
mod keys;
mod meta;
pub(crate) mod shard;
mod store;
pub(crate) mod workflow;
mod writer;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::error::Severity;
use crate::migration::Migration;

pub use connect::PgOptions;
pub(crate) use groups::Groups;
pub use store::PgStore;

/// Names of a schema start with this.
const SCHEMA: &str = "gearmesh_";

/// The steps of a set of tables.
pub(crate) fn migrations(set: &str) -> Option<&'static [Migration]> {
    match set {
        journal::SET => Some(journal::MIGRATIONS),
        workflow::SET => Some(workflow::MIGRATIONS),
        effect::SET => Some(effect::MIGRATIONS),
        _ => None,
    }
}

pub(crate) fn severity(error: &PgDatabaseError) -> Severity {
    match error.code() {
        // disk_full
        "53100" => Severity::Full,
        // out_of_memory and too_many_connections; the whole class of connections; the
        // operator or a crash; a standby; a lock or a statement that took too long;
        // a transaction that was ended for its neighbours' sake.
        "53200" | "53300" | "25006" | "25P03" | "55P03" | "57014" | "40001" | "40P01" => {
            Severity::Lost
        }
        code if code.starts_with("08") || code.starts_with("57P") || code.starts_with("28") => {
            Severity::Lost
        }
        _ if ends_connection(error) => Severity::Lost,
        _ => Severity::Statement,
    }
}

/// Whether the server ends the connection with this error. It may come behind a commit,
/// so that it says nothing of what was written.
fn ends_connection(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// Whether nobody knows what became of the statement: every other error is the server's
/// word that it was undone.
fn leaves_doubt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_none_or(ends_connection),
        sqlx::Error::Encode(_) | sqlx::Error::RowNotFound => false,
        _ => true,
    }
}

fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// Whether the group's fence did not hold: its row had no outcome.
fn fenced_off(error: &sqlx::Error) -> bool {
    const NOT_NULL_VIOLATION: &str = "23502";
    database(error).is_some_and(|e| e.code() == NOT_NULL_VIOLATION && e.table() == Some("txn"))
}

/// Whether the group may be sent again as it is: a deadlock with somebody who locks in
/// another order, or a lock that was held for too long.
fn in_the_way(error: &sqlx::Error) -> bool {
    database(error).is_some_and(|e| matches!(e.code(), "40P01" | "40001" | "55P03"))
}
