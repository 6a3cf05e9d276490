//! Durations as text with units, and as numbers in the unit of a field.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Largest Duration in either direction, in seconds: about 10,000 years, as protobuf says.
pub(crate) const SECONDS_MAX: i64 = 315_576_000_000;

/// The unit in which a field counts a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Seconds,
}

impl Unit {
    /// The unit of a name as the option `unit` has it.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "ms" => Some(Self::Millis),
            "s" => Some(Self::Seconds),
            _ => None,
        }
    }

    pub(crate) fn nanos(self) -> i128 {
        match self {
            Self::Millis => 1_000_000,
            Self::Seconds => NANOS_PER_SECOND,
        }
    }

    pub(crate) fn per_second(self) -> f64 {
        match self {
            Self::Millis => 1000.0,
            Self::Seconds => 1.0,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Millis => "ms",
            Self::Seconds => "s",
        }
    }
}

/// Nanoseconds of a text such as `1.5s`, `1h30m` or `250ms`.
///
/// None when it is no such text, or names more than [`SECONDS_MAX`].
pub(crate) fn parse(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        total = total.checked_add(decimal(number, nanos_of(unit)?)?)?;
        rest = next;
    }
    bounded(sign * total)
}

/// Nanoseconds of a bare number in a unit; fractions count down to the nanosecond.
pub(crate) fn from_number(number: &serde_json::Number, unit: Unit) -> Option<i128> {
    if let Some(whole) = number.as_i64() {
        return bounded(i128::from(whole) * unit.nanos());
    }
    let nanos = (number.as_f64()? * unit.nanos() as f64).round();
    if nanos.abs() > (SECONDS_MAX as f64) * 1e9 {
        return None;
    }
    bounded(nanos as i128)
}

fn bounded(nanos: i128) -> Option<i128> {
    (nanos.abs() <= i128::from(SECONDS_MAX) * NANOS_PER_SECOND).then_some(nanos)
}

fn nanos_of(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        "d" => 86_400 * NANOS_PER_SECOND,
        "w" => 604_800 * NANOS_PER_SECOND,
        _ => return None,
    })
}

/// `1.5` times a unit, exact; digits finer than a nanosecond are dropped.
fn decimal(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || whole.len() > 18 {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = fraction.parse().ok()?;
    Some(whole * unit + fraction * unit / scale)
}

/// Seconds and nanoseconds of a `google.protobuf.Duration`.
pub(crate) fn parts(message: &DynamicMessage) -> (i64, i32) {
    let seconds = message.get_field_by_number(1).and_then(|v| v.as_i64());
    let nanos = message.get_field_by_number(2).and_then(|v| v.as_i32());
    (seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Nanoseconds of a `google.protobuf.Duration`.
pub(crate) fn nanos(message: &DynamicMessage) -> i128 {
    let (seconds, nanos) = parts(message);
    i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos)
}

/// The message for a number of nanoseconds within [`SECONDS_MAX`].
pub(crate) fn message(descriptor: &MessageDescriptor, nanos: i128) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let seconds = i64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(SECONDS_MAX);
    let rest = i32::try_from(nanos % NANOS_PER_SECOND).unwrap_or_default();
    message.set_field_by_number(1, Value::I64(seconds));
    message.set_field_by_number(2, Value::I32(rest));
    message
}

/// The JSON of a Duration: a whole number in the unit, else text such as `1.5s`.
pub(crate) fn write(message: &DynamicMessage, unit: Option<Unit>) -> serde_json::Value {
    debug_assert_eq!(message.descriptor().full_name(), "google.protobuf.Duration");
    let nanos = nanos(message);
    if let Some(unit) = unit {
        return super::scalar::wide(nanos / unit.nanos());
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (
        nanos.abs() / NANOS_PER_SECOND,
        nanos.abs() % NANOS_PER_SECOND,
    );
    if rest == 0 {
        return format!("{sign}{seconds}s").into();
    }
    let fraction = format!("{rest:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0')).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_units_are_exact() {
        for (text, nanos) in [
            ("30s", 30_000_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("250ms", 250_000_000),
            ("1d", 86_400_000_000_000),
            ("0s", 0),
            ("-1.000000001s", -1_000_000_001),
            ("0.1us", 100),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn texts_without_units_are_none() {
        for text in [
            "",
            "-",
            "30",
            "s",
            "1.s",
            ".5s",
            "1 s",
            "1y",
            "1s30",
            "1.0000000001s",
            "--1s",
            "1.2.3s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn duration_ends_at_ten_thousand_years() {
        assert!(parse(&format!("{SECONDS_MAX}s")).is_some());
        assert_eq!(parse(&format!("{SECONDS_MAX}.000000001s")), None);
        assert_eq!(parse(&format!("{}w", "9".repeat(18))), None);
        assert_eq!(from_number(&(SECONDS_MAX + 1).into(), Unit::Seconds), None);
        assert!(from_number(&SECONDS_MAX.into(), Unit::Seconds).is_some());
        assert!(from_number(&i64::MAX.into(), Unit::Seconds).is_none());
    }

    #[test]
    fn numbers_count_in_the_unit() {
        let half = serde_json::Number::from_f64(1.5).expect("a finite number");
        assert_eq!(from_number(&half, Unit::Seconds), Some(1_500_000_000));
        assert_eq!(from_number(&1500.into(), Unit::Millis), Some(1_500_000_000));
    }
}
