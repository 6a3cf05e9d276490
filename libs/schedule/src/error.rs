//! Why a rule cannot be used.

use crate::budget::STEPS_MAX;

/// Longest piece of a rule that a message repeats, in characters.
const SHOWN_MAX: usize = 60;

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The text of a cron expression or of a rule cannot be read.
    #[error("`{}` {why}", shown(.text))]
    Text {
        /// JSON name of the field.
        field: &'static str,
        /// The whole text.
        text: String,
        /// Goes on after the text in quotes, as in `has 4 fields`.
        why: String,
    },
    /// What stands in another field cannot be read.
    #[error("{message}")]
    Invalid {
        /// JSON name of the field.
        field: &'static str,
        /// A sentence of its own.
        message: String,
    },
    /// The one instant has passed.
    #[error("`{0}` has passed; give a later time")]
    InPast(String),
    /// There is no fire.
    #[error("the rule has no fire within the next 10 years")]
    NeverFires,
    /// An answer takes too many steps.
    #[error("the rule takes more than {STEPS_MAX} steps for one fire; make it simpler")]
    TooCostly,
}

impl RuleError {
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }

    pub(crate) fn text(field: &'static str, text: &str, why: impl Into<String>) -> Self {
        Self::Text {
            field,
            text: text.to_owned(),
            why: why.into(),
        }
    }
}

/// A text for a message, shortened.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}..", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
