//! The comments of a file, and what each belongs to.
//!
//! A comment behind something belongs to that. One in a line of its own belongs to what follows,
//! unless it is indented deeper: then it ends what stands before. Those above the file's first key
//! that an empty line parts from it, and those at the margin behind its end, belong to the file.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, Span as ParserSpan};

use super::points::{Fault, Point, column};
use crate::builder;

/// Most comments of a file that are read at one place.
const TOGETHER_MAX: usize = 10_000;

/// A comment of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What belongs to an entry or item: lines as they are printed, an empty one for a gap.
#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) before: Vec<String>,
    /// Behind it in its line, with the space before it.
    pub(super) beside: Option<String>,
    pub(super) after: Vec<String>,
}

/// What belongs to what.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub(super) head: Vec<String>,
    pub(super) of: HashMap<usize, Attached>,
    pub(super) foot: Vec<String>,
}

/// All comments. A file with anchors or tags is refused: what is moved may part them from what
/// they are for.
pub(super) fn read(text: &str) -> Result<Vec<Comment>, Fault> {
    let mut options = builder::options();
    options.set_emit_comments(true);
    options.max_buffered_comment_events = TOGETHER_MAX;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut comments = Vec::new();
    let place = |span: ParserSpan| {
        let start = span.start.byte_offset().unwrap_or_default();
        (start, span.end.byte_offset().unwrap_or(start))
    };
    while let Some(event) = parser.next_event() {
        let Ok((event, span)) = event else {
            return Err((0, "the comments of the file cannot be read".to_owned()));
        };
        let (start, end) = place(span);
        let refused = match event {
            Event::Comment(..) => {
                comments.push(Comment { start, end });
                None
            }
            Event::Alias(_) => Some("an alias"),
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => match (anchor, tag) {
                (0, None) => None,
                (0, Some(_)) => Some("a tag"),
                _ => Some("an anchor"),
            },
            Event::DocumentStart(true, _) => Some("a directive"),
            _ => None,
        };
        if let Some(what) = refused {
            return Err((
                start,
                format!("{what}; a file that has one is left as it is"),
            ));
        }
    }
    comments.sort_by_key(|comment| comment.start);
    Ok(comments)
}

/// Finds out what the comments belong to, and where lines are left empty.
pub(super) fn attach(text: &str, points: &[Point], comments: &[Comment]) -> Comments {
    let mut found = Comments::default();
    let first = points.first().map_or(text.len(), |point| point.start);
    let mut own = Vec::new();
    for comment in comments {
        let next = points.partition_point(|point| point.start < comment.start);
        let holder = next.checked_sub(1).and_then(|at| points.get(at));
        if is_own_line(text, comment.start) {
            let inside = holder.is_some_and(|point| {
                !point.block && (point.value.start..point.value.end).contains(&comment.start)
            });
            if !inside {
                own.push((*comment, next));
            }
        } else if let Some(point) = holder {
            beside(text, point, *comment, &mut found);
        }
    }
    let outer = outer(points);
    let head = head_length(text, &own, first);
    for (at, (comment, next)) in own.iter().enumerate() {
        let line = shown(text, *comment);
        let gap = follows_gap(text, comment.start).then(String::new);
        let lines = if at < head {
            &mut found.head
        } else {
            let margin = column(text, comment.start);
            lines_for(points, &outer, margin, *next, &mut found)
        };
        lines.extend(gap);
        lines.push(line);
    }
    // The gap above the first belongs to what stands above it.
    for point in points.iter().skip(1) {
        // The first key of an item stands in the line of its dash.
        if follows_gap(text, point.start) && is_own_line(text, point.start) {
            let before = &mut found.of.entry(point.start).or_default().before;
            before.push(String::new());
        }
    }
    found
}

/// The lines that a comment of its own line goes to.
fn lines_for<'c>(
    points: &[Point],
    outer: &[Option<usize>],
    margin: usize,
    next: usize,
    found: &'c mut Comments,
) -> &'c mut Vec<String> {
    let following = points.get(next);
    if following.is_none() && margin == 0 {
        return &mut found.foot;
    }
    if let Some(following) = following
        && following.column >= margin
    {
        return &mut found.of.entry(following.start).or_default().before;
    }
    // Deeper than what follows: what it ends is the last before it that is not deeper still.
    let mut at = next.checked_sub(1);
    while let Some(inner) = at
        && points.get(inner).is_some_and(|point| point.column > margin)
    {
        at = outer.get(inner).copied().flatten();
    }
    let holder = at.and_then(|at| points.get(at));
    match (holder, following) {
        // Above the first of a block.
        (Some(holder), Some(following)) if holder.block && following.start < holder.value.end => {
            &mut found.of.entry(following.start).or_default().before
        }
        (Some(holder), _) => &mut found.of.entry(holder.start).or_default().after,
        (None, Some(following)) => &mut found.of.entry(following.start).or_default().before,
        (None, None) => &mut found.foot,
    }
}

/// For each point the last one before it that is less deep.
fn outer(points: &[Point]) -> Vec<Option<usize>> {
    let mut outer: Vec<Option<usize>> = Vec::with_capacity(points.len());
    for (position, point) in points.iter().enumerate() {
        let mut at = position.checked_sub(1);
        while let Some(before) = at
            && points
                .get(before)
                .is_some_and(|before| before.column >= point.column)
        {
            at = outer.get(before).copied().flatten();
        }
        outer.push(at);
    }
    outer
}

/// Puts a comment behind what stands in its line.
fn beside(text: &str, point: &Point, comment: Comment, found: &mut Comments) {
    let inside = comment.start >= point.value.start && comment.start < point.value.end;
    if inside && !point.block {
        return;
    }
    let attached = found.of.entry(point.start).or_default();
    if attached.beside.is_some() {
        attached.before.push(shown(text, comment));
        return;
    }
    let before = text.get(..comment.start).unwrap_or_default();
    let space = before.len() - before.trim_end_matches([' ', '\t']).len();
    let space = " ".repeat(space.max(1));
    attached.beside = Some(format!("{space}{}", shown(text, comment)));
}

/// How many of the comments stand above the file: up to the last gap before the first key.
fn head_length(text: &str, own: &[(Comment, usize)], first: usize) -> usize {
    let above = own
        .iter()
        .take_while(|(comment, _)| comment.end <= first)
        .count();
    if follows_gap(text, first) {
        return above;
    }
    let gaps = own.iter().take(above).enumerate().rev();
    let mut gaps = gaps.filter(|(_, (comment, _))| follows_gap(text, comment.start));
    gaps.next().map_or(0, |(at, _)| at)
}

fn shown(text: &str, comment: Comment) -> String {
    let text = text.get(comment.start..comment.end).unwrap_or_default();
    text.trim_end().to_owned()
}

/// Whether nothing but space stands before a place in its line.
fn is_own_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    before
        .get(line..)
        .is_some_and(|line| line.trim_matches([' ', '\t']).is_empty())
}

/// Whether the line above the line of a place is empty.
fn follows_gap(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let Some(end) = before.rfind('\n') else {
        return false;
    };
    let above = before.get(..end).unwrap_or_default();
    let line = above.rfind('\n').map_or(0, |end| end + 1);
    above.get(line..).is_some_and(|line| line.trim().is_empty())
}
