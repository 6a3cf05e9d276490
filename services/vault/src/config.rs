//! The section `[vault]`.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of the engine. The second spelling of each is that of the environment
/// (`GEARMESH_VAULT__ROOTKEY`).
#[derive(Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Where the root key is: `file:PATH`, or `hex:` with 64 digits for an
    /// environment that keeps it. Default: `vault.key` in the state folder.
    #[serde(alias = "rootkey")]
    pub root_key: Option<String>,
    /// A file with the passphrase from which the root key is derived, instead.
    #[serde(alias = "passphrasefile")]
    pub passphrase_file: Option<PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("root_key", &self.root_key.as_ref().map(|_| "***"))
            .field("passphrase_file", &self.passphrase_file)
            .finish()
    }
}
