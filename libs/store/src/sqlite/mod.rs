//! All that holds for SQLite alone: connections, texts of statements, codes.

mod batch;
pub(crate) mod cache;
mod connect;
pub(crate) mod dedupe;
pub(crate) mod effect;
mod group;
mod groups;
pub(crate) mod journal;
mod log;
pub(crate) mod meta;
mod sum;
pub(crate) mod workflow;
mod writer;

use crate::error::Severity;
use crate::migration::Migration;

pub(crate) use connect::{VERSION_MIN, readers};
pub(crate) use groups::Groups;
pub(crate) use writer::Writer;

const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// The steps of a set of tables.
pub(crate) fn migrations(set: &str) -> Option<&'static [Migration]> {
    match set {
        journal::SET => Some(journal::MIGRATIONS),
        workflow::SET => Some(workflow::MIGRATIONS),
        effect::SET => Some(effect::MIGRATIONS),
        _ => None,
    }
}

pub(crate) fn severity(code: Option<&str>) -> Severity {
    // The low byte is the code, the rest says more about it.
    match code.and_then(|c| c.parse::<i32>().ok()).map(|c| c & 0xff) {
        Some(SQLITE_FULL) => Severity::Full,
        Some(SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB) => Severity::Fatal,
        _ => Severity::Statement,
    }
}
