//! How much time a caller gives.

use std::time::Duration;

use http::HeaderMap;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

/// The gRPC header, read on REST routes too.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The header for people, as `5s`.
const REQUEST_TIMEOUT: &str = "x-request-timeout";

/// The most that is taken off a deadline that came in `grpc-timeout`.
///
/// The server under us reads that header as well and then ends the call with a
/// status that has no reason. Our own deadline must strike before, on a busy machine
/// too.
const MARGIN: Duration = Duration::from_millis(20);

/// Below this no call is begun: timers have no finer ticks than a millisecond.
const LEAST: Duration = Duration::from_millis(2);

/// What is left of a time that came in `grpc-timeout`: a quarter less, up to
/// [`MARGIN`]. Zero means that nothing can be done in it.
pub(crate) fn shortened(time: Duration) -> Duration {
    let left = time - (time / 4).min(MARGIN);
    if left < LEAST { Duration::ZERO } else { left }
}

/// The deadline of a request; none when it brings none.
///
/// # Errors
/// INVALID_PARAMETERS for a value that is none.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let bad = |name: &str, form: &str| {
        let text = format!("`{name}` must be a time such as `{form}`");
        Refusal::new(CommonFault::InvalidParameters, text)
            .field(name, format!("a time such as `{form}`"))
    };
    if let Some(value) = headers.get(GRPC_TIMEOUT) {
        let time = value
            .to_str()
            .ok()
            .and_then(grpc)
            .ok_or_else(|| bad("Grpc-Timeout", "500m"))?;
        return Ok(Some(shortened(time)));
    }
    match headers.get(REQUEST_TIMEOUT) {
        None => Ok(None),
        Some(value) => match value.to_str().ok().and_then(plain) {
            Some(time) => Ok(Some(time)),
            None => Err(bad("X-Request-Timeout", "5s")),
        },
    }
}

/// At most eight digits and a unit, as the gRPC protocol writes it: `500m` is 500 ms.
pub(crate) fn grpc(text: &str) -> Option<Duration> {
    /// Digits of a value, by the protocol.
    const DIGITS_MAX: usize = 8;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > DIGITS_MAX {
        return None;
    }
    let n = number(digits)?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

/// A whole number with `ms`, `s`, `m` or `h`.
fn plain(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let n = number(digits)?;
    Some(match unit {
        "ms" => Duration::from_millis(n),
        "s" => Duration::from_secs(n),
        "m" => Duration::from_secs(n.checked_mul(60)?),
        "h" => Duration::from_secs(n.checked_mul(3600)?),
        _ => return None,
    })
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        for (text, ms) in [
            ("500m", 500),
            ("5S", 5_000),
            ("2M", 120_000),
            ("1H", 3_600_000),
            ("99999999m", 99_999_999),
        ] {
            assert_eq!(grpc(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "m", "5", "5x", "123456789m", "-5m", "+5m", "5é"] {
            assert_eq!(grpc(text), None, "{text}");
        }
        for (text, ms) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(plain(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "1.5s",
            "5 s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn header_that_is_no_time_is_refused_by_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers).unwrap(), None);
        headers.insert(REQUEST_TIMEOUT, "5s".parse().unwrap());
        assert_eq!(of(&headers).unwrap(), Some(Duration::from_secs(5)));
        headers.insert(GRPC_TIMEOUT, "soon".parse().unwrap());
        assert!(
            of(&headers)
                .unwrap_err()
                .to_string()
                .contains("Grpc-Timeout")
        );
        headers.insert(GRPC_TIMEOUT, "2m".parse().unwrap());
        assert_eq!(
            of(&headers).unwrap(),
            Some(Duration::ZERO),
            "too short for anything"
        );
    }

    #[test]
    fn our_deadline_strikes_first() {
        let ms = |n| Duration::from_millis(n);
        for (given, left) in [
            (60_000, 59_980),
            (200, 180),
            (80, 60),
            (40, 30),
            (4, 3),
            (2, 0),
            (0, 0),
        ] {
            assert_eq!(shortened(ms(given)), ms(left), "{given} ms");
        }
    }
}
