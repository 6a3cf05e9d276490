//! Places of concurrency keys: how many runs with one key go at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gearmesh_store::RunId;

/// Who has a place, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Places {
    keys: Mutex<HashMap<String, Key>>,
    /// Whether all that had a place before the start of this process are known: before
    /// that nobody gets one.
    complete: AtomicBool,
}

#[derive(Debug, Default)]
struct Key {
    limit: u32,
    holders: Vec<RunId>,
    /// Higher priority first, then the older run.
    waiting: BTreeSet<(std::cmp::Reverse<u32>, RunId)>,
    /// Keys that the families of those who wait hold meanwhile.
    held: HashMap<RunId, Vec<String>>,
}

/// What a run wants of a key.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) run: RunId,
    pub(crate) limit: u32,
    pub(crate) priority: u32,
    /// Keys that its family holds meanwhile.
    pub(crate) held: Vec<String>,
    /// Whether it waits when there is no place.
    pub(crate) queues: bool,
}

/// What a run got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    /// It may begin.
    Place,
    /// It waits, behind those that have the places.
    Queued(Vec<RunId>),
    /// There is no place, and it does not wait.
    Taken,
    /// It holds this key, and would wait for somebody who may wait for that.
    Cycle(String),
}

impl Places {
    /// Takes a place, else a place in the queue: under one lock, so that nobody who leaves
    /// meanwhile is missed.
    pub(crate) fn enter(&self, key: &str, wish: Wish) -> Got {
        let mut keys = self.lock();
        let known = keys.entry(key.to_owned()).or_default();
        known.limit = wish.limit;
        if known.holders.contains(&wish.run) {
            return Got::Place;
        }
        if known.has_room() && known.waiting.is_empty() {
            known.holders.push(wish.run);
            return Got::Place;
        }
        let holders = known.holders.clone();
        if !wish.queues {
            return Got::Taken;
        }
        if let Some(held) = cycle(&keys, key, &wish.held) {
            return Got::Cycle(held);
        }
        keys.entry(key.to_owned()).or_default().queue(wish);
        Got::Queued(holders)
    }

    /// Notes that a run has a place: of a run that is taken up again, which had one.
    pub(crate) fn hold(&self, key: &str, limit: u32, run: RunId) {
        let mut keys = self.lock();
        let known = keys.entry(key.to_owned()).or_default();
        known.limit = limit;
        if !known.holders.contains(&run) {
            known.holders.push(run);
        }
    }

    /// Notes that a run waits for a place: of a run that is taken up again, which did.
    pub(crate) fn queue(&self, key: &str, wish: Wish) {
        let mut keys = self.lock();
        let known = keys.entry(key.to_owned()).or_default();
        known.limit = wish.limit;
        known.queue(wish);
    }

    /// A run has ended, or waits no more. The runs that get a place by that.
    pub(crate) fn leave(&self, key: &str, run: RunId) -> Vec<RunId> {
        let mut keys = self.lock();
        let Some(known) = keys.get_mut(key) else {
            return Vec::new();
        };
        known.holders.retain(|holder| *holder != run);
        known.waiting.retain(|(_, waiting)| *waiting != run);
        known.held.remove(&run);
        let next = if self.complete.load(Ordering::SeqCst) {
            known.admit()
        } else {
            Vec::new()
        };
        if known.holders.is_empty() && known.waiting.is_empty() {
            keys.remove(key);
        }
        next
    }

    /// The runs that wait and find a place: at a start, once all that have one are known.
    pub(crate) fn admit_all(&self) -> Vec<RunId> {
        let mut keys = self.lock();
        self.complete.store(true, Ordering::SeqCst);
        keys.values_mut().flat_map(Key::admit).collect()
    }

    /// Whether a run has a place.
    pub(crate) fn holds(&self, run: RunId) -> bool {
        self.lock().values().any(|k| k.holders.contains(&run))
    }

