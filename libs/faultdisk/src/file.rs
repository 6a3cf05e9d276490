//! An open file: what SQLite asks of it, in SQLite's codes.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, PoisonError};

use libsqlite3_sys::{
    SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_DELETE, SQLITE_IOERR_DELETE_NOENT,
    SQLITE_IOERR_FSTAT, SQLITE_IOERR_FSYNC, SQLITE_IOERR_LOCK, SQLITE_IOERR_READ,
    SQLITE_IOERR_SHMLOCK, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ,
    SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE, SQLITE_LOCK_NONE, SQLITE_OK, SQLITE_SHM_LOCK,
    SQLITE_SHM_SHARED,
};

use crate::disk::{Shared, State, Verdict};
use crate::fault::{Failure, Operation};
use crate::locks::Holder;
use crate::memory::Index;
use crate::node::{Kind, Node};

/// An open file.
#[derive(Debug)]
pub(crate) struct Open {
    disk: Arc<Shared>,
    /// How often the disk had started when it was opened.
    generation: u64,
    node: u64,
    holder: Holder,
    index: Option<Arc<Index>>,
}

impl Open {
    pub(crate) fn new(disk: Arc<Shared>, generation: u64, node: u64, holder: Holder) -> Self {
        Self {
            disk,
            generation,
            node,
            holder,
            index: None,
        }
    }

    /// Does something with the file; answers `off` when the power is gone.
    fn with(&self, off: c_int, f: impl FnOnce(&mut State, Kind) -> c_int) -> c_int {
        let mut state = self.disk.state();
        if state.alive(self.generation).is_err() {
            return off;
        }
        match state.nodes.get(&self.node).map(|n| n.kind) {
            Some(kind) => f(&mut state, kind),
            None => off,
        }
    }

    fn with_node(&self, off: c_int, f: impl FnOnce(&mut Node) -> c_int) -> c_int {
        self.with(off, |state, _| {
            state.nodes.get_mut(&self.node).map_or(off, f)
        })
    }

    pub(crate) fn read(&self, into: &mut [u8], at: usize) -> c_int {
        self.with_node(SQLITE_IOERR_READ, |node| {
            let bytes = node.image.now().get(at..).unwrap_or_default();
            let there = bytes.len().min(into.len());
            into[..there].copy_from_slice(&bytes[..there]);
            into[there..].fill(0);
            if there < into.len() {
                return SQLITE_IOERR_SHORT_READ;
            }
            SQLITE_OK
        })
    }

    pub(crate) fn write(&self, bytes: &[u8], at: usize) -> c_int {
        self.with(SQLITE_IOERR_WRITE, |state, kind| {
            let verdict = state.enter(kind, Operation::Write);
            let State {
                nodes, rng, sector, ..
            } = state;
            let Some(node) = nodes.get_mut(&self.node) else {
                return SQLITE_IOERR_WRITE;
            };
            let Verdict::Fail(failure) = verdict else {
                node.image.write(at, bytes);
                return code(verdict, SQLITE_IOERR_WRITE);
            };
            // Some of it was written before there was an error.
            let sectors = bytes.len() / *sector;
            let part = rng.usize(..=sectors) * *sector;
            if part > 0 && part < bytes.len() {
                node.image.write(at, &bytes[..part]);
            }
            match failure {
                Failure::Full => SQLITE_FULL,
                _ => SQLITE_IOERR_WRITE,
            }
        })
    }

    pub(crate) fn truncate(&self, length: usize) -> c_int {
        self.with(SQLITE_IOERR_TRUNCATE, |state, kind| {
            let verdict = state.enter(kind, Operation::Truncate);
            if let Some(node) = state.nodes.get_mut(&self.node)
                && (verdict == Verdict::Go || verdict == Verdict::Cut)
            {
                node.image.set_length(length);
            }
            code(verdict, SQLITE_IOERR_TRUNCATE)
        })
    }

    pub(crate) fn sync(&self) -> c_int {
        self.with(SQLITE_IOERR_FSYNC, |state, kind| {
            let verdict = state.enter(kind, Operation::Sync);
            let State {
                nodes, rng, sector, ..
            } = &mut *state;
            let Some(node) = nodes.get_mut(&self.node) else {
                return SQLITE_IOERR_FSYNC;
            };
            match verdict {
                Verdict::Go => {
                    node.image.sync();
                    if std::mem::take(&mut node.names_on_sync) {
                        state.sync_names();
                    }
                }
                Verdict::Fail(Failure::Io | Failure::Full) => node.image.sync_failed(*sector, rng),
                Verdict::Fail(Failure::Lie) | Verdict::Cut => {}
            }
            code(verdict, SQLITE_IOERR_FSYNC)
        })
    }

