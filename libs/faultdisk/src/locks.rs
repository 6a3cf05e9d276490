//! SQLite's two kinds of locks, between the connections of this process.

use std::collections::HashMap;

use libsqlite3_sys::{
    SQLITE_LOCK_EXCLUSIVE, SQLITE_LOCK_NONE, SQLITE_LOCK_PENDING, SQLITE_LOCK_RESERVED,
    SQLITE_LOCK_SHARED,
};

/// Who asks: each open file has a number of its own.
pub(crate) type Holder = u64;

/// Somebody else holds what does not go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The levels that connections hold on a file.
#[derive(Debug, Default)]
pub(crate) struct FileLocks(HashMap<Holder, i32>);

impl FileLocks {
    pub(crate) fn lock(&mut self, holder: Holder, level: i32) -> Result<(), Busy> {
        if self.level(holder) >= level {
            return Ok(());
        }
        let others = self.0.iter().filter(|(other, _)| **other != holder);
        let highest = others
            .map(|(_, level)| *level)
            .max()
            .unwrap_or(SQLITE_LOCK_NONE);
        let free = match level {
            SQLITE_LOCK_SHARED => highest < SQLITE_LOCK_PENDING,
            SQLITE_LOCK_RESERVED => highest < SQLITE_LOCK_RESERVED,
            _ => highest < SQLITE_LOCK_SHARED,
        };
        if free {
            self.0.insert(holder, level);
            return Ok(());
        }
        // Who waits for the readers to go lets no new ones in.
        if level == SQLITE_LOCK_EXCLUSIVE && highest == SQLITE_LOCK_SHARED {
            self.0.insert(holder, SQLITE_LOCK_PENDING);
        }
        Err(Busy)
    }

    pub(crate) fn unlock(&mut self, holder: Holder, level: i32) {
        if level == SQLITE_LOCK_NONE {
            self.0.remove(&holder);
        } else if self.level(holder) > level {
            self.0.insert(holder, level);
        }
    }

    /// Whether somebody is about to write.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0.values().any(|level| *level >= SQLITE_LOCK_RESERVED)
    }

    fn level(&self, holder: Holder) -> i32 {
        self.0.get(&holder).copied().unwrap_or(SQLITE_LOCK_NONE)
    }
}

/// The places of the log's index that connections hold, as bits.
#[derive(Debug, Default)]
pub(crate) struct IndexLocks(HashMap<Holder, Places>);

#[derive(Debug, Default, Clone, Copy)]
struct Places {
    shared: u32,
    exclusive: u32,
}

impl IndexLocks {
    pub(crate) fn share(&mut self, holder: Holder, places: u32) -> Result<(), Busy> {
        if self.others(holder).any(|p| p.exclusive & places != 0) {
            return Err(Busy);
        }
        self.0.entry(holder).or_default().shared |= places;
        Ok(())
    }

    pub(crate) fn exclude(&mut self, holder: Holder, places: u32) -> Result<(), Busy> {
        if self
            .others(holder)
            .any(|p| (p.exclusive | p.shared) & places != 0)
        {
            return Err(Busy);
        }
        self.0.entry(holder).or_default().exclusive |= places;
        Ok(())
    }

    pub(crate) fn release(&mut self, holder: Holder, places: u32) {
        if let Some(held) = self.0.get_mut(&holder) {
            held.shared &= !places;
            held.exclusive &= !places;
        }
    }

    pub(crate) fn leave(&mut self, holder: Holder) {
        self.0.remove(&holder);
    }

    fn others(&self, holder: Holder) -> impl Iterator<Item = &Places> {
        let others = self.0.iter().filter(move |(other, _)| **other != holder);
        others.map(|(_, places)| places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer_waits_for_readers_and_lets_no_new_ones_in() {
        let mut locks = FileLocks::default();
        locks.lock(1, SQLITE_LOCK_SHARED).unwrap();
        locks.lock(2, SQLITE_LOCK_SHARED).unwrap();
        locks.lock(2, SQLITE_LOCK_RESERVED).unwrap();
        assert_eq!(locks.lock(1, SQLITE_LOCK_RESERVED), Err(Busy));
        assert!(locks.is_reserved());
        assert_eq!(locks.lock(2, SQLITE_LOCK_EXCLUSIVE), Err(Busy));
        assert_eq!(locks.lock(3, SQLITE_LOCK_SHARED), Err(Busy));
        locks.unlock(1, SQLITE_LOCK_NONE);
        locks.lock(2, SQLITE_LOCK_EXCLUSIVE).unwrap();
        locks.unlock(2, SQLITE_LOCK_SHARED);
        assert!(!locks.is_reserved());
        locks.lock(3, SQLITE_LOCK_SHARED).unwrap();
    }

    #[test]
    fn places_are_shared_or_held_alone() {
        let mut locks = IndexLocks::default();
        locks.share(1, 0b10).unwrap();
        locks.share(2, 0b10).unwrap();
        assert_eq!(locks.exclude(1, 0b11), Err(Busy));
        locks.release(2, 0b10);
        locks.exclude(1, 0b11).unwrap();
        assert_eq!(locks.share(2, 0b01), Err(Busy));
        locks.leave(1);
        locks.share(2, 0b01).unwrap();
    }
}
