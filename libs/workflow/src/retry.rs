//! When a failed attempt is made again.

use std::time::Duration;

/// Longest wait between two attempts, whatever the growth says.
pub const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Most attempts that a file may ask for.
pub const ATTEMPTS_MAX: u32 = 100;

/// Failures that another attempt cannot mend, even where every failure is retried.
const FINAL: [&str; 4] = [
    "VARIABLE_RESOLUTION_ERROR",
    "TOOL_NOT_FOUND",
    "INVALID_PARAMETERS",
    "EXPRESSION_LIMIT",
];

/// How often and when a failed attempt is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The first wait.
    pub delay: Duration,
    /// How waits grow.
    pub backoff: Backoff,
    /// Longest wait.
    pub max_delay: Option<Duration>,
    /// Whether each wait is cut by chance to 50-100 %.
    pub jitter: bool,
    /// Codes that are retried beside the ones that are marked so.
    pub errors: Vec<String>,
    /// Codes that are not retried.
    pub except: Vec<String>,
    /// Whether every failure is retried that another attempt can mend at all.
    pub every_failure: bool,
}

/// How waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    Constant,
    /// By `delay` each time.
    Linear,
    /// Twice as long each time.
    Exponential,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 3,
            delay: Duration::from_secs(1),
            backoff: Backoff::Exponential,
            max_delay: Some(Duration::from_secs(300)),
            jitter: true,
            errors: Vec::new(),
            except: Vec::new(),
            every_failure: false,
        }
    }
}

impl Retry {
    /// How long to wait after this many failed attempts, which counts from 1. `random` is in 0..1.
    #[must_use]
    pub fn wait(&self, failed_attempts: u32, random: f64) -> Duration {
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => failed_attempts.max(1),
            Backoff::Exponential => 2u32
                .checked_pow(failed_attempts.saturating_sub(1))
                .unwrap_or(u32::MAX),
        };
        let most = self.max_delay.unwrap_or(WAIT_MAX).min(WAIT_MAX);
        let wait = self.delay.saturating_mul(factor).min(most);
        if self.jitter {
            wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
        } else {
            wait
        }
    }

    /// Whether a failure with this code, marked retryable or not, is one to try again.
    #[must_use]
    pub fn applies(&self, code: &str, retryable: bool) -> bool {
        let named = |codes: &[String]| codes.iter().any(|c| c == code);
        if named(&self.except) {
            return false;
        }
        retryable || named(&self.errors) || (self.every_failure && !FINAL.contains(&code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff, jitter: bool, random: f64) -> Vec<u64> {
        let retry = Retry {
            backoff,
            jitter,
            max_delay: Some(Duration::from_secs(5)),
            ..Retry::default()
        };
        (1..=5)
            .map(|failed| u64::try_from(retry.wait(failed, random).as_millis()).unwrap())
            .collect()
    }

    #[test]
    fn waits_grow_as_told_up_to_the_cap() {
        assert_eq!(
            waits(Backoff::Constant, false, 0.0),
            [1000, 1000, 1000, 1000, 1000]
        );
        assert_eq!(
            waits(Backoff::Linear, false, 0.0),
            [1000, 2000, 3000, 4000, 5000]
        );
        assert_eq!(
            waits(Backoff::Exponential, false, 0.0),
            [1000, 2000, 4000, 5000, 5000]
        );
    }

    #[test]
    fn jitter_keeps_at_least_half() {
        assert_eq!(
            waits(Backoff::Exponential, true, 0.0),
            [500, 1000, 2000, 2500, 2500]
        );
        assert_eq!(
            waits(Backoff::Exponential, true, 1.0),
            [1000, 2000, 4000, 5000, 5000]
        );
    }

    #[test]
    fn growth_without_cap_ends_at_the_limit() {
        let retry = Retry {
            max_delay: None,
            jitter: false,
            delay: Duration::from_secs(3600),
            ..Retry::default()
        };
        assert_eq!(retry.wait(ATTEMPTS_MAX, 0.0), WAIT_MAX);
    }

    #[test]
    fn codes_add_and_except_removes() {
        let retry = Retry {
            errors: vec!["A".into()],
            except: vec!["B".into()],
            ..Retry::default()
        };
        assert!(retry.applies("A", false));
        assert!(retry.applies("C", true));
        assert!(!retry.applies("C", false));
        assert!(!retry.applies("B", true));
    }

    #[test]
    fn every_failure_leaves_out_what_stays_wrong() {
        let retry = Retry {
            every_failure: true,
            ..Retry::default()
        };
        assert!(retry.applies("FILE_NOT_FOUND", false));
        assert!(!retry.applies("TOOL_NOT_FOUND", false));
        assert!(!retry.applies("INVALID_PARAMETERS", false));
    }
}
