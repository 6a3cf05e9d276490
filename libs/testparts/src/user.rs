//! The user that a server runs as: some refuse to be root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A Debian user when the tests run as root, else whoever runs them.
#[derive(Debug)]
pub struct User(Option<(u32, u32)>);

impl User {
    /// The user of this name.
    ///
    /// # Panics
    /// When the tests run as root and there is none.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
        if !root {
            return Self(None);
        }
        let all = std::fs::read_to_string("/etc/passwd").expect("users can be listed");
        let ids = all.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (found, _) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (found == name).then_some((uid, gid))
        });
        Self(Some(ids.unwrap_or_else(|| panic!("no user `{name}`"))))
    }

    /// Gives a file or folder to the user.
    ///
    /// # Panics
    /// When it is not ours to give.
    pub fn own(&self, path: &Path) {
        if let Some((uid, gid)) = self.0 {
            chown(path, Some(uid), Some(gid)).expect("the file is ours");
        }
    }

    /// Lets a program run as the user.
    pub fn set(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.gid(gid).uid(uid);
        }
    }

    /// Runs a program as the user to its end.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, command: &mut Command, name: &str) {
        self.set(command);
        let out = command.output();
        let out = out.unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        assert!(
            out.status.success(),
            "{name} failed: {}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }
}
