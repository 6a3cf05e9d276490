//! Workflows that are kept under their names, with all their versions.
//!
//! A version never changes; a head says which one counts and whether it may be used. Every
//! change names the head as it was seen, so that of two who change at once one must look
//! again. What a file means is not known here: texts and bytes.

mod stored;

use bytes::Bytes;

use crate::append::{BODY_MAX, LIST_MAX, TEXT_MAX, bounded, text};
use crate::base::Base;
use crate::error::Result;
use crate::ledger::{Call, Ledger};
use crate::postgres::workflow as postgres;
use crate::sqlite::workflow as sqlite;

pub(crate) use stored::{Filler, StoredVersion};

/// Largest source of a version, in bytes: as large as a workflow file may be.
pub const SOURCE_MAX: usize = 1 << 20;

/// Most workflows whose sketches one answer holds: they are all compared with a new one.
pub const SKETCHES_MAX: u32 = 10_000;

/// Most bytes of one page, the first entry not counted: an answer fits into a message.
pub const PAGE_BYTES: usize = 8 << 20;

/// Whether a workflow may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It may.
    Enabled,
    /// It may not.
    Disabled,
    /// It may not, and goes for good after a while.
    Deleted,
}

impl State {
    /// The name as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Enabled, Self::Disabled, Self::Deleted]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// Where a workflow stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name; at most [`TEXT_MAX`], as all short texts here.
    pub name: String,
    /// The newest of its versions.
    pub newest: u32,
    /// Whether it may be used.
    pub state: State,
    /// Another one with each change.
    pub etag: String,
    /// When it became as it is; time since 1970.
    pub changed_at_ms: i64,
}

/// A version of a workflow, as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The workflow's name.
    pub name: String,
    /// Its number, from 1.
    pub version: u32,
    /// Hash of its source.
    pub spec_hash: [u8; 32],
    /// The file; at most [`SOURCE_MAX`]. Empty in lists.
    pub source: String,
    /// The file's name.
    pub file_name: String,
    /// How it is written.
    pub dialect: String,
    /// A short text for people.
    pub title: String,
    /// Who stored it.
    pub author: String,
    /// What changed.
    pub comment: String,
    /// The texts that a search looks at, lower case; at most [`SOURCE_MAX`].
    pub words: String,
    /// What lists show of it; only its owner knows how. At most [`BODY_MAX`].
    pub summary: Bytes,
    /// What it is like, for comparisons; only its owner knows how. At most [`TEXT_MAX`].
    pub sketch: Bytes,
    /// When it was stored; time since 1970.
    pub created_at_ms: i64,
}

impl Version {
    fn check(&self) -> Result<()> {
        text("a workflow's name", &self.name, TEXT_MAX)?;
        text("a workflow's source", &self.source, SOURCE_MAX)?;
        text("a file's name", &self.file_name, TEXT_MAX)?;
        text("a dialect's name", &self.dialect, TEXT_MAX)?;
        text("a title", &self.title, SOURCE_MAX)?;
        text("an author's name", &self.author, TEXT_MAX)?;
        text("a comment", &self.comment, SOURCE_MAX)?;
        text("a workflow's words", &self.words, SOURCE_MAX)?;
        bounded("a workflow's summary", self.summary.len(), BODY_MAX)?;
        bounded("a workflow's sketch", self.sketch.len(), TEXT_MAX)
    }

    /// What it takes in a list, without its source.
    pub(crate) fn listed_bytes(&self) -> usize {
        self.title.len() + self.comment.len() + self.words.len() + self.summary.len()
    }
}

/// A change of a workflow.
#[derive(Debug, Clone)]
pub struct Change {
    /// The etag of the head as it was seen; absent: there was none.
    pub before: Option<String>,
    /// The head from now on.
    pub head: Head,
    /// A version to be added: the head's newest.
    pub version: Option<Version>,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is durable.
    Done,
    /// The head is not as it was seen; nothing was changed.
    Stale,
    /// The same call came before; this was the reply.
    Answered(Bytes),
}

/// Which workflows to list.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Only in this state; absent: all that are not deleted.
    pub state: Option<State>,
    /// Only those whose words hold this text.
    pub words: Option<String>,
    /// Only those behind this name: the last one of the page before.
    pub after: Option<String>,
    /// At most so many; 0 and more than [`LIST_MAX`] mean [`LIST_MAX`].
    pub limit: u32,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it holds.
    pub entries: Vec<T>,
    /// Whether there is more behind them.
    pub more: bool,
}

/// The workflows of a store. A cheap handle.
#[derive(Debug, Clone)]
pub struct Workflows {
    base: Base,
}