    /// Who has the places of a key, for those who ask why a run waits.
    pub(crate) fn holders(&self, key: &str) -> Vec<RunId> {
        let keys = self.lock();
        keys.get(key).map_or_else(Vec::new, |k| k.holders.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// Whether one more may have a place: one always may.
    fn has_room(&self) -> bool {
        self.holders.len() < self.limit.max(1) as usize
    }

    fn queue(&mut self, wish: Wish) {
        let order = (std::cmp::Reverse(wish.priority), wish.run);
        self.waiting.insert(order);
        self.held.insert(wish.run, wish.held);
    }

    fn admit(&mut self) -> Vec<RunId> {
        let mut admitted = Vec::new();
        while self.has_room()
            && let Some((_, run)) = self.waiting.pop_first()
        {
            self.held.remove(&run);
            self.holders.push(run);
            admitted.push(run);
        }
        admitted
    }
}

/// The key by which a wait would never end: whoever waits for `key` and holds `held`
/// would wait for somebody who waits, maybe over others, for one of `held`.
fn cycle(keys: &HashMap<String, Key>, key: &str, held: &[String]) -> Option<String> {
    let mut seen = BTreeSet::from([key.to_owned()]);
    let mut next = vec![key.to_owned()];
    while let Some(at) = next.pop() {
        if held.contains(&at) {
            return Some(at);
        }
        // Whoever has `at` may be waiting for another key.
        for (other, known) in keys {
            let waits = known.held.values().any(|held| held.contains(&at));
            if waits && seen.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(run: RunId, priority: u32, held: &[&str]) -> Wish {
        Wish {
            run,
            limit: 1,
            priority,
            held: held.iter().map(|key| (*key).to_owned()).collect(),
            queues: true,
        }
    }

    fn places() -> Places {
        let places = Places::default();
        assert!(places.admit_all().is_empty());
        places
    }

    #[test]
    fn places_are_given_by_priority_then_age() {
        // WF-2.10, WF-2.15
        let places = places();
        assert_eq!(places.enter("k", wish(1, 5, &[])), Got::Place);
        assert_eq!(
            places.enter("k", wish(1, 5, &[])),
            Got::Place,
            "again the same"
        );
        let skips = Wish {
            queues: false,
            ..wish(2, 5, &[])
        };
        assert_eq!(places.enter("k", skips), Got::Taken);
        assert_eq!(places.enter("other", wish(2, 5, &[])), Got::Place);
        assert_eq!(places.enter("k", wish(3, 5, &[])), Got::Queued(vec![1]));
        places.enter("k", wish(2, 5, &[]));
        places.enter("k", wish(4, 9, &[]));
        assert_eq!(places.leave("k", 1), [4]);
        assert!(places.leave("k", 3).is_empty(), "waits no more");
        assert_eq!(places.leave("k", 4), [2]);
        assert!(places.leave("k", 2).is_empty());
        assert_eq!(places.enter("k", wish(5, 5, &[])), Got::Place);
    }

    #[test]
    fn one_may_always_have_a_place() {
        let places = places();
        let none = |run| Wish {
            limit: 0,
            ..wish(run, 5, &[])
        };
        assert_eq!(places.enter("k", none(1)), Got::Place);
        assert_eq!(places.enter("k", none(2)), Got::Queued(vec![1]));
        assert_eq!(places.leave("k", 1), [2]);
    }

    #[test]
    fn nobody_gets_a_place_before_all_that_had_one_are_known() {
        let places = Places::default();
        places.hold("k", 1, 1);
        places.queue("k", wish(2, 5, &[]));
        places.queue("k", wish(3, 5, &[]));
        assert!(places.leave("k", 1).is_empty(), "others may be read yet");
        places.hold("k", 1, 4);
        assert!(places.admit_all().is_empty());
        assert_eq!(places.leave("k", 4), [2]);
        assert_eq!(places.holders("k"), [2]);
    }

    #[test]
    fn wait_that_would_never_end_is_seen() {
        // WF-2.14, WF-9.19
        let places = places();
        places.hold("x", 1, 1);
        places.hold("y", 1, 2);
        // A child of 1 waits for y; now a child of 2 must not wait for x.
        assert_eq!(places.enter("y", wish(3, 5, &["x"])), Got::Queued(vec![2]));
        assert_eq!(
            places.enter("x", wish(4, 5, &["y"])),
            Got::Cycle("y".into())
        );
        places.leave("y", 3);
        assert_eq!(places.enter("x", wish(4, 5, &["y"])), Got::Queued(vec![1]));
    }
}
