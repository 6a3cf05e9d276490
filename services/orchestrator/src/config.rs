//! The section `[orchestrator]`.

use serde::Deserialize;

/// Settings of the orchestrator. There are none yet; an unknown key is an error.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}
