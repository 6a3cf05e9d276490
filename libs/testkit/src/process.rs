//! The built binary as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use gearmesh_testparts::wait_until;

/// How long a process may take to serve; CI machines are slow, hangs are not.
const READY_MAX: Duration = Duration::from_secs(30);

/// A child process that dies with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: Address,
}

/// How a process tells where it serves.
#[derive(Debug)]
enum Address {
    /// By a file.
    File(PathBuf),
    /// It has said it.
    Said(String),
}

impl Process {
    /// Starts a program that writes its address to `endpoint`, and waits for that.
    ///
    /// # Panics
    /// When it ends first, or does not serve in time.
    pub async fn start(program: &Path, arguments: &[&str], folder: &Path, endpoint: &Path) -> Self {
        Self::start_in(program, arguments, &[], folder, endpoint).await
    }

    /// Starts a program as [`Process::start`] does, with further environment variables.
    ///
    /// # Panics
    /// When it ends first, or does not serve in time.
    pub async fn start_in(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        folder: &Path,
        endpoint: &Path,
    ) -> Self {
        let _ = std::fs::remove_file(endpoint);
        let mut process = Self {
            child: spawn(program, arguments, environment, folder, Stdio::null()),
            address: Address::File(endpoint.to_owned()),
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

    /// Starts a program whose first line on standard output is JSON with its `url`,
    /// said when all is there that it waits for, and waits for that.
    ///
    /// # Panics
    /// When it ends first, says something else, or nothing in time.
    pub async fn start_saying(program: &Path, arguments: &[&str], folder: &Path) -> Self {
        let mut child = spawn(program, arguments, &[], folder, Stdio::piped());
        let out = child.stdout.take().expect("standard output is a pipe");
        let mut process = Self {
            child,
            address: Address::Said(String::new()),
        };
        let line = tokio::task::spawn_blocking(|| first_line(out));
        let line = tokio::time::timeout(READY_MAX, line).await;
        let line = line
            .unwrap_or_else(|_| panic!("{}: not ready within {READY_MAX:?}", program.display()))
            .expect("the reader does not panic");
        let said: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{} said {line:?}: {e}", program.display()));
        let url = said["url"].as_str().expect("it says its `url`");
        process.address = Address::Said(url.to_owned());
        process
    }

    fn address(&self) -> Option<String> {
        let endpoint = match &self.address {
            Address::File(path) => path,
            Address::Said(url) => return Some(url.clone()),
        };
        let text = std::fs::read_to_string(endpoint).ok()?;
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

fn spawn(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    folder: &Path,
    out: Stdio,
) -> Child {
    Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .expect("the program can be started")
}

/// The first line; empty when the program ended before it.
fn first_line(out: ChildStdout) -> String {
    let mut line = String::new();
    // A broken pipe is an end as well.
    let _ = BufReader::new(out).read_line(&mut line);
    line
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
