//! Why a process did not start.

use std::path::PathBuf;

/// Why a process did not start, or a service could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is not valid.
    #[error("configuration `{key}`: {reason}")]
    Config {
        /// The key at fault.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration would let strangers in.
    #[error("INSECURE_CONFIG: `{key}`: {reason}")]
    Insecure {
        /// The key at fault.
        key: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the state folder cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    /// The engines cannot be joined.
    #[error(transparent)]
    Link(#[from] gearmesh_link::Error),
    /// A service did not start.
    #[error("service `{service}` did not start: {source}")]
    Service {
        /// Its name.
        service: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
