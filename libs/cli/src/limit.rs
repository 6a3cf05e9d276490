//! When a command must have ended.

use std::time::Duration;

use tokio::time::Instant;

/// What `--timeout` says, counted from the start of the command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// The end.
    pub(crate) at: Instant,
    /// How long after the start, for people.
    pub(crate) within: Duration,
}

impl Limit {
    /// The limit of a command that began at an instant; none: it may take any time.
    pub(crate) fn of(begun: Instant, within: Option<Duration>) -> Option<Self> {
        let within = within?;
        // An end beyond what a clock can say is none.
        let at = begun.checked_add(within)?;
        Some(Self { at, within })
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// Ends at the limit; without one never.
pub(crate) async fn reached(limit: Option<Limit>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit.at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_counts_from_the_start_of_the_command() {
        let begun = Instant::now();
        tokio::time::advance(Duration::from_secs(4)).await;
        let limit = Limit::of(begun, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(limit.left(), Duration::from_secs(6));
        reached(Some(limit)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
        assert_eq!(limit.left(), Duration::ZERO);
    }

    #[test]
    fn limit_that_no_clock_reaches_is_none() {
        assert!(Limit::of(Instant::now(), Some(Duration::MAX)).is_none());
        assert!(Limit::of(Instant::now(), None).is_none());
    }
}
