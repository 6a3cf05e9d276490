//! The shards whose runs are driven here.
//!
//! With a file as its store a process is alone, and all runs lie in one shard. Where several
//! share a server, each drives the runs of the shards that it owns: it takes them up when it
//! gains a shard, lets what is under way end when it gives one away, and drops all at once
//! what somebody else has taken, since nothing of it can be written any more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use gearmesh_runtime::Context;
use gearmesh_store::{RunId, Shard, shard_of};

use crate::hash::sha256;
use crate::run::places::Places;

/// The shard of all runs where one process has them all.
pub(crate) const ALONE: Shard = 0;

/// A shard that is driven here.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Cancelled when nothing further may begin in it.
    pub(crate) leave: CancellationToken,
    /// Cancelled when nothing of it can be written any more.
    pub(crate) gone: CancellationToken,
    pub(crate) places: Arc<Places>,
    /// Whether the runs that were open have been taken up.
    ready: bool,
}

/// The shards whose runs are driven here.
#[derive(Debug)]
pub(crate) struct Shards {
    shutdown: CancellationToken,
    shared: bool,
    held: Mutex<BTreeMap<Shard, Held>>,
    /// Rises with each change.
    changes: watch::Sender<u64>,
    turn: AtomicUsize,
}

impl Shards {
    /// Of a process that is alone: the one shard is here, and not yet ready.
    pub(crate) fn alone(cx: &Context) -> Self {
        let shards = Self::new(cx, false);
        shards.gained(ALONE);
        shards
    }

    /// Of one of several: none is here yet.
    pub(crate) fn shared(cx: &Context) -> Self {
        Self::new(cx, true)
    }

    fn new(cx: &Context, shared: bool) -> Self {
        Self {
            shutdown: cx.shutdown().clone(),
            shared,
            held: Mutex::default(),
            changes: watch::Sender::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether several processes share the store.
    pub(crate) fn are_shared(&self) -> bool {
        self.shared
    }

    /// The shard in which the runs with a concurrency key lie, so that one process decides
    /// who of them goes.
    pub(crate) fn of_key(&self, key: &str) -> Shard {
        if self.shared {
            sha256(key.as_bytes())[0]
        } else {
            ALONE
        }
    }

    /// A shard for a run that may lie in any; none when there is none here yet.
    pub(crate) fn any(&self) -> Option<Shard> {
        let held = self.held();
        let open: Vec<_> = held
            .iter()
            .filter(|(_, held)| held.ready && !held.leave.is_cancelled())
            .map(|(shard, _)| *shard)
            .collect();
        // One that is alone takes runs before it has taken up the old ones.
        if open.is_empty() {
            return held.keys().next().copied().filter(|_| !self.shared);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        open.get(turn % open.len()).copied()
    }

    /// Whether a run may begin in this shard here.
    pub(crate) fn takes(&self, shard: Shard) -> bool {
        let held = self.held();
        let held = held.get(&shard);
        held.is_some_and(|held| !self.shared || !held.leave.is_cancelled())
    }

    /// The shard of a run that is driven elsewhere.
    pub(crate) fn elsewhere(&self, run: RunId) -> Option<Shard> {
        let shard = shard_of(run);
        (self.shared && !self.held().contains_key(&shard)).then_some(shard)
    }

    /// What holds for the runs of this shard; none when they are not driven here.
    pub(crate) fn of(&self, shard: Shard) -> Option<Held> {
        self.held().get(&shard).cloned()
    }

    /// What holds for this run; of one that is not driven here, that it is gone.
    pub(crate) fn of_run(&self, run: RunId) -> Held {
        let shard = if self.shared { shard_of(run) } else { ALONE };
        self.of(shard).unwrap_or_else(|| {
            let held = self.fresh();
            held.leave.cancel();
            held.gone.cancel();
            held
        })
    }

    fn fresh(&self) -> Held {
        Held {
            leave: self.shutdown.child_token(),
            gone: CancellationToken::new(),
            places: Arc::default(),
            ready: false,
        }
    }

    /// A shard is driven here from now on; false when it was already.
    pub(crate) fn gained(&self, shard: Shard) -> bool {
        let fresh = self.fresh();
        let mut held = self.held();
        let new = !held.contains_key(&shard);
        held.entry(shard).or_insert(fresh);
        drop(held);
        self.changed();
        new
    }

    /// The runs of a shard that were open have been taken up.
    pub(crate) fn taken_up(&self, shard: Shard) {
        if let Some(held) = self.held().get_mut(&shard) {
            held.ready = true;
        }
        self.changed();
    }

    /// Nothing further begins in a shard.
    pub(crate) fn leaves(&self, shard: Shard) {
        if let Some(held) = self.held().get(&shard) {
            held.leave.cancel();
        }
        self.changed();
    }

    /// A shard is not driven here any more.
    pub(crate) fn lost(&self, shard: Shard) {
        let lost = self.held().remove(&shard);
        if let Some(held) = lost {
            held.leave.cancel();
            held.gone.cancel();
        }
        self.changed();
    }

    /// Waits until the open runs of a run's shard have been taken up, or the shard is not
    /// here.
    pub(crate) async fn settled(&self, run: RunId) {
        let shard = if self.shared { shard_of(run) } else { ALONE };
        self.settled_in(shard).await;
    }

    /// Waits until the open runs of a shard have been taken up, or the shard is not here.
    pub(crate) async fn settled_in(&self, shard: Shard) {
        self.wait(|held| held.get(&shard).is_none_or(|held| held.ready))
            .await;
    }

    /// Waits until all shards that are here have been taken up.
    pub(crate) async fn all_settled(&self) {
        self.wait(|held| held.values().all(|held| held.ready)).await;
    }

    async fn wait(&self, holds: impl Fn(&BTreeMap<Shard, Held>) -> bool) {
        let mut changes = self.changes.subscribe();
        // The sender lives as long as the shards; who asks first may find it so already.
        let _ = changes.wait_for(|_| holds(&self.held())).await;
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Shard, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
