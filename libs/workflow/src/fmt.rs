//! Files of our own format in one form: keys of workflows and tasks in the order of the
//! documentation, two spaces of indentation, comments and values as they were written.
//!
//! The file is laid out from its tree: what stands in one line, or in a map or list of the short
//! notation, is copied letter by letter; only blocks are arranged. What was laid out is read again,
//! and given out only if it means the same.

mod comments;
mod layout;
mod order;
mod points;
mod strict;

use crate::builder;
use crate::diagnostic::{Diagnostic, Report, apply_edits};
use crate::source::{Lines, Source, is_json};
use crate::tree::Tree;

/// How a file is formatted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// Whether expressions are written as any implementation of JMESPath reads them, with bare
    /// numbers and words in backticks.
    pub strict: bool,
}

/// Why a file is not formatted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It cannot be read.
    #[error("{}", first(.0))]
    Faults(Vec<Diagnostic>),
    /// It is written in a way that the form has no place for.
    #[error("line {line}: {reason}")]
    Notation {
        /// The line, from 1.
        line: usize,
        /// What it is.
        reason: String,
    },
    /// The file would mean something else.
    #[error("the file would not mean the same afterwards; it is left as it is")]
    Meaning,
}

fn first(faults: &[Diagnostic]) -> String {
    faults.first().map_or_else(String::new, |fault| {
        let line = fault.location.line;
        format!("line {line}: {}: {}", fault.code, fault.message)
    })
}

/// The file in the one form. What is in that form already is given back as it is.
///
/// # Errors
/// Faults of the notation, and notations that the form has no place for: JSON, anchors, tags and
/// keys after a question mark.
pub fn format(text: &str, options: FormatOptions) -> Result<String, FormatError> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if is_json(&text) {
        return Err(FormatError::Notation {
            line: 1,
            reason: "the file is JSON; only YAML has this form".to_owned(),
        });
    }
    let mut out = String::with_capacity(text.len());
    let mut before = 0;
    for (marker, document) in documents(&text) {
        if let Some(marker) = marker {
            out.push_str(marker.trim_end());
            out.push('\n');
            before += 1;
        }
        let formatted = one(document, options).map_err(|error| error.below(before))?;
        before += document.lines().count();
        out.push_str(&formatted);
    }
    Ok(out)
}

impl FormatError {
    /// The error in a file with so many lines before the document.
    fn below(mut self, lines: usize) -> Self {
        match &mut self {
            FormatError::Notation { line, .. } => *line += lines,
            FormatError::Faults(faults) => {
                for fault in faults {
                    fault.location.line += lines;
                }
            }
            FormatError::Meaning => {}
        }
        self
    }
}

/// The documents of a file, each with the line that marks its begin.
fn documents(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut documents: Vec<(Option<&str>, &str)> = Vec::new();
    let (mut marker, mut start, mut at) = (None, 0, 0);
    for line in text.split_inclusive('\n') {
        // Nothing but a marker begins so at the margin, not even inside of a text.
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- #") {
            if at > 0 {
                documents.push((marker, text.get(start..at).unwrap_or_default()));
            }
            marker = Some(line);
            start = at + line.len();
        }
        at += line.len();
    }
    documents.push((marker, text.get(start..).unwrap_or_default()));
    documents
}

fn one(text: &str, options: FormatOptions) -> Result<String, FormatError> {
    let tree = read(text)?;
    if !options.strict {
        return arranged(text, &tree);
    }
    let strict = apply_edits(text, &[strict::edits(text, &tree)]);
    let tree = read(&strict)?;
    arranged(&strict, &tree)
}

fn arranged(text: &str, tree: &Tree) -> Result<String, FormatError> {
    let comments = comments::read(text).map_err(|(at, reason)| FormatError::Notation {
        line: Lines::new(text).line(at),
        reason,
    })?;
    let out =
        layout::arranged(text, tree, comments).map_err(|(at, reason)| FormatError::Notation {
            line: Lines::new(text).line(at),
            reason,
        })?;
    // A text that cannot be read any more means something else, too.
    let same = read(&out).is_ok_and(|now| now.value() == tree.value());
    if same {
        Ok(out)
    } else {
        Err(FormatError::Meaning)
    }
}

fn read(text: &str) -> Result<Tree, FormatError> {
    let source = Source {
        text,
        file_name: "",
        dialect: None,
    };
    let mut report = Report::new(&source);
    let tree = builder::read(&mut report);
    let tree = tree.filter(|_| !report.failed());
    tree.ok_or_else(|| FormatError::Faults(report.finish().0))
}
