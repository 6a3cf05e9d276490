//! Values of keys, read as the types that they must have.

use std::time::Duration;

use crate::diagnostic::{Diagnostic, Report, quote};
use crate::duration;
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};

/// Longest `timeout` and `delay` of a file.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Reports a value that its key cannot have.
pub(crate) fn unexpected(report: &mut Report<'_>, entry: &Entry, owner: &str, expected: &str) {
    unexpected_value(
        report,
        &entry.value,
        &format!("`{}` of {owner}", entry.key),
        expected,
    );
}

pub(crate) fn unexpected_value<'r>(
    report: &'r mut Report<'_>,
    value: &Tree,
    what: &str,
    expected: &str,
) -> Option<&'r mut Diagnostic> {
    if value.is_broken() {
        return None;
    }
    let message = format!("{what}: expected {expected}, found {}", value.kind());
    Some(report.error("INVALID_VALUE", value.span, message))
}

/// A text that is not empty.
pub(crate) fn text(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<String> {
    match entry.value.text().filter(|text| !text.is_empty()) {
        Some(text) => Some(text.to_owned()),
        None => {
            unexpected(report, entry, owner, "text");
            None
        }
    }
}

pub(crate) fn boolean(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<bool> {
    if let Data::Bool(value) = entry.value.data {
        return Some(value);
    }
    unexpected(report, entry, owner, "true or false");
    None
}

/// A whole number from `least` to `most`.
pub(crate) fn whole(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
    least: u64,
    most: u64,
) -> Option<u64> {
    if let Data::Number(number) = &entry.value.data
        && let Some(number) = number
            .as_u64()
            .filter(|number| (least..=most).contains(number))
    {
        return Some(number);
    }
    unexpected(
        report,
        entry,
        owner,
        &format!("a whole number from {least} to {most}"),
    );
    None
}

/// One of the words.
pub(crate) fn choice<T: Copy>(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
    words: &[(&str, T)],
) -> Option<T> {
    let text = entry.value.text();
    if let Some((_, value)) = words.iter().find(|(word, _)| text == Some(word)) {
        return Some(*value);
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    unexpected(report, entry, owner, &format!("one of {}", all.join(", ")));
    None
}

/// A duration of at most [`DURATION_MAX`]; `zero` says whether it may be none at all.
pub(crate) fn duration(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
    zero: bool,
) -> Option<Duration> {
    let text = match &entry.value.data {
        Data::Text(text, _) => text,
        Data::Number(number) => {
            unitless(report, entry, &number.to_string());
            return None;
        }
        _ => {
            unexpected(report, entry, owner, "a duration as `30s`");
            return None;
        }
    };
    match duration::parse(text) {
        Ok(value) if value > DURATION_MAX => {
            unexpected(report, entry, owner, "at most 366d");
            None
        }
        Ok(value) if value.is_zero() && !zero => {
            unexpected(report, entry, owner, "more than 0s");
            None
        }
        Ok(value) => Some(value),
        Err(duration::Error::Unitless) => {
            unitless(report, entry, text);
            None
        }
        Err(_) => {
            unexpected(
                report,
                entry,
                owner,
                "a duration as `250ms`, `30s` or `1h30m`",
            );
            None
        }
    }
}

/// Whole thousands were surely meant as milliseconds; of other numbers nobody can tell.
fn unitless(report: &mut Report<'_>, entry: &Entry, number: &str) {
    let millis = number
        .parse::<u64>()
        .ok()
        .filter(|n| *n >= 1_000 && n % 1_000 == 0);
    let guess = millis.map_or_else(|| format!("{number}s"), |n| format!("{}s", n / 1_000));
    let message = format!("`{}: {number}` has no unit; `{guess}`?", entry.key);
    let word = report.word_at(entry.value.span, &guess);
    let diagnostic = report.error("UNITLESS_DURATION", entry.value.span, message);
    if millis.is_some() {
        diagnostic.edit(entry.value.span, word);
    } else {
        diagnostic.hint("the units are ms, s, m, h, d and w");
    }
}

/// A list of texts that are not empty, each with its place.
pub(crate) fn texts(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
) -> Option<Vec<(String, Span)>> {
    let Some(items) = entry.value.list() else {
        let what = format!("`{}` of {owner}", entry.key);
        let diagnostic = unexpected_value(report, &entry.value, &what, "a list");
        if let (Some(diagnostic), Some(text)) = (diagnostic, entry.value.text()) {
            diagnostic.hint(format!("write `{}: [{}]`", entry.key, quote(text)));
        }
        return None;
    };
    let mut texts = Vec::with_capacity(items.len());
    let mut whole = true;
    for item in items {
        match item.text().filter(|text| !text.is_empty()) {
            Some(text) => texts.push((text.to_owned(), item.span)),
            None => {
                unexpected_value(report, item, &format!("`{}` of {owner}", entry.key), "text");
                whole = false;
            }
        }
    }
    whole.then_some(texts)
}

/// A map of texts.
pub(crate) fn labels(
    report: &mut Report<'_>,
    entry: &Entry,
    owner: &str,
) -> Option<Vec<(String, String)>> {
    let Some(entries) = entry.value.map() else {
        unexpected(report, entry, owner, "a map of texts");
        return None;
    };
    let mut labels = Vec::with_capacity(entries.len());
    for label in entries {
        match label.value.text() {
            Some(text) => labels.push((label.key.clone(), text.to_owned())),
            None => unexpected(report, label, &format!("`{}`", entry.key), "text"),
        }
    }
    (labels.len() == entries.len()).then_some(labels)
}
