//! What a scalar of YAML or JSON means, and where each character of it stands in the file.

use serde_json::{Number, Value};

use crate::source::Span;

/// How a text is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Single,
    Double,
    Block,
}

/// What a plain scalar is by the core schema of YAML 1.2; `None`: text.
///
/// `yes`, `no`, `on` and `off` are text there.
pub(crate) fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    number(text).map(Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let first = *text.as_bytes().first()?;
    if !first.is_ascii_digit() && !matches!(first, b'+' | b'-' | b'.') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return is_all(digits, |b| b.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, 16).ok())?
            .map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return is_all(digits, |b| matches!(b, b'0'..=b'7'))
            .then(|| u64::from_str_radix(digits, 8).ok())?
            .map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if is_all(unsigned, |b| b.is_ascii_digit()) {
        let exact = if text.starts_with('-') {
            text.parse::<i64>().ok().map(Number::from)
        } else {
            unsigned.parse::<u64>().ok().map(Number::from)
        };
        return exact.or_else(|| text.parse().ok().and_then(Number::from_f64));
    }
    if is_float(unsigned) {
        text.parse().ok().and_then(Number::from_f64)
    } else {
        None
    }
}

fn is_all(text: &str, holds: impl Fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(holds)
}

/// `\.[0-9]+` or `[0-9]+(\.[0-9]*)?`, then `([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let whole = |part: &str| is_all(part, |b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => whole(fraction),
        Some((integer, fraction)) => whole(integer) && (fraction.is_empty() || whole(fraction)),
        None => whole(mantissa),
    };
    mantissa && exponent.is_none_or(|e| whole(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// The place in the file of a part of a scalar's text.
///
/// Gives the whole scalar when its notation cannot be followed.
pub(crate) fn place(file: &str, scalar: Span, style: Style, text: &str, part: Span) -> Span {
    let offset = |at: usize| match style {
        // Most scalars stand in the file as they are.
        Style::Plain if file.get(scalar.start..scalar.end) == Some(text) => Some(scalar.start + at),
        Style::Single | Style::Double
            if file.get(scalar.start + 1..scalar.end.saturating_sub(1)) == Some(text) =>
        {
            Some(scalar.start + 1 + at)
        }
        _ => follow(file.get(scalar.start..scalar.end)?, style, text, at)
            .map(|offset| scalar.start + offset),
    };
    match (offset(part.start), offset(part.end)) {
        (Some(start), Some(end)) if start <= end => Span::new(start, end),
        _ => scalar,
    }
}

/// Walks notation and text together up to the byte `at` of the text.
fn follow(notation: &str, style: Style, text: &str, at: usize) -> Option<usize> {
    let mut from = match style {
        Style::Plain => 0,
        Style::Single | Style::Double => 1,
        // The header (`|`, `>-`) ends with its line.
        Style::Block if notation.starts_with(['|', '>']) => notation.find('\n')? + 1,
        Style::Block => 0,
    };
    for (offset, wanted) in text.char_indices() {
        loop {
            let (found, length) = unescape(notation.get(from..)?, style)?;
            let is_it = found == Some(wanted)
                || (wanted.is_whitespace() && found.is_some_and(char::is_whitespace));
            if is_it {
                if offset >= at {
                    return Some(from);
                }
                from += length;
                break;
            }
            // Indentation, and breaks that folding takes away.
            if found.is_none_or(char::is_whitespace) {
                from += length
            } else {
                return None;
            }
        }
    }
    (at >= text.len()).then_some(from)
}

/// The first character of the notation and how long it is written; `None` for one that means nothing.
fn unescape(notation: &str, style: Style) -> Option<(Option<char>, usize)> {
    let first = notation.chars().next()?;
    match (style, first) {
        (Style::Single, '\'') => Some((Some('\''), 2)),
        (Style::Double, '\\') => {
            let escape = notation[1..].chars().next()?;
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            if digits > 0 {
                return hex(notation, digits);
            }
            let meant = match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'e' => '\u{1b}',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                // The break after a backslash is no character of the text.
                '\n' | '\r' => return Some((None, 1 + escape.len_utf8())),
                other => other,
            };
            Some((Some(meant), 1 + escape.len_utf8()))
        }
        _ => Some((Some(first), first.len_utf8())),
    }
}

/// `\x41`, `\u0041`, `\U00000041`, or two `\u` that make one character.
fn hex(notation: &str, digits: usize) -> Option<(Option<char>, usize)> {
    let code = |from: usize| u32::from_str_radix(notation.get(from..from + digits)?, 16).ok();
    let high = code(2)?;
    if let Some(character) = char::from_u32(high) {
        return Some((Some(character), 2 + digits));
    }
    let low = code(4 + digits)?;
    let joined = 0x1_0000 + ((high.checked_sub(0xd800)?) << 10) + low.checked_sub(0xdc00)?;
    char::from_u32(joined).map(|character| (Some(character), 2 * (2 + digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, json) in [
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9007199254740993", "9007199254740993"),
            ("+5", "5"),
            ("007", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.50", "1.5"),
            ("1e3", "1000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("-1.5E-2", "-0.015"),
            ("true", "true"),
            ("~", "null"),
        ] {
            assert_eq!(
                resolve(text).map(|v| v.to_string()).as_deref(),
                Some(json),
                "{text}"
            );
        }
        for text in [
            "yes", "no", "on", "off", "y", "1_000", "1.2.3", "1e", "-", ".", "+.", ".inf", ".nan",
            "0xg", "12:30", "1s",
        ] {
            assert_eq!(resolve(text), None, "{text}");
        }
    }

    #[test]
    fn parts_are_found_in_every_notation() {
        let check = |notation: &str, style, text: &str, part: &str| {
            let at = text.find(part).expect("the part is in the text");
            let span = place(
                notation,
                Span::new(0, notation.len()),
                style,
                text,
                Span::new(at, at + part.len()),
            );
            notation[span.start..span.end].to_owned()
        };
        assert_eq!(check("ab ${x} c", Style::Plain, "ab ${x} c", "x"), "x");
        assert_eq!(check("'it''s ${x}'", Style::Single, "it's ${x}", "x"), "x");
        assert_eq!(
            check(r#""a\n\"${x}""#, Style::Double, "a\n\"${x}", "x"),
            "x"
        );
        assert_eq!(
            check(
                r#""\ud83d\ude00 ${x}""#,
                Style::Double,
                "\u{1f600} ${x}",
                "x"
            ),
            "x"
        );
        assert_eq!(
            check(
                "|\n  a\n    ${x}\n  b\n",
                Style::Block,
                "a\n  ${x}\nb\n",
                "x"
            ),
            "x"
        );
        assert_eq!(
            check(">-\n  a\n  ${x}\n  b\n", Style::Block, "a ${x} b", "x"),
            "x"
        );
        assert_eq!(check("a\n  ${x}", Style::Plain, "a ${x}", "x"), "x");
    }
}
