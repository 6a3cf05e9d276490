//! Why the site cannot be served.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the site cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("the demo site cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the site cannot be used.
    #[error("the demo site cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("the demo site stopped: {0}")]
    Serve(std::io::Error),
}
