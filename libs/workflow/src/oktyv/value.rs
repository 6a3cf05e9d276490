//! Values of a request, read as the types that they must have.

use std::time::Duration;

use crate::diagnostic::Report;
use crate::tree::{Data, Tree};

pub(super) const INVALID: &str = "INVALID_PARAMETERS";

/// Longest time that a request may name, in milliseconds: a year.
const MILLIS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

pub(super) fn text(report: &mut Report<'_>, tree: &Tree, what: &str) -> Option<String> {
    let text = tree.text().filter(|text| !text.is_empty());
    if text.is_none() {
        wrong(report, tree, what, "text");
    }
    text.map(str::to_owned)
}

pub(super) fn whole(
    report: &mut Report<'_>,
    tree: &Tree,
    what: &str,
    least: u64,
    most: u64,
) -> Option<u64> {
    if let Data::Number(number) = &tree.data
        && let Some(number) = number
            .as_u64()
            .filter(|number| (least..=most).contains(number))
    {
        return Some(number);
    }
    wrong(
        report,
        tree,
        what,
        &format!("a whole number from {least} to {most}"),
    );
    None
}

pub(super) fn millis(
    report: &mut Report<'_>,
    tree: &Tree,
    what: &str,
    least: u64,
) -> Option<Duration> {
    whole(report, tree, what, least, MILLIS_MAX).map(Duration::from_millis)
}

pub(super) fn wrong(report: &mut Report<'_>, tree: &Tree, what: &str, expected: &str) {
    report.error(
        INVALID,
        tree.span,
        format!("{what}: expected {expected}, found {}", tree.kind()),
    );
}
