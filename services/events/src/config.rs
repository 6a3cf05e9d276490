//! The section `[events]`.

use serde::Deserialize;

/// Settings of the engine. There are none yet; an unknown key is an error. Which
/// bus there is says the key `bus` at the top.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}
