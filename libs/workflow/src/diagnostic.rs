//! What is wrong with a file, where, and how to mend it.

use std::fmt;

use crate::source::{Lines, Source, Span};

/// Most diagnostics of one file; what comes after is left out.
pub const DIAGNOSTICS_MAX: usize = 1_000;

/// Most searches for the nearest name in one file: each compares with every name.
const SUGGESTIONS_MAX: usize = 100;

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its code, as `UNKNOWN_KEY`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Where.
    pub location: Location,
    /// What may help.
    pub hints: Vec<String>,
    /// Edits that mend it without changing the meaning; empty: none is safe.
    pub edits: Vec<Edit>,
    /// Whether it keeps the workflow from starting.
    pub severity: Severity,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Length in characters; 0 for a place between two.
    pub length: usize,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

/// A change of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Offset of the first byte that is replaced.
    pub start: usize,
    /// Offset behind the last byte that is replaced.
    pub end: usize,
    /// What takes its place.
    pub text: String,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The workflow cannot start.
    Error,
    /// It can, but may not do what is meant.
    Warning,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location {
            file, line, column, ..
        } = &self.location;
        write!(f, "{file}:{line}:{column}: {}: {}", self.code, self.message)
    }
}

impl Diagnostic {
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Diagnostic {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn edit(&mut self, span: Span, text: impl Into<String>) -> &mut Diagnostic {
        self.edits.push(Edit {
            start: span.start,
            end: span.end,
            text: text.into(),
        });
        self
    }
}

/// The text with all edits of the diagnostics made; of edits that overlap, the first.
#[must_use]
pub fn apply_edits(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut edits: Vec<&Edit> = diagnostics.iter().flat_map(|d| &d.edits).collect();
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    let mut last: Option<&Edit> = None;
    for edit in edits {
        let (Some(kept), true) = (text.get(done..edit.start), text.is_char_boundary(edit.end))
        else {
            continue;
        };
        if edit.end < edit.start || last == Some(edit) {
            continue;
        }
        result.push_str(kept);
        result.push_str(&edit.text);
        done = edit.end;
        last = Some(edit);
    }
    result.push_str(text.get(done..).unwrap_or_default());
    result
}

/// The diagnostics of one file as they are found.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    text: &'a str,
    file: &'a str,
    lines: Lines,
    found: Vec<Diagnostic>,
    suggestions: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(source: &Source<'a>) -> Report<'a> {
        Report {
            text: source.text,
            file: source.file_name,
            lines: Lines::new(source.text),
            found: Vec::new(),
            suggestions: SUGGESTIONS_MAX,
        }
    }

    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        self.lines.line(span.start)
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Error, code, span, message.into())
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Warning, code, span, message.into())
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Span,
        message: String,
    ) -> &mut Diagnostic {
        // The last place is written over once the list is full: callers get a
        // diagnostic to add to, and a hostile file costs no more memory.
        if self.found.len() >= DIAGNOSTICS_MAX {
            self.found.pop();
        }
        let location = self.locate(span);
        let message = printable(&message);
        self.found.push(Diagnostic {
            code,
            message,
            location,
            hints: Vec::new(),
            edits: Vec::new(),
            severity,
        });
        self.found
            .last_mut()
            .expect("one was pushed in the line before")
    }

    /// Whether a fault was found that keeps the workflow from starting.
    pub(crate) fn failed(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether one more search for the nearest name may be made.
    pub(crate) fn may_suggest(&mut self) -> bool {
        let left = self.suggestions > 0;
        self.suggestions = self.suggestions.saturating_sub(1);
        left
    }

    fn locate(&self, span: Span) -> Location {
        let end = span.end.min(self.text.len());
        let start = span.start.min(end);
        let line = self.lines.line(start);
        let before = self
            .text
            .get(self.lines.start(line)..start)
            .unwrap_or_default();
        let within = self.text.get(start..end).unwrap_or_default();
        Location {
            file: self.file.to_owned(),
            line,
            column: before.chars().count() + 1,
            length: within.chars().count(),
            start,
            end,
        }
    }

    /// Errors and warnings, each in the order of the file and each once.
    pub(crate) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        self.found.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.location.start, d.location.end, d.code);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.found.dedup_by(|a, b| {
            a.code == b.code && a.location == b.location && a.message == b.message
        });
        self.found
            .into_iter()
            .partition(|d| d.severity == Severity::Error)
    }
}

/// A message whose control characters are written out: names come from the file.
fn printable(message: &str) -> String {
    if !message.chars().any(char::is_control) {
        return message.to_owned();
    }
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            text.extend(character.escape_default())
        } else {
            text.push(character)
        }
    }
    text
}

/// Longest piece of the file that a message repeats, in characters.
const QUOTE_MAX: usize = 60;

/// A piece of the file for a message, shortened.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE_MAX) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}
