//! Durations as the format writes them: `250ms`, `1h30m`.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

/// Units of a duration with their milliseconds, largest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number stands alone.
    #[error("a duration needs a unit: ms, s, m, h, d or w")]
    Unitless,
    /// It is not numbers with units, each unit at most once and larger ones first.
    #[error("a duration is written as `250ms`, `30s` or `1h30m`")]
    Malformed,
    /// It does not fit 64 bits of milliseconds.
    #[error("the duration is too long")]
    TooLong,
}

/// Reads a duration: whole numbers with the units `ms s m h d w`, larger ones first, without space.
///
/// # Errors
///
/// [`Error`] when the text is no duration.
pub fn parse(text: &str) -> Result<Duration, Error> {
    if text.is_empty() {
        return Err(Error::Malformed);
    }
    let (mut rest, mut total, mut last) = (text, 0u64, None);
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        if digits == 0 {
            return Err(Error::Malformed);
        }
        let number: u64 = rest[..digits].parse().map_err(|_| Error::TooLong)?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        if letters == 0 {
            let alone = rest.is_empty() && last.is_none();
            return Err(if alone {
                Error::Unitless
            } else {
                Error::Malformed
            });
        }
        let unit = UNITS
            .iter()
            .position(|(name, _)| *name == &rest[..letters])
            .ok_or(Error::Malformed)?;
        if last.is_some_and(|last| last >= unit) {
            return Err(Error::Malformed);
        }
        last = Some(unit);
        rest = &rest[letters..];
        let part = number.checked_mul(UNITS[unit].1).ok_or(Error::TooLong)?;
        total = total.checked_add(part).ok_or(Error::TooLong)?;
    }
    Ok(Duration::from_millis(total))
}

/// The duration that a text with or without a sign is; nothing when it is none, or has more milliseconds than 64 bits hold.
pub(crate) fn signed(text: &str) -> Option<SignedDuration> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let millis = i64::try_from(parse(rest).ok()?.as_millis()).ok()?;
    Some(SignedDuration::from_millis(sign * millis))
}

/// A duration that is shown as [`parse`] reads it, cut to milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text(pub Duration);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            let count = rest / u128::from(size);
            if count > 0 {
                write!(f, "{count}{name}")?;
                rest %= u128::from(size);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("1w1ms", 604_800_001),
            ("0s", 0),
            ("90m", 5_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for (text, error) in [
            ("30", Error::Unitless),
            ("", Error::Malformed),
            ("s", Error::Malformed),
            ("1m1h", Error::Malformed),
            ("1s1s", Error::Malformed),
            ("1h30", Error::Malformed),
            ("1.5s", Error::Malformed),
            ("-1s", Error::Malformed),
            ("1 s", Error::Malformed),
            ("5y", Error::Malformed),
            ("99999999999999999999s", Error::TooLong),
            ("18446744073709551615s", Error::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn signs_may_stand_before() {
        for (text, ms) in [
            ("+24h", 86_400_000),
            ("-30m", -1_800_000),
            ("2w1d", 1_296_000_000),
            ("-1m1ms", -60_001),
            ("9223372036854775807ms", i64::MAX),
        ] {
            let expected = SignedDuration::from_millis(ms);
            assert_eq!(signed(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "+",
            "-",
            "--1h",
            "1h 30m",
            "1H",
            "1µs",
            "9223372036854775808ms",
        ] {
            assert_eq!(signed(text), None, "{text}");
        }
    }

    #[test]
    fn shown_durations_are_read_back() {
        for millis in [0, 1, 999, 1_000, 90_061_001, 604_800_000, 1_234_567_890_123] {
            let text = Text(Duration::from_millis(millis)).to_string();
            assert_eq!(parse(&text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(Text(Duration::from_secs(5_400)).to_string(), "1h30m");
    }
}
