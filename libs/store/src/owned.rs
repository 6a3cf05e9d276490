//! Which shards this instance owns, and under which epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::run_id::Shard;

/// Shards of a store; fixed, because a run's id carries its shard in 8 bits.
pub const SHARDS: usize = 256;

/// The shards that this instance owns, each with the epoch under which it was
/// acquired. A cheap handle: who holds the leases fills it, the journal reads it.
///
/// It is never trusted alone: every group commit checks the epochs in the store.
#[derive(Debug, Clone)]
pub struct Owned(Arc<watch::Sender<BTreeMap<Shard, i64>>>);

impl Default for Owned {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Owned {
    /// No shard.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every shard, all under one epoch: for a process that is alone.
    #[must_use]
    pub fn all(epoch: i64) -> Self {
        Self::from_iter((0..=Shard::MAX).map(|shard| (shard, epoch)))
    }

    /// The epoch under which a shard is owned; None when it is not.
    #[must_use]
    pub fn epoch(&self, shard: Shard) -> Option<i64> {
        self.0.borrow().get(&shard).copied()
    }

    /// The owned shards, in their order.
    #[must_use]
    pub fn shards(&self) -> Vec<Shard> {
        self.0.borrow().keys().copied().collect()
    }

    /// Notes that a shard was acquired.
    pub fn insert(&self, shard: Shard, epoch: i64) {
        self.0
            .send_if_modified(|owned| owned.insert(shard, epoch) != Some(epoch));
    }

    /// Notes that a shard is not owned any more.
    pub fn remove(&self, shard: Shard) {
        self.0
            .send_if_modified(|owned| owned.remove(&shard).is_some());
    }

    /// As [`Owned::remove`], unless the shard was acquired anew since `epoch`: word of
    /// a loss may come late.
    pub fn lose(&self, shard: Shard, epoch: i64) {
        self.0.send_if_modified(|owned| {
            let stale = owned.get(&shard) == Some(&epoch);
            if stale {
                owned.remove(&shard);
            }
            stale
        });
    }

    /// Forgets all shards: the store is not the one in which they were acquired.
    pub fn clear(&self) {
        self.0.send_if_modified(|owned| {
            let held = !owned.is_empty();
            owned.clear();
            held
        });
    }

    /// Shards and epochs now and with each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<Shard, i64>> {
        self.0.subscribe()
    }
}

impl FromIterator<(Shard, i64)> for Owned {
    fn from_iter<T: IntoIterator<Item = (Shard, i64)>>(shards: T) -> Self {
        Self(Arc::new(watch::Sender::new(shards.into_iter().collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_word_of_a_loss_takes_no_shard_that_was_acquired_anew() {
        let owned = Owned::none();
        owned.insert(3, 7);
        owned.insert(3, 9);
        owned.lose(3, 7);
        assert_eq!(owned.epoch(3), Some(9));
        owned.lose(3, 9);
        assert_eq!(owned.epoch(3), None);
    }

    #[test]
    fn watchers_hear_of_changes_alone() {
        let owned = Owned::all(1);
        let mut watch = owned.watch();
        owned.insert(0, 1);
        owned.lose(0, 2);
        assert!(!watch.has_changed().unwrap());
        owned.remove(0);
        assert!(watch.has_changed().unwrap());
        assert_eq!(watch.borrow_and_update().len(), SHARDS - 1);
        owned.clear();
        assert!(watch.has_changed().unwrap());
        assert_eq!(owned.shards(), [0; 0]);
    }
}
