//! The section `[db]`.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of the engine; an unknown key is an error.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders whose files may be opened as SQLite databases; default: `db/` in the
    /// state folder. A relative path of a connection begins in the first.
    pub folders: Vec<PathBuf>,
}
