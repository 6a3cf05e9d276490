//! The time that a call has.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::Clock;

use crate::error::Error;

/// Wait between two looks at a page that is not there yet: shorter than people
/// notice, long enough not to keep the page from its own work.
const LOOK: Duration = Duration::from_millis(50);

/// A point in time until which something must be done.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    clock: Arc<dyn Clock>,
    until_us: u64,
    /// As it was given, for the error.
    pub(crate) time: Duration,
}

impl Limit {
    pub(crate) fn new(clock: &Arc<dyn Clock>, time: Duration) -> Self {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            clock: clock.clone(),
            until_us: clock.monotonic_us().saturating_add(us),
            time,
        }
    }

    /// The same length of time, from now on.
    pub(crate) fn again(&self) -> Self {
        Self::new(&self.clock, self.time)
    }

    pub(crate) fn left(&self) -> Duration {
        Duration::from_micros(self.until_us.saturating_sub(self.clock.monotonic_us()))
    }

    pub(crate) fn over(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits a moment before the next look.
    pub(crate) async fn look(&self) {
        self.clock.sleep(LOOK.min(self.left())).await;
    }

    pub(crate) async fn pause(&self, time: Duration) {
        self.clock.sleep(time.min(self.left())).await;
    }

    /// Ends with `work`, or with [`Error::Timeout`] when the time is over.
    pub(crate) async fn within<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            done = work => done,
            () = self.clock.sleep(self.left()) => Err(Error::Timeout { what, limit: self.time }),
        }
    }
}
