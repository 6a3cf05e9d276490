//! Values as people read them.

use std::borrow::Cow;

use serde_json::Value;

/// Text from a server with its control characters written out, so that it cannot
/// drive the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// As [`printable`], but lines stay lines.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|l| printable(l).into_owned()).collect();
    lines.join("\n")
}

/// A time as `0.04 s`, `1 min 05 s` or `2 h 07 min`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{}.{:02} s", seconds, ms % 1000 / 10),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// One value on one line: text as itself, the rest as JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text).into_owned(),
        Value::Null => "null".to_owned(),
        other => printable(&other.to_string()).into_owned(),
    }
}

/// The text cut to this many characters, `..` at the end when something is missing.
pub(crate) fn shorten(text: &str, max: usize) -> Cow<'_, str> {
    if text.chars().nth(max).is_none() {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(max.saturating_sub(2)).collect();
    Cow::Owned(format!("{kept}.."))
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// A field as text; empty when it is absent.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A field as a count; 0 when it is absent.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// A field as a list; empty when it is absent.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value.get(name).and_then(Value::as_array);
    list.map_or(&[][..], Vec::as_slice)
}

/// The texts of a list.
pub(crate) fn texts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    list(value, name).iter().filter_map(Value::as_str)
}

/// The texts of a list on one line.
pub(crate) fn joined(value: &Value, name: &str, separator: &str) -> String {
    let texts: Vec<&str> = texts(value, name).collect();
    printable(&texts.join(separator)).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("größe"), "größe");
        assert_eq!(printable_lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn durations_read_well_at_every_size() {
        for (ms, text) in [
            (0, "0.00 s"),
            (49, "0.04 s"),
            (59_999, "59.99 s"),
            (60_000, "1 min 00 s"),
            (3_599_000, "59 min 59 s"),
            (7_620_000, "2 h 07 min"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn absent_fields_are_empty() {
        let value = json!({"n": 3, "t": ["a", 1, "b\u{7}"]});
        assert_eq!((number(&value, "n"), number(&value, "t")), (3, 0));
        assert_eq!((list(&value, "t").len(), list(&value, "n").len()), (3, 0));
        assert_eq!(joined(&value, "t", ", "), "a, b\\u{7}");
        assert_eq!(joined(&value, "x", ", "), "");
    }

    #[test]
    fn short_text_stays_as_it_is() {
        assert_eq!(shorten("abcd", 4), "abcd");
        assert_eq!(shorten("abcde", 4), "ab..");
    }
}