    /// The length; none when the power is gone.
    pub(crate) fn length(&self) -> Result<usize, c_int> {
        let mut length = 0;
        match self.with_node(SQLITE_IOERR_FSTAT, |node| {
            length = node.image.now().len();
            SQLITE_OK
        }) {
            SQLITE_OK => Ok(length),
            code => Err(code),
        }
    }

    pub(crate) fn lock(&self, level: c_int) -> c_int {
        self.with_node(SQLITE_IOERR_LOCK, |node| {
            busy(node.locks.lock(self.holder, level))
        })
    }

    pub(crate) fn unlock(&self, level: c_int) -> c_int {
        self.with_node(SQLITE_OK, |node| {
            node.locks.unlock(self.holder, level);
            SQLITE_OK
        })
    }

    pub(crate) fn is_reserved(&self) -> bool {
        let mut reserved = false;
        self.with_node(SQLITE_OK, |node| {
            reserved = node.locks.is_reserved();
            SQLITE_OK
        });
        reserved
    }

    /// The address of a region of the log's index.
    pub(crate) fn map(
        &mut self,
        number: usize,
        bytes: usize,
        make: bool,
    ) -> Result<Option<*mut c_void>, c_int> {
        let index = match &self.index {
            Some(index) => index.clone(),
            None => {
                let mut found = None;
                let code = self.with_node(SQLITE_IOERR_SHMMAP, |node| {
                    found = Some(node.index());
                    SQLITE_OK
                });
                match found {
                    Some(index) => self.index.insert(index).clone(),
                    None => return Err(code),
                }
            }
        };
        // On a real disk the index is a file as well, that must grow.
        let code = self.with(SQLITE_IOERR_SHMMAP, |state, _| {
            if make && state.is_full() && !index.has(number) {
                return SQLITE_IOERR_SHMSIZE;
            }
            SQLITE_OK
        });
        match code {
            SQLITE_OK => Ok(index.region(number, bytes, make)),
            code => Err(code),
        }
    }

    pub(crate) fn lock_index(&self, first: usize, count: usize, flags: c_int) -> c_int {
        let Some(index) = &self.index else {
            return SQLITE_IOERR_SHMLOCK;
        };
        let places = ((1_u32 << count) - 1) << first;
        let mut locks = index.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if flags & SQLITE_SHM_LOCK == 0 {
            locks.release(self.holder, places);
            SQLITE_OK
        } else if flags & SQLITE_SHM_SHARED != 0 {
            busy(locks.share(self.holder, places))
        } else {
            busy(locks.exclude(self.holder, places))
        }
    }

    pub(crate) fn barrier(&self) {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn unmap(&mut self) {
        if let Some(index) = self.index.take() {
            let mut locks = index.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.leave(self.holder);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.unmap();
        self.unlock(SQLITE_LOCK_NONE);
    }
}

/// Takes a file's name away; `sync` flushes the folder.
pub(crate) fn delete(disk: &Shared, name: &str, sync: bool) -> c_int {
    let mut state = disk.state();
    if state.on().is_err() {
        return SQLITE_IOERR_DELETE;
    }
    if state.find(&disk.folder, name).is_none() {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    let verdict = state.enter(Kind::of(name), Operation::Delete);
    if verdict == Verdict::Go || verdict == Verdict::Cut {
        state.remove(&disk.folder, name);
    }
    if verdict == Verdict::Go && sync {
        state.sync_names();
    }
    code(verdict, SQLITE_IOERR_DELETE)
}

/// Whether there is a file, as SQLite asks: an empty one is none.
pub(crate) fn exists(disk: &Shared, name: &str, empty_too: bool) -> Result<bool, c_int> {
    let mut state = disk.state();
    if state.on().is_err() {
        return Err(SQLITE_IOERR);
    }
    let node = state.find(&disk.folder, name);
    let node = node.and_then(|node| state.nodes.get(&node));
    Ok(node.is_some_and(|node| empty_too || !node.image.now().is_empty()))
}

/// The code of an operation that was done, or not.
fn code(verdict: Verdict, error: c_int) -> c_int {
    match verdict {
        Verdict::Go | Verdict::Fail(Failure::Lie) => SQLITE_OK,
        Verdict::Cut | Verdict::Fail(_) => error,
    }
}

fn busy(result: Result<(), crate::locks::Busy>) -> c_int {
    match result {
        Ok(()) => SQLITE_OK,
        Err(crate::locks::Busy) => SQLITE_BUSY,
    }
}
