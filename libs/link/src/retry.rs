//! When a call that failed on its way may be sent again.

use std::error::Error as StdError;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Retries that a call earns: with a dead fifth of the instances nothing fails, and
/// with all of them dead the load rises by a fifth, not by a multiple.
pub(crate) const PER_CALL: f64 = 0.2;

/// Retries that a second earns, so that an engine with few calls has some too.
pub(crate) const PER_SECOND: f64 = 3.0;

/// Retries that can be saved up, and that there are at first: those of the calls that
/// are under way when an instance dies.
pub(crate) const SAVED_MAX: f64 = 100.0;

/// How far a call came that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// There was no connection: it surely was not sent.
    NotConnected,
    /// The connection went away before it took the call: it surely was not sent.
    Closed,
    /// The server refused it before it looked at it.
    Refused,
    /// Its deadline ended.
    TimedOut,
    /// It may have been sent.
    Broken,
}

impl Way {
    /// Reads the error of a channel.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            next = cause.source();
            if cause.is::<tonic::ConnectError>() {
                return Self::NotConnected;
            }
            if cause.is::<tonic::TimeoutExpired>() {
                return Self::TimedOut;
            }
            // INVARIANT: hyper cancels only what its connection has not taken yet.
            if cause
                .downcast_ref::<hyper::Error>()
                .is_some_and(hyper::Error::is_canceled)
            {
                return Self::Closed;
            }
            if let Some(h2) = cause.downcast_ref::<h2::Error>() {
                return Self::of_h2(h2);
            }
        }
        Self::Broken
    }

    fn of_h2(error: &h2::Error) -> Self {
        match error.reason() {
            // RFC 9113, 8.7: nothing of a refused stream was processed.
            Some(h2::Reason::REFUSED_STREAM) if error.is_remote() => Self::Refused,
            // RFC 9113, 6.8: only streams above the last one that the server names get
            // this error, and it has processed none of those.
            Some(h2::Reason::NO_ERROR) if error.is_remote() && error.is_go_away() => Self::Closed,
            _ => Self::Broken,
        }
    }

    /// Whether the engine surely has not seen it.
    pub(crate) fn unsent(self) -> bool {
        matches!(self, Self::NotConnected | Self::Closed | Self::Refused)
    }

    /// Whether another send of it costs the engines something.
    pub(crate) fn costs(self) -> bool {
        matches!(self, Self::Broken | Self::Refused)
    }
}

/// How many retries the callers of an engine may still make.
#[derive(Debug)]
pub(crate) struct Budget {
    state: Mutex<Saved>,
}

#[derive(Debug)]
struct Saved {
    tokens: f64,
    at: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            state: Mutex::new(Saved {
                tokens: SAVED_MAX,
                at: None,
            }),
        }
    }
}

impl Budget {
    fn grown(&self, now: Instant) -> MutexGuard<'_, Saved> {
        let mut saved = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = saved.at {
            let seconds = now.saturating_duration_since(at).as_secs_f64();
            saved.tokens = (saved.tokens + seconds * PER_SECOND).min(SAVED_MAX);
        }
        saved.at = Some(now);
        saved
    }

    /// A call has begun.
    pub(crate) fn earn(&self, now: Instant) {
        let mut saved = self.grown(now);
        saved.tokens = (saved.tokens + PER_CALL).min(SAVED_MAX);
    }

    /// Takes one retry, if there is one.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut saved = self.grown(now);
        let enough = saved.tokens >= 1.0;
        if enough {
            saved.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn budget_ends_and_grows_by_calls_and_time() {
        let budget = Budget::default();
        let now = Instant::now();
        let taken = |now| {
            std::iter::repeat_with(|| budget.take(now))
                .take_while(|t| *t)
                .count()
        };
        assert_eq!(taken(now), 100);
        for _ in 0..50 {
            budget.earn(now);
        }
        // 50 x 0.2, in binary fractions a hair less than 10.
        assert!((9..=10).contains(&taken(now)));
        let later = now + Duration::from_secs(4);
        assert!((12..=13).contains(&taken(later)));
        assert_eq!(taken(later + Duration::from_secs(3600)), 100);
    }

    #[test]
    fn causes_tell_how_far_a_call_came() {
        let connect = tonic::ConnectError("refused".into());
        assert_eq!(Way::of(&connect), Way::NotConnected);
        let h2: h2::Error = h2::Reason::REFUSED_STREAM.into();
        assert_eq!(Way::of(&h2), Way::Broken, "refused by ourselves");
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(Way::of(&io), Way::Broken);
        for way in [Way::NotConnected, Way::Closed, Way::Refused] {
            assert!(way.unsent());
        }
        assert!(!Way::Broken.unsent() && !Way::TimedOut.unsent());
    }
}
