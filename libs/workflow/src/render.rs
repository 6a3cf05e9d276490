//! A diagnostic as people read it, under the line that it is about.

use std::fmt::Write;

use crate::diagnostic::{Diagnostic, Severity};

/// Columns of a tab when a line is shown.
const TAB: usize = 4;

/// Longest line that is shown, in characters before the place and after it.
const AROUND: usize = 100;

/// The diagnostic with the reader's own line, marks under the place, and what may help.
///
/// `text` is the file that was checked. Several lines, the last without its end.
#[must_use]
pub fn render(diagnostic: &Diagnostic, text: &str) -> String {
    let Diagnostic {
        code,
        message,
        location,
        hints,
        edits,
        severity,
    } = diagnostic;
    let kind = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // The question of the message stands below the line, where help is looked for.
    let (sentence, question) = match message.split_once("; did you mean ") {
        Some((sentence, rest)) => (sentence, Some(format!("did you mean {rest}"))),
        None => (message.as_str(), None),
    };
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    let mut out = format!(
        "{kind}[{code}]: {sentence}\n{margin}--> {}:{}:{}\n",
        location.file, location.line, location.column
    );
    let (line, marks) = excerpt(text, location.start, location.end);
    let _ = writeln!(out, "{margin} |\n{number} | {line}\n{margin} | {marks}");
    let fix = (!edits.is_empty()).then(|| format!("gearmesh validate --fix {}", location.file));
    let mut help: Vec<String> = question.into_iter().chain(hints.iter().cloned()).collect();
    match (help.first_mut(), fix) {
        (Some(first), Some(fix)) => *first = format!("{first}   {fix}"),
        (None, Some(fix)) => help.push(fix),
        (_, None) => {}
    }
    for line in help {
        let _ = writeln!(out, "{margin} = help: {line}");
    }
    if *severity == Severity::Error {
        let _ = writeln!(out, "{margin} = note: nothing was run");
    }
    out.truncate(out.trim_end().len());
    out
}

/// The line of a place as it is shown, and the marks under it.
fn excerpt(text: &str, start: usize, end: usize) -> (String, String) {
    let start = start.min(text.len());
    let from = text
        .get(..start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let rest = text.get(from..).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let at = start - from.min(start);
    let skipped = line
        .get(..at)
        .map_or(0, |before| before.chars().count().saturating_sub(AROUND));
    let (mut shown, mut indent, mut width) = (String::new(), 0, 0);
    let mut characters = 0;
    for (offset, character) in line.char_indices().skip(skipped) {
        characters += 1;
        if characters > 2 * AROUND {
            shown.push_str("..");
            break;
        }
        let columns = columns(character);
        match character {
            '\t' => shown.push_str(&" ".repeat(TAB)),
            c if c.is_control() => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
        if offset < at {
            indent += columns;
        } else if from + offset < end {
            width += columns;
        }
    }
    (
        shown.trim_end().to_owned(),
        format!("{}{}", " ".repeat(indent), "^".repeat(width.max(1))),
    )
}

/// How many columns of a terminal a character takes.
fn columns(character: char) -> usize {
    match u32::from(character) {
        0x09 => TAB,
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
