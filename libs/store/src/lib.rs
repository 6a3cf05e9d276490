//! What must outlive a process: the journal of runs and the ledger of effects.
//!
//! A store is a folder with one SQLite file per service ([`Store`]). A file has one writer
//! connection, so that nothing waits for a lock that somebody else holds, and a
//! few read-only ones; a lock file keeps a second process out. Whoever needs
//! tables of its own migrates them ([`Store::migrate`]) and writes its SQL over
//! [`Store::write`] and [`Store::read`].
//!
//! Or it is a PostgreSQL server with one schema per service ([`PgStore`]), for journal,
//! ledger and workflows alone: they take either ([`Base`]) and promise the same on both.
//! Several instances share a schema by its shards: each has a journal that writes to the
//! shards in its [`Owned`], and every commit checks in the store that they still are.
//!
//! The [`Journal`] answers only what is on disk. Many callers share one
//! transaction (group commit), because a commit costs a flush of the disk and
//! everything else in it is cheap beside that. The [`Ledger`] remembers per key
//! whether an effect has begun or ended, so that a call that is sent again has
//! no second effect. [`workflow`] holds the files that runs are started from by name,
//! with all their versions.
//!
//! What a backend does differently stands under `sqlite/`; rules and limits
//! stand beside it and hold for every backend.
//!
//! Must not know: what a journal's body means (bytes), protos, services, time
//! (callers bring it; the ledger takes the store's clock).

mod append;
mod base;
mod blob;
mod checksum;
mod committer;
mod counts;
mod error;
mod fault;
mod group;
mod heads;
mod journal;
pub mod lease;
mod ledger;
mod lock;
mod migration;
mod op;
mod options;
mod owned;
mod postgres;
mod run_id;
mod sqlite;
mod store;
mod stored;
mod transaction;
pub mod workflow;

pub use append::{
    Accepted, Append, Dedupe, End, ListRuns, NewRun, OpenRun, RequestKey, Row, RunRow,
};
pub use base::Base;
pub use blob::Blob;
pub use counts::Counts;
pub use error::{Error, Result};
pub use journal::Journal;
pub use ledger::{Begin, Call, Fenced, Ledger};
pub use migration::Migration;
pub use options::{Durability, Options};
pub use owned::{Owned, SHARDS};
pub use postgres::{PgOptions, PgStore};
pub use run_id::{RunId, RunIds, Shard, parse_run, run_text, shard_of};
pub use store::{Reader, Store};
pub use transaction::Transaction;

/// Limits of this crate, in one place for those who check earlier.
pub mod limits {
    pub use crate::append::{BODY_MAX, LIST_MAX, TEXT_MAX};
    pub use crate::committer::GROUP_MAX;
    pub use crate::workflow::SOURCE_MAX;
}

/// The SQL library, in the version of the store.
pub use ::sqlx;
/// The connection that closures of [`Store::write`] get.
pub use ::sqlx::SqliteConnection as Connection;
