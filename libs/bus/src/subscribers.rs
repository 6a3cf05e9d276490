//! Who follows what in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::options::SUBSCRIBERS_MAX;
use crate::topic::{Name, Pattern};

/// What one subscriber follows.
#[derive(Debug, Clone)]
pub(crate) struct Follower {
    pub(crate) pattern: Pattern,
    pub(crate) group: Option<Name>,
}

/// The subscribers of this process. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscribers {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    followers: BTreeMap<u64, Follower>,
}

/// A place among the subscribers; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Subscribers,
    number: u64,
}

impl Subscribers {
    pub(crate) fn enter(&self, follower: Follower) -> Result<Place, Error> {
        let mut inner = self.lock();
        if inner.followers.len() >= SUBSCRIBERS_MAX {
            return Err(Error::TooManySubscribers);
        }
        inner.next += 1;
        let number = inner.next;
        inner.followers.insert(number, follower);
        drop(inner);
        Ok(Place {
            of: self.clone(),
            number,
        })
    }

    /// All of them, by number.
    pub(crate) fn all(&self) -> Vec<(u64, Follower)> {
        let inner = self.lock();
        inner
            .followers
            .iter()
            .map(|(n, f)| (*n, f.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.lock().followers.remove(&self.number);
    }
}
