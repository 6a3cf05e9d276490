//! One instance, as those who call it see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use gearmesh_registry::Instance;

use crate::Link;
use crate::breaker::{Breaker, Entry};

/// One instance with its link, its breaker, and the calls that it has now.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Instance,
    pub(crate) link: Link,
    pub(crate) breaker: Breaker,
    calls: AtomicUsize,
}

impl Member {
    pub(crate) fn new(instance: Instance, link: Link) -> Self {
        Self {
            instance,
            link,
            breaker: Breaker::default(),
            calls: AtomicUsize::new(0),
        }
    }

    /// Calls under way, streams counted until they end.
    pub(crate) fn busy(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Takes a call, if the breaker lets it.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Option<Lease> {
        let entry = self.breaker.enter(now)?;
        Some(self.lease(entry))
    }

    /// Takes a call past the breaker.
    pub(crate) fn force(self: &Arc<Self>, now: Instant) -> Lease {
        // A forced call sees as well as a probe does.
        let entry = self.breaker.enter(now).unwrap_or(Entry::Forced);
        self.lease(entry)
    }

    fn lease(self: &Arc<Self>, entry: Entry) -> Lease {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Lease {
            member: self.clone(),
            entry,
        }
    }
}

/// A call's place at an instance, until it has ended.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) member: Arc<Member>,
    entry: Entry,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.member.calls.fetch_sub(1, Ordering::Relaxed);
        // Without effect once the breaker has heard how it ended.
        self.member.breaker.left(self.entry, now());
    }
}

/// The time by which breakers, budgets and deadlines are measured.
pub(crate) fn now() -> Instant {
    Instant::now()
}
