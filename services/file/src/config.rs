//! The section `[file]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Settings of the engine.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folders that paths may name, by the name before `://`.
    pub roots: BTreeMap<String, RootConfig>,
    /// Where the folders of runs and the notes of calls lie; default: the state folder.
    /// Several instances of the engine must name the same one, on a file system that
    /// they share: a call that is sent again may reach another of them.
    pub shared: Option<PathBuf>,
}

/// A folder that paths may name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootConfig {
    /// The folder; a relative one lies in the state folder.
    pub path: PathBuf,
    /// Whether it may be written. Default: false.
    #[serde(default)]
    pub write: bool,
    /// An absolute prefix that paths may use in place of `NAME://`, as `/results`.
    #[serde(default)]
    pub at: Option<String>,
}
