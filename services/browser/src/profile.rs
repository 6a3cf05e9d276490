//! The folder that a browser writes into.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How often a folder is removed again whose last writer is just ending.
const ATTEMPTS: u32 = 20;

/// Wait between two attempts.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// A fresh folder for one browser, for its user alone. It is removed with all
/// that it holds when the browser has ended.
#[derive(Debug)]
pub(crate) struct Profile {
    path: PathBuf,
    /// For what the browser writes beside its profile.
    short: PathBuf,
}

/// Chromium puts a Unix socket into its temporary folder, and the kernel takes 107
/// bytes for the whole path of one: a state folder is easily deeper.
const SHORT: &str = "/tmp";

/// How the short folders are called.
const SHORT_PREFIX: &str = "gearmesh-browser-";

impl Profile {
    /// Makes a folder below the state folder, and removes those that engines left
    /// behind which were killed.
    pub(crate) fn make(state: &Path, number: u64) -> io::Result<Self> {
        let all = state.join("browser");
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&all)?;
        sweep(&all, "profile-");
        sweep(Path::new(SHORT), SHORT_PREFIX);
        let path = all.join(format!("profile-{}-{number:016x}", std::process::id()));
        make(&path)?;
        // Chromium wants whole paths: it changes its folder.
        let path = path.canonicalize()?;
        let short = format!("{SHORT_PREFIX}{}-{number:x}", std::process::id());
        let short = Path::new(SHORT).join(short);
        // Fails on one that is there: in a folder that all share it may be anybody's.
        DirBuilder::new().mode(0o700).create(&short)?;
        Ok(Self { path, short })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for everything else that the browser writes.
    pub(crate) fn short(&self) -> &Path {
        &self.short
    }

    /// Removes the folders; blocking.
    pub(crate) fn remove(self) {
        // What its processes still write lies in the profile; this one is theirs no more.
        let _ = fs::remove_dir_all(&self.short);
        for _ in 0..ATTEMPTS {
            match fs::remove_dir_all(&self.path) {
                Ok(()) => return,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return,
                // A process of the browser that is just ending wrote once more.
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        tracing::warn!(path = %self.path.display(), "profile of the browser not removed");
    }
}

/// Removes the folders of processes that are no more.
fn sweep(all: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(all) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|n| n.strip_prefix(prefix)?.split('-').next()?.parse().ok());
        let dead = owner.is_some_and(|pid: i32| {
            rustix::process::Pid::from_raw(pid).is_some_and(|pid| {
                rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
            })
        });
        if dead {
            // What cannot be removed now is tried at the next start.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folder_is_private_and_those_of_the_dead_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_owned();
        let all = state.join("browser");
        fs::create_dir_all(all.join("profile-2147483646-1/x")).unwrap();
        let own = all.join(format!("profile-{}-1", std::process::id()));
        fs::create_dir_all(&own).unwrap();
        let profile = Profile::make(&state, 7).unwrap();
        let mode = fs::metadata(profile.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(!all.join("profile-2147483646-1").exists());
        assert!(own.exists(), "of a process that lives");
        let (path, short) = (profile.path().to_owned(), profile.short().to_owned());
        assert!(short.as_os_str().len() < 60 && short.is_dir());
        profile.remove();
        assert!(!path.exists() && !short.exists());
    }
}
