//! Durations as the format writes them: `250ms`, `1h30m`, here with a sign before them.

use jiff::SignedDuration;

/// The units, longest name first, in milliseconds. A day has 24 hours and a week 7 days.
const UNITS: [(&str, i64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// The duration that a text is; nothing when it is none, or has more milliseconds than 64 bits hold.
pub(crate) fn signed(text: &str) -> Option<SignedDuration> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: i64 = number.parse().ok()?;
        let (unit, scale) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        total = total.checked_add(number.checked_mul(*scale)?)?;
        rest = &after[unit.len()..];
    }
    Some(SignedDuration::from_millis(sign * total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_perhaps_a_sign() {
        for (text, ms) in [
            ("250ms", 250),
            ("+24h", 86_400_000),
            ("-30m", -1_800_000),
            ("1h30m", 5_400_000),
            ("2w1d", 1_296_000_000),
            ("-1m1ms", -60_001),
            ("0s", 0),
            ("9223372036854775807ms", i64::MAX),
        ] {
            assert_eq!(
                signed(text),
                Some(SignedDuration::from_millis(ms)),
                "{text}"
            );
        }
        for text in [
            "",
            "+",
            "-",
            "5",
            "h",
            "1.5h",
            "1 h",
            "1h 30m",
            "--1h",
            "1y",
            "1H",
            "1µs",
            "9223372036854775808ms",
            "9223372036854775807ms1ms",
            "99999999999999999w",
        ] {
            assert_eq!(signed(text), None, "{text}");
        }
    }
}
