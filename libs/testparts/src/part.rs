//! What all servers share: a folder, a port, a child process that ends with it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long a server may take until it answers; CI machines are slow, hangs are not.
pub const READY_MAX: Duration = Duration::from_secs(60);

/// A port on loopback that was free a moment ago.
///
/// # Panics
/// When none can be bound.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A temporary folder that servers of other users can enter.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
        .expect("the folder is ours");
    folder
}

/// A server's process, in a process group of its own. It dies with this value.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts a program; what it says goes to a file in `folder`.
    ///
    /// # Panics
    /// When it cannot be started: a part that is missing fails the test.
    #[must_use]
    pub fn start(name: &'static str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.out"));
        let out = std::fs::File::create(&log).expect("the folder can be written");
        let err = out.try_clone().expect("a second handle");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        Self { name, child, log }
    }

    /// Whether the process has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().ok().flatten().is_some()
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills the whole group at once, as a crash would.
    pub fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        // Gone already is as good.
        let _ = Command::new("kill")
            .args(["-9", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.wait();
    }
}

/// Ends a part, and removes its folder, when this process ends, however it does: for parts
/// that all tests of a process share, which no drop ends.
#[derive(Debug)]
pub(crate) struct Watch {
    /// With its standard input, whose end it waits for.
    _child: Child,
}

impl Watch {
    pub(crate) fn over(part: &Part, folder: &Path) -> Self {
        // It reads until the pipe's other end is gone with this process.
        let script = "read -r _; kill -9 -- \"-$0\"; sleep 1; rm -rf \"$1\"";
        let child = Command::new("sh")
            .args(["-c", script, &part.child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        Self { _child: child }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = self.said();
            let tail: Vec<&str> = said.lines().rev().take(40).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!(
                "--- the end of what {} said\n{}",
                self.name,
                tail.join("\n")
            );
        }
    }
}
