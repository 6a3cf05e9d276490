//! Places of concurrency keys: how many runs with one key go at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gearmesh_store::RunId;

/// Who has a place, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Places {
    keys: Mutex<HashMap<String, Key>>,
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

/// Whether a run got a place at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    /// It may begin.
    Place,
    /// These have the places.
    Taken(Vec<RunId>),
}

impl Places {
    /// Takes a place, unless there is none or others wait for one already.
    pub(crate) fn take(&self, key: &str, limit: u32, run: RunId) -> Got {
        let mut keys = self.lock();
        let known = keys.entry(key.to_owned()).or_default();
        known.limit = limit;
        if known.holders.contains(&run) {
            return Got::Place;
        }
        let full = known.holders.len() >= limit as usize;
        if full || !known.waiting.is_empty() {
            return Got::Taken(known.holders.clone());
        }
        known.holders.push(run);
        Got::Place
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

    /// Notes that a run waits for a place, while its family holds these keys.
    pub(crate) fn queue(
        &self,
        key: &str,
        limit: u32,
        priority: u32,
        run: RunId,
        held: Vec<String>,
    ) {
        let mut keys = self.lock();
        let known = keys.entry(key.to_owned()).or_default();
        known.limit = limit;
        known.waiting.insert((std::cmp::Reverse(priority), run));
        known.held.insert(run, held);
    }

    /// The key by which a wait would never end: whoever waits for `key` and holds `held`
    /// would wait for somebody who waits, maybe over others, for one of `held`.
    pub(crate) fn cycle(&self, key: &str, held: &[String]) -> Option<String> {
        let keys = self.lock();
        let mut seen = BTreeSet::from([key.to_owned()]);
        let mut next = vec![key.to_owned()];
        while let Some(at) = next.pop() {
            if held.contains(&at) {
                return Some(at);
            }
            // Whoever has `at` may be waiting for another key.
            for (other, known) in keys.iter() {
                let waits = known.held.values().any(|held| held.contains(&at));
                if waits && seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        None
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
        let next = known.admit();
        if known.holders.is_empty() && known.waiting.is_empty() {
            keys.remove(key);
        }
        next
    }

    /// The runs that wait and find a place: at a start, once all that have one are known.
    pub(crate) fn admit_all(&self) -> Vec<RunId> {
        let mut keys = self.lock();
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
    fn admit(&mut self) -> Vec<RunId> {
        let mut admitted = Vec::new();
        while self.holders.len() < self.limit.max(1) as usize
            && let Some((_, run)) = self.waiting.pop_first()
        {
            self.held.remove(&run);
            self.holders.push(run);
            admitted.push(run);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: RunId) -> RunId {
        n
    }

    #[test]
    fn wait_that_would_never_end_is_seen() {
        // WF-2.14, WF-9.19
        let places = Places::default();
        let held = |key: &str| vec![key.to_owned()];
        places.hold("x", 1, id(1));
        places.hold("y", 1, id(2));
        assert_eq!(places.cycle("y", &held("x")), None);
        // A child of 1 waits for y; now a child of 2 must not wait for x.
        places.queue("y", 1, 5, id(3), held("x"));
        assert_eq!(places.cycle("x", &held("y")).as_deref(), Some("y"));
        assert_eq!(places.cycle("z", &held("y")), None);
        places.leave("y", id(3));
        assert_eq!(places.cycle("x", &held("y")), None);
    }

    #[test]
    fn places_are_given_by_priority_then_age() {
        let places = Places::default();
        assert_eq!(places.take("k", 1, id(1)), Got::Place);
        assert_eq!(places.take("k", 1, id(1)), Got::Place, "again the same");
        assert_eq!(places.take("k", 1, id(2)), Got::Taken(vec![id(1)]));
        assert_eq!(places.take("other", 1, id(2)), Got::Place);
        places.queue("k", 1, 5, id(3), Vec::new());
        places.queue("k", 1, 5, id(2), Vec::new());
        places.queue("k", 1, 9, id(4), Vec::new());
        assert_eq!(places.leave("k", id(1)), [id(4)]);
        assert!(places.leave("k", id(3)).is_empty(), "waits no more");
        assert_eq!(places.leave("k", id(4)), [id(2)]);
        assert!(places.leave("k", id(2)).is_empty());
        assert_eq!(places.take("k", 1, id(5)), Got::Place);
    }

    #[test]
    fn nobody_overtakes_those_who_wait() {
        let places = Places::default();
        places.hold("k", 2, id(1));
        places.queue("k", 2, 5, id(2), Vec::new());
        assert_eq!(places.take("k", 2, id(3)), Got::Taken(vec![id(1)]));
        assert_eq!(places.admit_all(), [id(2)]);
        assert_eq!(places.holders("k"), [id(1), id(2)]);
    }
}
