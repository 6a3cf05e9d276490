//! Arithmetic on JSON numbers in which integers stay integers.

use std::cmp::Ordering;

use serde_json::Number;

/// A number taken apart: an integer as such, everything else as a double.
#[derive(Clone, Copy)]
enum Parts {
    Integer(i128),
    Float(f64),
}

fn parts(number: &Number) -> Parts {
    match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => Parts::Integer(i128::from(integer)),
        (_, Some(integer)) => Parts::Integer(i128::from(integer)),
        // Every JSON number is one of the three.
        _ => Parts::Float(number.as_f64().unwrap_or_default()),
    }
}

/// Exact over all pairs, so that it is a total order: sorting relies on it.
pub(crate) fn compare(a: &Number, b: &Number) -> Ordering {
    match (parts(a), parts(b)) {
        (Parts::Integer(a), Parts::Integer(b)) => a.cmp(&b),
        // JSON has no NaN; the two zeros are equal.
        (Parts::Float(a), Parts::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Parts::Integer(a), Parts::Float(b)) => integer_with_float(a, b),
        (Parts::Float(a), Parts::Integer(b)) => integer_with_float(b, a).reverse(),
    }
}

fn integer_with_float(integer: i128, float: f64) -> Ordering {
    // The cast saturates far outside of 64 bits, where the order is the same.
    let whole = float.trunc();
    integer
        .cmp(&(whole as i128))
        .then_with(|| whole.partial_cmp(&float).unwrap_or(Ordering::Equal))
}

/// An integer as long as 64 bits hold it, else the nearest double.
fn from_integer(integer: i128) -> Option<Number> {
    if let Ok(small) = i64::try_from(integer) {
        return Some(Number::from(small));
    }
    if let Ok(large) = u64::try_from(integer) {
        return Some(Number::from(large));
    }
    Number::from_f64(integer as f64)
}

/// The number as a whole one of 64 bits, if it is one: `2.0` is.
pub(crate) fn whole(number: &Number) -> Option<i64> {
    match parts(number) {
        Parts::Integer(integer) => i64::try_from(integer).ok(),
        Parts::Float(float) if float.trunc() == float => {
            // The cast saturates far outside of 64 bits.
            i64::try_from(float as i128).ok()
        }
        Parts::Float(_) => None,
    }
}

/// A text that is the same for two numbers exactly when [`compare`] calls them equal.
pub(crate) fn canonical(number: &Number) -> String {
    match parts(number) {
        Parts::Integer(integer) => integer.to_string(),
        // Below 2^127 the cast is exact.
        Parts::Float(float) if float.trunc() == float && float.abs() < 1e38 => {
            (float as i128).to_string()
        }
        Parts::Float(float) => format!("{float:e}"),
    }
}

/// Nothing when the sum is larger than a double can be.
pub(crate) fn sum<'n>(numbers: impl Iterator<Item = &'n Number>) -> Option<Number> {
    let (mut integers, mut floats, mut whole) = (0_i128, 0.0, true);
    for number in numbers {
        match parts(number) {
            // 2^63 numbers of 64 bits fit in 127 bits.
            Parts::Integer(integer) => integers += integer,
            Parts::Float(float) => {
                whole = false;
                floats += float;
            }
        }
    }
    match whole {
        true => from_integer(integers),
        false => Number::from_f64(integers as f64 + floats),
    }
}

pub(crate) fn average<'n>(
    numbers: impl Iterator<Item = &'n Number>,
    count: usize,
) -> Option<Number> {
    let sum = sum(numbers)?;
    match parts(&sum) {
        Parts::Integer(integer) if count > 0 && integer % count as i128 == 0 => {
            from_integer(integer / count as i128)
        }
        Parts::Integer(integer) => Number::from_f64(integer as f64 / count as f64),
        Parts::Float(float) => Number::from_f64(float / count as f64),
    }
}

pub(crate) fn absolute(number: &Number) -> Option<Number> {
    match parts(number) {
        Parts::Integer(integer) => from_integer(integer.abs()),
        Parts::Float(float) => Number::from_f64(float.abs()),
    }
}

/// Rounds by `round`; what fits in 64 bits becomes an integer.
pub(crate) fn rounded(number: &Number, round: fn(f64) -> f64) -> Option<Number> {
    /// From here on doubles are too far apart to be rounded.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match parts(number) {
        Parts::Integer(_) => Some(number.clone()),
        Parts::Float(float) => {
            let whole = round(float);
            if whole.abs() <= EXACT {
                return from_integer(whole as i128);
            }
            Number::from_f64(whole)
        }
    }
}

/// The number that a text is, if it is one in JSON.
pub(crate) fn read(text: &str) -> Option<Number> {
    if text.is_empty() || text.contains(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn order_is_exact_and_total() {
        let ascending = [
            "-1e300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "0",
            "0.5",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "1e300",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(&number(a), &number(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare(&number("1"), &number("1.0")), Ordering::Equal);
        assert_eq!(compare(&number("0"), &number("-0.0")), Ordering::Equal);
    }

    #[test]
    fn integers_stay_integers() {
        let of = |texts: &[&str]| texts.iter().map(|text| number(text)).collect::<Vec<_>>();
        let show = |n: Option<Number>| n.map(|n| n.to_string()).unwrap_or_default();
        let big = of(&["9007199254740993", "2"]);
        assert_eq!(show(sum(big.iter())), "9007199254740995");
        let over = of(&["18446744073709551615", "1"]);
        assert_eq!(show(sum(over.iter())), "1.8446744073709552e+19");
        let huge = of(&["1e308", "1e308"]);
        assert_eq!(show(sum(huge.iter())), "");
        assert_eq!(show(average(of(&["1", "3"]).iter(), 2)), "2");
        assert_eq!(show(average(of(&["1", "2"]).iter(), 2)), "1.5");
        assert_eq!(
            show(absolute(&number("-9223372036854775808"))),
            "9223372036854775808"
        );
        assert_eq!(show(rounded(&number("1.2"), f64::ceil)), "2");
        assert_eq!(show(rounded(&number("-1.2"), f64::floor)), "-2");
        assert_eq!(show(rounded(&number("1e300"), f64::ceil)), "1e+300");
    }

    #[test]
    fn only_json_numbers_are_read() {
        for text in [
            "", " 1", "1 ", "0x1", "01", "1.", "1e999", "NaN", "true", "\"1\"",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(
            read("-1.50").map(|n| n.to_string()).as_deref(),
            Some("-1.5")
        );
        assert_eq!(
            read("9007199254740993"),
            Some(Number::from(9_007_199_254_740_993_u64))
        );
    }
}
