//! What an expression can do wrong, and where.

/// The text is not an expression.
pub(crate) const SYNTAX: &str = "EXPRESSION_SYNTAX";
/// A limit of this crate was met, before or during evaluation.
pub(crate) const LIMIT: &str = "EXPRESSION_LIMIT";
/// A name or an index does not exist, or null would have to stand inside text.
pub(crate) const RESOLUTION: &str = "VARIABLE_RESOLUTION_ERROR";
/// A name in double quotes stands where text was meant.
pub(crate) const QUOTED_FIELD: &str = "QUOTED_FIELD";
/// A condition is written as a template.
pub(crate) const TEMPLATE_IN_CONDITION: &str = "TEMPLATE_IN_CONDITION";
/// A value has the wrong type for what is done with it.
pub(crate) const TYPE: &str = "EXPRESSION_TYPE";

/// A place in a text, in bytes, `start` included and `end` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this place to the end of `other`.
    pub(crate) fn to(self, other: Span) -> Self {
        Self::new(self.start, other.end)
    }

    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn shifted(self, by: usize) -> Self {
        Self::new(self.start + by, self.end + by)
    }
}

/// A replacement that makes the text right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced, relative to the same text as the error's span.
    pub span: Span,
    /// What is put there.
    pub text: String,
}

/// Why a text is no expression, or why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// One of `EXPRESSION_SYNTAX`, `EXPRESSION_LIMIT`, `EXPRESSION_TYPE`, `VARIABLE_RESOLUTION_ERROR`, `QUOTED_FIELD`,
    /// `TEMPLATE_IN_CONDITION`.
    pub code: &'static str,
    /// One sentence in lower case that names the thing.
    pub message: String,
    /// The place, relative to the text that was given to `parse`.
    pub span: Span,
    /// What may help, most likely first.
    pub hints: Vec<String>,
    /// A safe correction, where there is one.
    pub fix: Option<Fix>,
}

impl Error {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            hints: Vec::new(),
            fix: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn fixed(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            span,
            text: text.into(),
        });
        self
    }

    /// The same error about a text in which ours begins at `by`.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.span = self.span.shifted(by);
        if let Some(fix) = &mut self.fix {
            fix.span = fix.span.shifted(by);
        }
        self
    }
}

/// The result of evaluation inside the crate: boxed, so that the common case stays small.
pub(crate) type Outcome<T> = Result<T, Box<Error>>;

pub(crate) fn fail<T>(code: &'static str, message: impl Into<String>, span: Span) -> Outcome<T> {
    Err(Box::new(Error::new(code, message, span)))
}

impl From<Box<Error>> for Error {
    fn from(boxed: Box<Error>) -> Self {
        *boxed
    }
}
