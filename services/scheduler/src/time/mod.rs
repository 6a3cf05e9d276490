//! When a schedule fires: pure, no clock, no store.
//!
//! A rule is expanded on the local clock without a zone (`civil`), and the
//! zone's changes are laid over it afterwards (`line`): so each change of the
//! clock is decided in one place, by the schedule's own policy. What counts
//! elapsed time stays on the line of instants from the start.

mod budget;
mod civil;
mod cron;
mod elapsed;
mod instant;
mod line;
mod recurrence;
mod rule_text;
mod timetable;
mod words;

pub(crate) use line::{Fire, Mark};
pub(crate) use timetable::{Kind, Spec, Timetable};

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    /// What stands in a field cannot be read.
    #[error("{message}")]
    Invalid {
        /// JSON name of the field.
        field: &'static str,
        message: String,
    },
    /// The one instant has passed.
    #[error("`{0}` has passed; give a later time")]
    InPast(String),
    /// There is no fire.
    #[error("the rule has no fire within the next 10 years")]
    NeverFires,
    /// An answer takes too many steps.
    #[error("the rule takes more than {max} steps for one fire; make it simpler", max = budget::STEPS_MAX)]
    TooCostly,
}

impl RuleError {
    fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests;
