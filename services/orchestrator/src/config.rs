//! The section `[orchestrator]`.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// Settings of the orchestrator.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders below which a start may name its own as `file://`. A caller that
    /// could name any would read the whole disk through the file engine.
    pub folders: Vec<PathBuf>,
}

impl Config {
    /// The folder that a start names, when it may.
    pub(crate) fn admitted(&self, folder: String) -> String {
        if folder.is_empty() {
            return folder;
        }
        let path = Path::new(&folder);
        let plain = path.is_absolute() && !path.components().any(|c| c == Component::ParentDir);
        if plain && self.folders.iter().any(|f| path.starts_with(f)) {
            return folder;
        }
        tracing::warn!(
            folder,
            "this folder is not served as file://: the mesh was not started in it or above it"
        );
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_admitted_below_a_configured_one_only() {
        let config = Config {
            folders: vec!["/home/a/project".into()],
        };
        let admitted = |folder: &str| config.admitted(folder.to_owned());
        assert_eq!(admitted("/home/a/project"), "/home/a/project");
        assert_eq!(admitted("/home/a/project/flows"), "/home/a/project/flows");
        for foreign in [
            "/",
            "/home/a",
            "/home/a/project2",
            "/home/a/project/../..",
            "flows",
            "",
        ] {
            assert_eq!(admitted(foreign), "", "{foreign}");
        }
    }
}
