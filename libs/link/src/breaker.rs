//! When an instance that does not answer is left alone, and when it is tried again.
//!
//! Closed: calls go. Open: none goes until a period is over. Half-open: one call goes
//! to see; its outcome closes the breaker, or opens it for twice the period. Only the
//! transport counts: an engine that answers with an error is alive.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Exchanges broken in a row after which it opens: one may be a connection that had
/// reached its age. A failed connect opens it at once: nobody is there.
pub(crate) const BROKEN_MAX: u32 = 3;

/// First period: a process that is started anew is back in less.
pub(crate) const PERIOD_FIRST: Duration = Duration::from_millis(500);

/// Longest period: how late an instance that was away for long is seen again.
pub(crate) const PERIOD_MAX: Duration = Duration::from_secs(10);

/// How a call came past the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It was closed.
    Free,
    /// It was half-open: this call is the one that sees.
    Probe,
    /// It was asked by nobody: pinned calls, and those that have no other choice.
    Forced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { broken: u32 },
    Open { until: Instant, period: Duration },
    HalfOpen { period: Duration },
}

/// The breaker of one instance.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::Closed { broken: 0 }),
        }
    }
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call would be let through.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        match *self.state() {
            State::Closed { .. } => true,
            State::Open { until, .. } => until <= now,
            State::HalfOpen { .. } => false,
        }
    }

    /// Lets a call through, or not.
    pub(crate) fn enter(&self, now: Instant) -> Option<Entry> {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Some(Entry::Free),
            State::Open { until, period } if until <= now => {
                *state = State::HalfOpen { period };
                Some(Entry::Probe)
            }
            State::Open { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// It answered.
    pub(crate) fn answered(&self) {
        *self.state() = State::Closed { broken: 0 };
    }

    /// No connection could be made.
    pub(crate) fn unreached(&self, now: Instant) {
        self.open(now);
    }

    /// A connection broke while it owed an answer.
    pub(crate) fn broke(&self, now: Instant) {
        let open = {
            let mut state = self.state();
            match &mut *state {
                State::Closed { broken } => {
                    *broken += 1;
                    *broken >= BROKEN_MAX
                }
                State::HalfOpen { .. } => true,
                State::Open { .. } => false,
            }
        };
        if open {
            self.open(now);
        }
    }

    /// The call that should see was given up before it had seen.
    pub(crate) fn left(&self, entry: Entry, now: Instant) {
        let mut state = self.state();
        if let (Entry::Probe, State::HalfOpen { period }) = (entry, *state) {
            *state = State::Open { until: now, period };
        }
    }

    fn open(&self, now: Instant) {
        let mut state = self.state();
        let period = match *state {
            State::Closed { .. } => PERIOD_FIRST,
            State::HalfOpen { period } => (period * 2).min(PERIOD_MAX),
            // A call that was under way when it opened tells nothing new.
            State::Open { until, .. } if until > now => return,
            State::Open { period, .. } => (period * 2).min(PERIOD_MAX),
        };
        *state = State::Open {
            until: now + period,
            period,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_connect_opens_and_one_probe_closes() {
        let breaker = Breaker::default();
        let start = Instant::now();
        assert_eq!(breaker.enter(start), Some(Entry::Free));
        breaker.unreached(start);
        assert_eq!(breaker.enter(start), None);
        let later = start + PERIOD_FIRST;
        assert!(breaker.admits(later));
        assert_eq!(breaker.enter(later), Some(Entry::Probe));
        assert_eq!(breaker.enter(later), None, "one probe at a time");
        assert!(!breaker.admits(later));
        breaker.answered();
        assert_eq!(breaker.enter(later), Some(Entry::Free));
    }

    #[test]
    fn broken_exchanges_open_only_in_a_row() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 1..BROKEN_MAX {
            breaker.broke(now);
        }
        breaker.answered();
        for _ in 1..BROKEN_MAX {
            breaker.broke(now);
            assert!(breaker.admits(now));
        }
        breaker.broke(now);
        assert!(!breaker.admits(now));
    }

    #[test]
    fn period_doubles_to_its_limit() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        let mut period = PERIOD_FIRST;
        breaker.unreached(now);
        for _ in 0..10 {
            assert_eq!(breaker.enter(now + period - Duration::from_nanos(1)), None);
            now += period;
            assert_eq!(breaker.enter(now), Some(Entry::Probe));
            breaker.unreached(now);
            period = (period * 2).min(PERIOD_MAX);
        }
        assert_eq!(period, PERIOD_MAX);
    }

    #[test]
    fn probe_that_was_given_up_leaves_the_way_to_the_next() {
        let breaker = Breaker::default();
        let now = Instant::now();
        breaker.unreached(now);
        let now = now + PERIOD_FIRST;
        assert_eq!(breaker.enter(now), Some(Entry::Probe));
        breaker.left(Entry::Free, now);
        assert_eq!(breaker.enter(now), None, "another call's leave is no news");
        breaker.left(Entry::Probe, now);
        assert_eq!(breaker.enter(now), Some(Entry::Probe));
    }
}
