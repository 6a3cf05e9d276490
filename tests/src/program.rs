//! Where the programs of this build are.

use std::path::PathBuf;

/// A program of this build, as `gearmesh`: beside the folder of the test programs.
///
/// # Panics
/// When it is not there, naming the command that builds it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own
        .parent()
        .and_then(|deps| deps.parent())
        .expect("test programs are in `deps` of the build's folder");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there; build it: cargo build -p gearmesh",
        path.display()
    );
    path
}
