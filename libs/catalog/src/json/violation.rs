//! What is wrong with a value, and where.

use std::fmt;

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON path of the field, as `items[2].source`; empty: the whole value.
    pub path: String,
    /// What kind of fault it is.
    pub kind: ViolationKind,
    /// One sentence for people, without the path.
    pub message: String,
}

/// Kinds of faults of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViolationKind {
    /// The message has no such field.
    Unknown {
        /// The field that may have been meant.
        nearest: Option<String>,
    },
    /// A required field is absent or empty.
    Missing,
    /// The value has another type.
    Type {
        /// What the field takes, as `a whole number`.
        expected: String,
        /// What was given, as `text`.
        found: String,
    },
    /// The value, length or count is outside of `min` and `max`, or of the type.
    Range,
    /// The text does not match the field's pattern.
    Pattern,
    /// The enum has no such value.
    Enum,
    /// Two values for one field, or two fields of one choice.
    Conflict,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path, self.message)
        }
    }
}

/// A place in a value: a chain on the stack, written out only for a violation.
#[derive(Debug)]
pub(crate) enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
    Key(&'a At<'a>, &'a str),
}

impl At<'_> {
    pub(crate) fn violation(&self, kind: ViolationKind, message: String) -> Violation {
        Violation {
            path: self.to_string(),
            kind,
            message,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) if is_word(key) => write!(f, "{parent}.{key}"),
            Self::Key(parent, key) => write!(f, "{parent}[{key:?}]"),
        }
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
