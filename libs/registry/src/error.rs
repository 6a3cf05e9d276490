//! What can be wrong with a registry.

/// What can be wrong with a registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The setting cannot be read.
    #[error("`{text}` is no registry: {reason}")]
    Setting {
        /// What was given.
        text: String,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// The Consul agent did not answer.
    #[error("the Consul agent could not {action}: {reason}")]
    Agent {
        /// What it was asked to do.
        action: &'static str,
        /// What came instead.
        reason: String,
    },
}

impl Error {
    pub(crate) fn setting(text: &str, reason: impl Into<String>) -> Self {
        Self::Setting {
            text: text.to_owned(),
            reason: reason.into(),
        }
    }
}
