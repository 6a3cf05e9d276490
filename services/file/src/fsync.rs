//! Bringing what was written to the disk, and counting how often.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

/// Brings files and folders to the disk and counts the waits: they are what a
/// write costs. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Fsyncs {
    count: Arc<AtomicU64>,
}

impl Fsyncs {
    /// Brings one file, or the names in one folder, to the disk.
    pub(crate) fn sync(&self, fd: impl AsFd) -> Result<(), Errno> {
        self.count.fetch_add(1, Ordering::Relaxed);
        rustix::fs::fsync(fd)
    }

    /// Brings a whole file system to the disk: one wait in place of one per file.
    pub(crate) fn sync_all(&self, fd: impl AsFd) -> Result<(), Errno> {
        self.count.fetch_add(1, Ordering::Relaxed);
        rustix::fs::syncfs(fd)
    }

    /// How often the engine waited for the disk.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
