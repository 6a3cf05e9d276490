//! What is wrong with a file, where, and how to mend it.

use std::fmt;

use gearmesh_schedule::Budget;
use jiff::Timestamp;

use crate::source::{Lines, Source, Span, is_json};
use crate::timing::STEPS_MAX;

/// Most diagnostics of one file; what comes after is left out.
pub const DIAGNOSTICS_MAX: usize = 1_000;

/// Most searches for the nearest name in one file: each compares with every name.
const SUGGESTIONS_MAX: usize = 30;

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
    /// At a place whose line and column are not known yet.
    const fn at(severity: Severity, code: &'static str, span: Span, message: String) -> Diagnostic {
        let Span { start, end } = span;
        let location = Location {
            file: String::new(),
            line: 0,
            column: 0,
            length: 0,
            start,
            end,
        };
        Diagnostic {
            code,
            message,
            location,
            hints: Vec::new(),
            edits: Vec::new(),
            severity,
        }
    }

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
    failed: bool,
    suggestions: usize,
    /// What time it is, where somebody says so.
    now: Option<Timestamp>,
    /// What is left of [`STEPS_MAX`].
    steps: Budget,
    /// What callers add to once the list is full: a hostile file costs no more.
    spare: Diagnostic,
}

impl<'a> Report<'a> {
    pub(crate) fn new(source: &Source<'a>) -> Report<'a> {
        let spare = Diagnostic::at(Severity::Error, "", Span::default(), String::new());
        Report {
            text: source.text,
            file: source.file_name,
            lines: Lines::new(source.text),
            found: Vec::new(),
            failed: false,
            suggestions: SUGGESTIONS_MAX,
            now: None,
            steps: Budget::of(STEPS_MAX),
            spare,
        }
    }

    /// The same at a time, so that what is over and what is to come can be told.
    pub(crate) fn at(self, now: Timestamp) -> Report<'a> {
        Report {
            now: Some(now),
            ..self
        }
    }

    pub(crate) const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// What schedules may still look ahead.
    pub(crate) const fn steps(&mut self) -> &mut Budget {
        &mut self.steps
    }

    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    /// A word in the place of a key or value, in the quotes that this has or that JSON wants.
    pub(crate) fn word_at(&self, span: Span, word: &str) -> String {
        let quote = match self.text.as_bytes().get(span.start) {
            Some(b'\'') => "'",
            Some(b'"') => "\"",
            _ if is_json(self.text) => "\"",
            _ => "",
        };
        format!("{quote}{word}{quote}")
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
        self.failed = true;
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
        if self.is_full() {
            self.spare.hints.clear();
            self.spare.edits.clear();
            return &mut self.spare;
        }
        self.found
            .push(Diagnostic::at(severity, code, span, printable(&message)));
        self.found
            .last_mut()
            .expect("one was pushed in the line before")
    }

    /// A report of the same file with what was found before a place, which this one no longer has.
    pub(crate) fn before(&mut self, end: usize) -> Report<'a> {
        let (before, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.found)
            .into_iter()
            .partition(|found| found.location.start < end);
        self.found = rest;
        let failed = before.iter().any(|d| d.severity == Severity::Error);
        Report {
            text: self.text,
            file: self.file,
            lines: self.lines.clone(),
            found: before,
            failed,
            suggestions: SUGGESTIONS_MAX,
            now: self.now,
            steps: Budget::of(STEPS_MAX),
            spare: self.spare.clone(),
        }
    }

    /// Whether what is found from now on is left out.
    pub(crate) const fn is_full(&self) -> bool {
        self.found.len() >= DIAGNOSTICS_MAX
    }

    /// Whether a fault was found that keeps the workflow from starting.
    pub(crate) const fn failed(&self) -> bool {
        self.failed
    }

    /// Whether one more search for the nearest name may be made.
    pub(crate) const fn may_suggest(&mut self) -> bool {
        let left = self.suggestions > 0;
        self.suggestions = self.suggestions.saturating_sub(1);
        left
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
        self.locate();
        self.found
            .into_iter()
            .partition(|d| d.severity == Severity::Error)
    }

    /// Fills lines and columns in, in one walk: a file may be one long line.
    fn locate(&mut self) {
        let (mut at, mut line, mut column) = (0, 1, 1);
        for Diagnostic { location, .. } in &mut self.found {
            location.end = location.end.min(self.text.len());
            location.start = location.start.min(location.end);
            let now = self.lines.line(location.start);
            if now != line {
                (at, line, column) = (self.lines.start(now), now, 1);
            }
            column += self
                .text
                .get(at..location.start)
                .map_or(0, |before| before.chars().count());
            at = location.start;
            location.file = self.file.to_owned();
            location.line = line;
            location.column = column;
            location.length = self
                .text
                .get(location.start..location.end)
                .map_or(0, |within| within.chars().count());
        }
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
