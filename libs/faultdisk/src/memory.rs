//! The memory that connections share: the index of the log.

use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use crate::locks::IndexLocks;

/// The log's index. Freed with its last user, so that whoever comes then finds none.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Each at one place for as long as the index lives: connections keep pointers into them.
    /// They are SQLite's alone; nothing here reads or writes them.
    regions: Mutex<Vec<Box<[u64]>>>,
    pub(crate) locks: Mutex<IndexLocks>,
}

impl Index {
    /// The address of a region; none where it is not there and not to be made.
    pub(crate) fn region(&self, number: usize, bytes: usize, make: bool) -> Option<*mut c_void> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if make {
            while regions.len() <= number {
                regions.push(vec![0; bytes / size_of::<u64>()].into_boxed_slice());
            }
        }
        regions
            .get_mut(number)
            .map(|region| region.as_mut_ptr().cast())
    }

    /// Whether the region is there.
    pub(crate) fn has(&self, number: usize) -> bool {
        let regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        number < regions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_stay_where_they_are() {
        let index = Index::default();
        assert_eq!(index.region(0, 64, false), None);
        let first = index.region(0, 64, true);
        assert!(first.is_some());
        index.region(9, 64, true);
        assert_eq!(index.region(0, 64, false), first);
        assert!(index.has(9) && !index.has(10));
    }
}
