//! Values of a document, read as the types that they must have.

use std::time::Duration;

use crate::diagnostic::Report;
use crate::field::DURATION_MAX;
use crate::tree::{Data, Entry, Tree};

pub(super) const INVALID: &str = "INVALID_PARAMETERS";

/// The entry of a key that says something: null is as good as absent.
pub(super) fn given<'t>(tree: &'t Tree, key: &str) -> Option<&'t Entry> {
    tree.entry(key)
        .filter(|entry| !matches!(entry.value.data, Data::Null))
}

/// A text that is not empty.
pub(super) fn text(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<String> {
    let text = entry.value.text().filter(|text| !text.is_empty());
    if text.is_none() {
        wrong(report, &entry.value, &what(entry, owner), "text");
    }
    text.map(str::to_owned)
}

/// A whole number from `least` to `most`.
pub(super) fn whole(
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
    let expected = format!("a whole number from {least} to {most}");
    wrong(report, &entry.value, &what(entry, owner), &expected);
    None
}

/// Seconds, parts of them too, above zero and at most [`DURATION_MAX`].
pub(super) fn seconds(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<Duration> {
    if let Data::Number(number) = &entry.value.data
        && let Some(duration) = number
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|duration| duration.as_millis() > 0 && *duration <= DURATION_MAX)
    {
        return Some(duration);
    }
    let expected = format!("seconds, at most {}", DURATION_MAX.as_secs());
    wrong(report, &entry.value, &what(entry, owner), &expected);
    None
}

pub(super) fn wrong(report: &mut Report<'_>, tree: &Tree, what: &str, expected: &str) {
    let message = format!("{what}: expected {expected}, found {}", tree.kind());
    report.error(INVALID, tree.span, message);
}

fn what(entry: &Entry, owner: &str) -> String {
    format!("`{}` of {owner}", entry.key)
}
