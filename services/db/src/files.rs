//! Which files may be opened as databases.

use std::path::{Component, Path, PathBuf};

/// How a path begins.
const SCHEME: &str = "file:";

/// Folders that hold databases; nothing outside them is opened.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    folders: Vec<PathBuf>,
}

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) mode: Mode,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    Create,
}

impl Files {
    /// These folders; without any the one given.
    pub(crate) fn new(folders: &[PathBuf], default: PathBuf) -> Self {
        let folders = if folders.is_empty() {
            vec![default]
        } else {
            folders.to_vec()
        };
        Self { folders }
    }

    /// Reads `file:PATH` with at most `?mode=ro|rw|rwc`. Looks at the disk.
    pub(crate) fn open(&self, text: &str) -> Result<File, String> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or("a SQLite database is named as `file:NAME.db`")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mode = match query {
            "" | "mode=rwc" => Mode::Create,
            "mode=rw" => Mode::Write,
            "mode=ro" => Mode::Read,
            _ => return Err("after `?` only mode=ro, mode=rw or mode=rwc is read".to_owned()),
        };
        // The library reads `%` and `#` in a way of its own.
        if path.is_empty() || path.contains(['%', '#', '\0']) || path.contains(":memory:") {
            return Err("the path is empty or holds one of % # NUL :memory:".to_owned());
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = self.inside(Path::new(path))?;
        Ok(File { path, mode })
    }

    /// The real path, when it lies in one of the folders.
    fn inside(&self, path: &Path) -> Result<PathBuf, String> {
        if path.components().any(|c| c == Component::ParentDir) {
            return Err("the path has `..`".to_owned());
        }
        let first = self.folders.first().ok_or("no folder holds databases")?;
        let path = first.join(path);
        std::fs::create_dir_all(first)
            .map_err(|e| format!("the folder of databases cannot be made: {e}"))?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err("the path names no file".to_owned());
        };
        let parent = parent
            .canonicalize()
            .map_err(|e| format!("its folder cannot be opened: {e}"))?;
        let path = parent.join(name);
        // A link in the place of the file leads where it leads; one that leads to nothing nowhere.
        let real = match path.symlink_metadata() {
            Ok(_) => path
                .canonicalize()
                .map_err(|e| format!("the file cannot be opened: {e}"))?,
            Err(_) => path,
        };
        let allowed = self
            .folders
            .iter()
            .filter_map(|f| f.canonicalize().ok())
            .any(|folder| real.starts_with(&folder) && real != folder);
        if !allowed {
            return Err(
                "the file lies outside of the folders for databases; add its folder to `folders` in the section [db]"
                    .to_owned(),
            );
        }
        Ok(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_in_the_folders_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let files = Files::new(&[], root.clone());
        let open = |text: &str| files.open(text);
        assert_eq!(open("file:a.db").unwrap().path, root.join("a.db"));
        let absolute = format!("file:{}/a.db?mode=ro", root.display());
        assert_eq!(open(&absolute).unwrap().mode, Mode::Read);
        std::fs::create_dir(root.join("sub")).unwrap();
        assert_eq!(open("file:sub/a.db").unwrap().path, root.join("sub/a.db"));

        std::fs::write(other.path().join("x.db"), "").unwrap();
        std::os::unix::fs::symlink(other.path().join("x.db"), root.join("link.db")).unwrap();
        std::os::unix::fs::symlink(other.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink("/nowhere/x", root.join("dangling")).unwrap();
        let outside = format!("file:{}/x.db", other.path().display());
        for bad in [
            "a.db",
            "file:",
            "file:../a.db",
            "file:sub/../../a.db",
            "file:none/a.db",
            "file:link.db",
            "file:out/x.db",
            "file:dangling",
            "file:a.db?mode=memory",
            "file:a.db?vfs=unix",
            "file::memory:",
            "file:a%2fb",
            "file:.",
            "file:/etc/passwd",
            &outside,
        ] {
            assert!(open(bad).is_err(), "{bad}");
        }
        let both = Files::new(&[root, other.path().to_owned()], PathBuf::new());
        assert!(both.open(&outside).is_ok());
        assert!(both.open("file:link.db").is_ok());
    }
}
