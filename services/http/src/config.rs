//! The section `[http]`, and connections of kind `http`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Settings of the engine.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Ports that may be called beside 80 and 443.
    pub ports: Vec<u16>,
}

/// Settings of a connection, as they stand under `[connections.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConnectionSettings {
    /// Address of the server; a path in it stands before each path called.
    pub(crate) url: String,
    /// Whether the server may have a private address.
    #[serde(default)]
    pub(crate) allow_private: bool,
    /// Whether the server may have the address of a metadata service.
    #[serde(default)]
    pub(crate) allow_metadata: bool,
    /// Headers that go with each request, credentials among them.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}
