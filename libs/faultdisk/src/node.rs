//! A file of the disk.

use std::sync::{Arc, Weak};

use crate::fault::Operation;
use crate::image::Image;
use crate::locks::FileLocks;
use crate::memory::Index;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The database.
    Database,
    /// Its write-ahead log.
    Log,
    /// Its rollback journal.
    Journal,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        if name.ends_with("-wal") {
            Self::Log
        } else if name.ends_with("-journal") {
            Self::Journal
        } else {
            Self::Database
        }
    }

    /// Its name, as reports show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Log => "log",
            Self::Journal => "journal",
        }
    }
}

/// Where something went wrong: the phase that the test named, the file, the operation.
pub type Site = (&'static str, Kind, Operation);

/// A file.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) image: Image,
    /// Whether the folder on the disk is sure to name it.
    pub(crate) named: bool,
    /// Whether its first flush flushes the folder as well: SQLite does so for what it makes
    /// beside a database.
    pub(crate) names_on_sync: bool,
    pub(crate) locks: FileLocks,
    index: Weak<Index>,
}

impl Node {
    pub(crate) fn new(name: &str, bytes: Vec<u8>, named: bool) -> Self {
        Self {
            kind: Kind::of(name),
            image: Image::durable(bytes),
            named,
            names_on_sync: false,
            locks: FileLocks::default(),
            index: Weak::new(),
        }
    }

    /// The log's index, made anew when nobody uses one.
    pub(crate) fn index(&mut self) -> Arc<Index> {
        if let Some(index) = self.index.upgrade() {
            return index;
        }
        let index = Arc::new(Index::default());
        self.index = Arc::downgrade(&index);
        index
    }

    /// Nobody uses it any more.
    pub(crate) fn let_go(&mut self) {
        self.locks = FileLocks::default();
        self.index = Weak::new();
    }
}
