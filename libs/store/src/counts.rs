//! What a store has cost so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a store has cost since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions that were committed.
    pub commits: u64,
    /// Texts that the store itself sent to the writer, each of one or more
    /// statements; each is a hop to the connection's thread. What an engine runs
    /// inside its own transaction is not seen.
    pub statements: u64,
    /// Flushes of the disk: one per commit and two per checkpoint. Not seen, and
    /// so not counted: those of making a file, the one at each start of a new
    /// log, and that a commit which changed nothing needs none.
    pub fsyncs: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    statements: AtomicU64,
    fsyncs: AtomicU64,
}

impl Counters {
    pub(crate) fn commit(&self, fsyncs: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.fsyncs.fetch_add(fsyncs, Ordering::Relaxed);
    }

    pub(crate) fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fsyncs(&self, count: u64) {
        self.fsyncs.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counts {
        Counts {
            commits: self.commits.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            fsyncs: self.fsyncs.load(Ordering::Relaxed),
        }
    }
}
