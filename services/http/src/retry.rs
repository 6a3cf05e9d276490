//! When to try again.

use std::time::Duration;

use http::{HeaderMap, header};

/// Tries after the first of a call that stands by itself. Within a run the task
/// decides.
pub(crate) const RETRIES: u32 = 3;

/// Wait before the first retry; each further one waits twice as long.
const DELAY_FIRST: Duration = Duration::from_secs(1);

/// Longest wait that is not the server's wish.
const DELAY_MAX: Duration = Duration::from_secs(30);

/// Part of a wait that chance adds at most, so that callers who failed together
/// do not come back together.
const JITTER: f64 = 0.2;

/// Longest wait that a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How long to wait before a retry, the first being 0; `fraction` is from 0 to 1.
pub(crate) fn delay(retry: u32, fraction: f64) -> Duration {
    let plain = 2_u32
        .checked_pow(retry)
        .and_then(|factor| DELAY_FIRST.checked_mul(factor))
        .map_or(DELAY_MAX, |d| d.min(DELAY_MAX));
    plain.mul_f64(1.0 + JITTER * fraction)
}

/// The wait that a server asks for: seconds, or a date (RFC 9110 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        // A date that has passed asks for no wait.
        Duration::from_millis(u64::try_from(date.as_millisecond() - now_ms).unwrap_or(0))
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_its_bound() {
        let plain: Vec<u64> = (0..7).map(|n| delay(n, 0.0).as_secs()).collect();
        assert_eq!(plain, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(delay(u32::MAX, 0.0), DELAY_MAX);
        assert_eq!(delay(0, 1.0), Duration::from_millis(1200));
        assert_eq!(delay(9, 0.5), Duration::from_secs(33));
    }

    #[test]
    fn wait_is_read_as_seconds_or_as_a_date() {
        // Wed, 21 Oct 2015 07:28:00 GMT
        const NOW: i64 = 1_445_412_480_000;
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, NOW).map(|d| d.as_secs())
        };
        assert_eq!(of("0"), Some(0));
        assert_eq!(of(" 120 "), Some(120));
        assert_eq!(of("Wed, 21 Oct 2015 07:30:00 GMT"), Some(120));
        assert_eq!(of("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(of("86401"), Some(86_400));
        assert_eq!(of("99999999999999999999999"), Some(86_400));
        for bad in ["", "-1", "1.5", "soon", "2015-10-21"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