impl Workflows {
    pub(crate) async fn migrate(base: &Base) -> Result<()> {
        match base {
            Base::Sqlite(store) => store.migrate(sqlite::SET, sqlite::MIGRATIONS).await?,
            Base::Postgres(store) => store.migrate(postgres::SET, postgres::MIGRATIONS).await?,
        }
        // Creations remember the keys of their calls.
        Ledger::open(base.clone()).await?;
        Ok(())
    }

    pub(crate) fn of(base: Base) -> Self {
        Self { base }
    }

    /// Where a workflow stands.
    ///
    /// # Errors
    /// [`Error::DamagedWorkflow`](crate::Error::DamagedWorkflow); as [`Store::read`](crate::Store::read).
    pub async fn head(&self, name: &str) -> Result<Option<Head>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::head(&mut *store.read().await?, name).await,
            Base::Postgres(store) => postgres::head(&mut *store.read().await?, name).await,
        }
    }

    /// A version of a workflow, with its source.
    ///
    /// # Errors
    /// As [`Workflows::head`].
    pub async fn version(&self, name: &str, version: u32) -> Result<Option<Version>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::version(&mut *store.read().await?, name, version).await,
            Base::Postgres(store) => {
                postgres::version(&mut *store.read().await?, name, version).await
            }
        }
    }

    /// Versions of a workflow before `before`, the newest first, without their sources;
    /// at most `limit`, [`LIST_MAX`] and [`PAGE_BYTES`].
    ///
    /// # Errors
    /// As [`Workflows::head`].
    pub async fn versions(
        &self,
        name: &str,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Page<Version>> {
        let limit = limit.clamp(1, LIST_MAX);
        match &self.base {
            Base::Sqlite(store) => {
                sqlite::versions(&mut *store.read().await?, name, before, limit).await
            }
            Base::Postgres(store) => {
                postgres::versions(&mut *store.read().await?, name, before, limit).await
            }
        }
    }

    /// Workflows by name, each with its newest version without the source; at most
    /// [`PAGE_BYTES`]. A damaged one is left out and reported to the log.
    ///
    /// # Errors
    /// As [`Store::read`](crate::Store::read).
    pub async fn list(&self, filter: &List) -> Result<Page<(Head, Version)>> {
        let limit = match filter.limit {
            0 => LIST_MAX,
            n => n.min(LIST_MAX),
        };
        match &self.base {
            Base::Sqlite(store) => sqlite::list(&mut *store.read().await?, filter, limit).await,
            Base::Postgres(store) => postgres::list(&mut *store.read().await?, filter, limit).await,
        }
    }

    /// Names of all that are not deleted, at most [`SKETCHES_MAX`].
    ///
    /// # Errors
    /// As [`Store::read`](crate::Store::read).
    pub async fn names(&self) -> Result<Vec<String>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::names(&mut *store.read().await?, SKETCHES_MAX).await,
            Base::Postgres(store) => postgres::names(&mut *store.read().await?, SKETCHES_MAX).await,
        }
    }

    /// Names and sketches of the newest versions of all that are not deleted, at most
    /// [`SKETCHES_MAX`].
    ///
    /// # Errors
    /// As [`Store::read`](crate::Store::read).
    pub async fn sketches(&self) -> Result<Vec<(String, Bytes)>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::sketches(&mut *store.read().await?, SKETCHES_MAX).await,
            Base::Postgres(store) => {
                postgres::sketches(&mut *store.read().await?, SKETCHES_MAX).await
            }
        }
    }

    /// Makes a change. With a call, the change and the call's key are one transaction: a
    /// repeat is answered with the first reply.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge); of a call, as [`Ledger::begin`]; as
    /// [`Store::write`](crate::Store::write).
    pub async fn change(&self, change: &Change, keyed: Option<(&Call, Bytes)>) -> Result<Changed> {
        if let Some(version) = &change.version {
            version.check()?;
        }
        text("a workflow's name", &change.head.name, TEXT_MAX)?;
        text("an etag", &change.head.etag, TEXT_MAX)?;
        match &self.base {
            Base::Sqlite(store) => sqlite::change_alone(store, change, keyed).await,
            Base::Postgres(store) => postgres::change_alone(store, change, keyed).await,
        }
    }

    /// Forgets at most `max` workflows that were deleted before `before_ms` (time since
    /// 1970), with their versions; answers how many.
    ///
    /// # Errors
    /// As [`Store::write`](crate::Store::write).
    pub async fn purge(&self, before_ms: i64, max: u32) -> Result<u64> {
        match &self.base {
            Base::Sqlite(store) => {
                let purge = async |c: &mut _| sqlite::purge(c, before_ms, max).await;
                store.write(purge).await
            }
            Base::Postgres(store) => postgres::purge(store, before_ms, max).await,
        }
    }
}
