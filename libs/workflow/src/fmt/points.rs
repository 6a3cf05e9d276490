//! Where the entries and items of blocks begin: what comments belong to.

use crate::scalar::Style;
use crate::source::Span;
use crate::tree::{Data, Tree};

/// The beginning of an entry of a map or an item of a list, both in block notation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Its key, or the dash before it.
    pub(super) start: usize,
    /// In characters from the margin.
    pub(super) column: usize,
    pub(super) value: Span,
    /// Whether the value is a map or list in block notation.
    pub(super) block: bool,
}

/// A place and what is wrong there.
pub(super) type Fault = (usize, String);

/// All of them in the order of the file.
pub(super) fn collect(text: &str, root: &Tree) -> Result<Vec<Point>, Fault> {
    let mut points = Vec::new();
    within(text, root, &mut points)?;
    points.sort_by_key(|point| point.start);
    Ok(points)
}

fn within(text: &str, tree: &Tree, points: &mut Vec<Point>) -> Result<(), Fault> {
    if !is_block(text, tree) {
        return Ok(());
    }
    let mut add = |start: usize, value: &Tree| {
        points.push(Point {
            start,
            column: column(text, start),
            value: value.span,
            block: is_block(text, value),
        });
    };
    match &tree.data {
        Data::Map(entries) => {
            for entry in entries {
                after_key(text, entry.key_span)?;
                add(entry.key_span.start, &entry.value);
            }
            for entry in entries {
                within(text, &entry.value, points)?;
            }
        }
        Data::List(items) => {
            for (dash, item) in dashes(text, tree, items)?.into_iter().zip(items) {
                add(dash, item);
            }
            for item in items {
                within(text, item, points)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a value is a map or list in block notation.
pub(super) fn is_block(text: &str, tree: &Tree) -> bool {
    let short = matches!(text.as_bytes().get(tree.span.start), Some(b'{' | b'['));
    match &tree.data {
        Data::Map(entries) => !short && !entries.is_empty(),
        Data::List(items) => !short && !items.is_empty(),
        _ => false,
    }
}

/// Whether a value is a text under a header as `|`.
pub(super) fn is_block_text(tree: &Tree) -> bool {
    matches!(tree.data, Data::Text(_, Style::Block))
}

/// Where the text goes on behind the colon of a key.
pub(super) fn after_key(text: &str, key: Span) -> Result<usize, Fault> {
    let rest = text.get(key.end..).unwrap_or_default();
    let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    if rest.get(blank..).is_some_and(|rest| rest.starts_with(':')) {
        return Ok(key.end + blank + 1);
    }
    let reason = "a key after a question mark; write it as `key: value`";
    Err((key.start, reason.to_owned()))
}

/// The dash of each item.
pub(super) fn dashes(text: &str, list: &Tree, items: &[Tree]) -> Result<Vec<usize>, Fault> {
    let mut dashes = Vec::with_capacity(items.len());
    let mut from = list.span.start;
    for item in items {
        let Some(dash) = next_dash(text, from) else {
            return Err((from, "no dash was found for an item of the list".to_owned()));
        };
        dashes.push(dash);
        from = item.span.end.max(dash + 1);
    }
    Ok(dashes)
}

/// The next dash that is not in a comment.
fn next_dash(text: &str, from: usize) -> Option<usize> {
    let mut comment = false;
    for (at, character) in text.get(from..)?.char_indices() {
        match character {
            '\n' => comment = false,
            '#' => comment = true,
            '-' if !comment => return Some(from + at),
            _ => {}
        }
    }
    None
}

/// How far a place is from the margin, in characters.
pub(super) fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    before.get(line..).map_or(0, |line| line.chars().count())
}
