//! `PostgreSQL`'s NUMERIC on the wire, digit by digit: no type of a library holds all of its digits.

/// Signs, and the values that are no numbers.
const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;
const INFINITE: u16 = 0xD000;
const INFINITE_BELOW: u16 = 0xF000;

/// The number as text, with all of its digits; none when the bytes are no NUMERIC.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    let mut words = bytes
        .chunks(2)
        .map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
    let mut next = || words.next().flatten();
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    match sign {
        NOT_A_NUMBER => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        INFINITE_BELOW => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let digits: Vec<u16> = (0..count).map(|_| next()).collect::<Option<_>>()?;
    // Power of 10,000 of the first digit.
    let weight = i32::from(weight.cast_signed());
    let digit = |power: i32| {
        usize::try_from(weight - power)
            .ok()
            .and_then(|i| digits.get(i).copied())
            .unwrap_or_default()
    };
    let mut out = String::new();
    if sign == NEGATIVE {
        out.push('-');
    }
    let mut whole = String::new();
    for power in (0..=weight.max(0)).rev() {
        whole.push_str(&format!("{:04}", digit(power)));
    }
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::new();
        let mut power = -1;
        while fraction.len() < usize::from(scale) {
            fraction.push_str(&format!("{:04}", digit(power)));
            power -= 1;
        }
        fraction.truncate(usize::from(scale));
        out.push('.');
        out.push_str(&fraction);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
        let count = u16::try_from(digits.len()).unwrap();
        [count, weight.cast_unsigned(), sign, scale]
            .iter()
            .chain(digits)
            .flat_map(|w| w.to_be_bytes())
            .collect()
    }

    #[test]
    fn digits_are_all_there() {
        for (bytes, expected) in [
            (wire(0, 0, 0, &[]), "0"),
            (wire(0, 0, 2, &[]), "0.00"),
            (wire(0, 0, 2, &[1, 5000]), "1.50"),
            (wire(0, NEGATIVE, 1, &[12, 3000]), "-12.3"),
            (wire(2, 0, 0, &[1]), "100000000"),
            (wire(1, 0, 3, &[1234, 5678, 9010]), "12345678.901"),
            (wire(-2, 0, 8, &[1]), "0.00000001"),
            (wire(0, NOT_A_NUMBER, 0, &[]), "NaN"),
            (wire(0, INFINITE_BELOW, 0, &[]), "-Infinity"),
        ] {
            assert_eq!(text(&bytes).as_deref(), Some(expected));
        }
        assert_eq!(text(&[0, 2, 0, 0]), None);
    }
}
