//! Files that `init` writes: never over others, secret ones for their owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::init::InitError;

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// Its owner alone.
    Secret,
    /// Everybody.
    Open,
}

/// Makes a folder for its owner alone, with those above it.
pub(crate) fn folder(path: &Path) -> Result<(), InitError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| InitError::File {
            path: path.to_owned(),
            source,
        })
}

/// Writes a file that is not there yet.
pub(crate) fn write(path: &Path, text: &str, mode: Mode) -> Result<(), InitError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::File {
            path: path.to_owned(),
            source,
        },
    };
    let mode = match mode {
        Mode::Secret => 0o600,
        Mode::Open => 0o644,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Refuses when something is at a path.
pub(crate) fn vacant(path: &Path) -> Result<(), InitError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Err(InitError::Exists(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(InitError::File {
            path: path.to_owned(),
            source,
        }),
    }
}
