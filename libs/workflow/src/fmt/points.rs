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
    within(text, 0, root, &mut points)?;
    points.sort_by_key(|point| point.start);
    Ok(points)
}

/// Collects what is below a value. Where the value ends: one that is not written ends where it
/// could begin, not where the parser finds out that it is not there.
fn within(text: &str, from: usize, tree: &Tree, points: &mut Vec<Point>) -> Result<usize, Fault> {
    let Span { start, end } = tree.span;
    if !is_block(text, from, tree) {
        return Ok(if start == end { from } else { end });
    }
    let mut last = from;
    for (start, from, value) in children(text, from, tree)? {
        let at = points.len();
        points.push(Point {
            start,
            column: column(text, start),
            value: value.span,
            block: is_block(text, from, value),
        });
        let end = within(text, from, value, points)?;
        if let Some(point) = points.get_mut(at) {
            point.value.end = end;
        }
        last = last.max(end);
    }
    Ok(last)
}

/// The entries or items of a block: where each begins, where what belongs to its value begins, and
/// the value. Nothing for what is no block.
fn children<'t>(
    text: &str,
    from: usize,
    tree: &'t Tree,
) -> Result<Vec<(usize, usize, &'t Tree)>, Fault> {
    if !is_block(text, from, tree) {
        return Ok(Vec::new());
    }
    let mut children = Vec::new();
    match &tree.data {
        Data::Map(entries) => {
            for entry in entries {
                let from = after_key(text, entry.key_span)?;
                children.push((entry.key_span.start, from, &entry.value));
            }
        }
        Data::List(items) => {
            for (dash, item) in dashes(text, from, items)?.into_iter().zip(items) {
                children.push((dash, dash + 1, item));
            }
        }
        _ => {}
    }
    Ok(children)
}

/// Whether a value is a map or list in block notation. `from`: behind its key or dash.
pub(super) fn is_block(text: &str, from: usize, tree: &Tree) -> bool {
    let filled = match &tree.data {
        Data::Map(entries) => !entries.is_empty(),
        Data::List(items) => !items.is_empty(),
        _ => false,
    };
    let first = significant(text, from).map(|(_, first)| first);
    filled && !matches!(first, Some('{' | '['))
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

/// The dash of each item of a list in block notation. `from`: behind the key or dash of the list,
/// since a list that is not indented is said to begin behind its first dash.
pub(super) fn dashes(text: &str, from: usize, items: &[Tree]) -> Result<Vec<usize>, Fault> {
    let mut dashes = Vec::with_capacity(items.len());
    let mut next = significant(text, from).filter(|(_, first)| *first == '-');
    for _ in items {
        let Some((dash, _)) = next else {
            return Err((from, "no dash was found for an item of the list".to_owned()));
        };
        dashes.push(dash);
        next = dash_below(text, dash, column(text, dash)).map(|dash| (dash, '-'));
    }
    Ok(dashes)
}

/// The next dash that begins its line in this column: what is inside of an item is deeper.
fn dash_below(text: &str, from: usize, margin: usize) -> Option<usize> {
    let mut at = from;
    for line in text.get(from..)?.split_inclusive('\n') {
        let rest = line.trim_start_matches(' ');
        let dash = at + line.len() - rest.len();
        let alone = rest
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with([' ', '\t', '\n']) || rest.is_empty());
        if dash > from && alone && column(text, dash) == margin {
            return Some(dash);
        }
        at += line.len();
    }
    None
}

/// The next character that is neither space nor in a comment.
fn significant(text: &str, from: usize) -> Option<(usize, char)> {
    let mut comment = false;
    for (at, character) in text.get(from..)?.char_indices() {
        match character {
            '\n' => comment = false,
            '#' => comment = true,
            c if !comment && !c.is_whitespace() => return Some((from + at, c)),
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
