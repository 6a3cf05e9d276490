//! The section `[identity]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::ca::LEAF_MAX_S;
use crate::error::Error;

/// Shortest life of a leaf, in seconds: tests alone want one of seconds.
const LEAF_MIN_S: i64 = 2;

/// Settings of the engine; an unknown key is an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Folder of the CA, as `gearmesh init` made it; without it no leaf is signed.
    pub ca: Option<PathBuf>,
    /// How long a leaf is valid from its signing on, in seconds.
    #[serde(alias = "leaflifetime")]
    pub leaf_lifetime: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ca: None,
            leaf_lifetime: LEAF_MAX_S,
        }
    }
}

impl Config {
    pub(crate) fn lifetime(&self) -> Result<i64, Error> {
        if (LEAF_MIN_S..=LEAF_MAX_S).contains(&self.leaf_lifetime) {
            return Ok(self.leaf_lifetime);
        }
        Err(Error::Config(format!(
            "`identity.leafLifetime` is {}; give {LEAF_MIN_S} to {LEAF_MAX_S} seconds",
            self.leaf_lifetime
        )))
    }
}
