//! Time and chance, behind traits, so that what depends on them can be simulated.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use rustix::time::{ClockId, clock_gettime};

/// What time it is, and waiting.
pub trait Clock: Debug + Send + Sync {
    /// Milliseconds since 1970, UTC.
    fn now_ms(&self) -> i64;

    /// Microseconds since some instant of this process; never goes back.
    fn monotonic_us(&self) -> u64;

    /// Milliseconds since some instant; never goes back, and goes on while the machine
    /// sleeps. Leases are measured by it.
    fn boot_ms(&self) -> i64 {
        i64::try_from(self.monotonic_us() / 1_000).unwrap_or(i64::MAX)
    }

    /// Ends after at least this time.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// Chance.
pub trait Rng: Debug + Send + Sync {
    /// A number from 0 up to, not including, 1.
    fn fraction(&self) -> f64;

    /// Any number.
    fn number(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn boot_ms(&self) -> i64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec
            .saturating_mul(1_000)
            .saturating_add(time.tv_nsec / 1_000_000)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// A fast generator, seeded by the system. Not for secrets.
#[derive(Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fraction(&self) -> f64 {
        fastrand::f64()
    }

    fn number(&self) -> u64 {
        fastrand::u64(..)
    }
}
