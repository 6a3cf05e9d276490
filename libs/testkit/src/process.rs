//! The built binary as a child process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a process may take to serve; CI machines are slow, hangs are not.
const READY_MAX: Duration = Duration::from_secs(30);

/// Wait between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A child process that dies with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    endpoint: PathBuf,
}

impl Process {
    /// Starts a program that writes its address to `endpoint`, and waits for that.
    ///
    /// # Panics
    /// When it ends first, or does not serve in time.
    pub async fn start(program: &Path, arguments: &[&str], folder: &Path, endpoint: &Path) -> Self {
        let _ = std::fs::remove_file(endpoint);
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let mut process = Self {
            child,
            endpoint: endpoint.to_owned(),
        };
        wait_until("the process serves", READY_MAX, || {
            if let Ok(Some(status)) = process.child.try_wait() {
                panic!("{} ended with {status} before it served", program.display());
            }
            process.address().is_some()
        })
        .await;
        process
    }

    fn address(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.endpoint).ok()?;
        let endpoint: serde_json::Value = serde_json::from_str(&text).ok()?;
        let own = endpoint["pid"].as_u64() == Some(u64::from(self.child.id()));
        endpoint["url"].as_str().filter(|_| own).map(str::to_owned)
    }

    /// The address that it serves on.
    ///
    /// # Panics
    /// When it has taken its endpoint away.
    #[must_use]
    pub fn url(&self) -> String {
        self.address().expect("the process serves")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// SIGTERM, and the exit status after its drain.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        self.child.wait().expect("the process can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within `limit`.
pub async fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !holds() {
        assert!(waited < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}
