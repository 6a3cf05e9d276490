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

/// Settings of a connection, as they stand under `[connections.NAME]` or in the vault.
#[derive(Default, Deserialize)]
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
    /// Headers that go with each request: values, or references to them.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Token that goes with each request as `Authorization: Bearer`, or its reference.
    #[serde(default)]
    pub(crate) bearer: Option<String>,
}

impl ConnectionSettings {
    /// All that may be a reference, in a fixed order.
    pub(crate) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.headers.values_mut().chain(self.bearer.as_mut())
    }
}
