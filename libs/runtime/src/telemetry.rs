//! Logs.

use tracing_subscriber::EnvFilter;

/// Writes logs to standard error: for people on a terminal, as JSON lines
/// elsewhere. `GEARMESH_LOG` sets the filter; the default is `default`.
///
/// Does nothing when a subscriber is installed already.
pub fn log_to_stderr(default: &str) {
    use std::io::IsTerminal;
    let filter =
        EnvFilter::try_from_env("GEARMESH_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second installation fails, which is what is promised.
    let _ = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
}
