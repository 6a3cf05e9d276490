//! The section `[scheduler]`.

use serde::Deserialize;

/// Settings of the engine. There are none yet; an unknown key is an error.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}
