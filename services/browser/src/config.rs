//! The section `[browser]`, and what is read of connections of kind `http`.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of the engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Chromium or Chrome. Default: the first of the usual places.
    pub executable: Option<PathBuf>,
    /// Whether Chromium runs in its sandbox. `off` is for root alone, who cannot have one.
    pub sandbox: Sandbox,
    /// Servers that every session may call, private or not, as `http://10.0.0.7:8080`.
    pub allow: Vec<String>,
    /// Ports that may be called beside 80 and 443.
    pub ports: Vec<u16>,
    /// Seconds after which a session that nobody used ends.
    pub idle_seconds: u64,
}

/// Whether Chromium runs in its sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// Always; root cannot start a browser then.
    #[default]
    On,
    /// Not for root.
    Off,
}

/// Half an hour: longer than a person takes to answer a question of a workflow,
/// short enough that forgotten logins do not pile up.
const IDLE_SECONDS: u64 = 30 * 60;

impl Default for Config {
    fn default() -> Self {
        Self {
            executable: None,
            sandbox: Sandbox::On,
            allow: Vec::new(),
            ports: Vec::new(),
            idle_seconds: IDLE_SECONDS,
        }
    }
}

/// What this engine reads of a connection of kind `http`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionSettings {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) allow_private: bool,
    #[serde(default)]
    pub(crate) allow_metadata: bool,
}
