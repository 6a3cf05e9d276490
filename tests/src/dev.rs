//! `gearmesh dev` as a process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use gearmesh_testkit::wait_until;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Caller, program};

/// How long it may take to serve, or to drain; CI machines are slow, hangs are not.
const READY_MAX: Duration = Duration::from_secs(30);

/// The whole mesh in one process, in a folder of its own. It is asked to end when
/// this value is dropped, so that it can end its browser.
#[derive(Debug)]
pub struct Dev {
    child: Child,
    folder: TempDir,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    caller: Caller,
}

impl Dev {
    /// Starts it with settings as `--set` takes them, and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(environment: &[(&str, &str)], settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut dev = Self {
            child: spawn(folder.path(), &environment, &settings),
            caller: Caller::new(folder.path(), &[]),
            folder,
            settings,
            environment,
        };
        dev.ready().await;
        dev
    }

    /// Its folder: state below `.gearmesh`, what it said in `dev.out` and `dev.err`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command line towards it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Where it serves.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn url(&self) -> String {
        self.address().expect("it serves")
    }

    /// `kill -9`, and the same start again.
    ///
    /// # Panics
    /// When it does not serve again.
    pub async fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.child = spawn(self.folder.path(), &self.environment, &self.settings);
        self.ready().await;
    }

    /// SIGTERM, and the exit status after its drain.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn stop(&mut self) -> ExitStatus {
        terminate(&self.child);
        let mut status = None;
        wait_until("the process ends", READY_MAX, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .await;
        status.expect("it has ended")
    }

    async fn ready(&mut self) {
        wait_until("the process serves", READY_MAX, || {
            if let Ok(Some(status)) = self.child.try_wait() {
                let said = std::fs::read_to_string(self.folder.path().join("dev.err"));
                panic!("ended with {status} before it served: {said:?}");
            }
            self.address().is_some()
        })
        .await;
    }

    fn address(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.path().join(".gearmesh/endpoint")).ok()?;
        let endpoint: Value = serde_json::from_str(&text).ok()?;
        let own = endpoint["pid"].as_u64() == Some(u64::from(self.child.id()));
        endpoint["url"].as_str().filter(|_| own).map(str::to_owned)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        terminate(&self.child);
        let look = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while matches!(self.child.try_wait(), Ok(None)) && waited < READY_MAX {
            std::thread::sleep(look);
            waited += look;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    // Gone already is as good.
    let _ = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
}

fn spawn(folder: &Path, environment: &[(String, String)], settings: &[String]) -> Child {
    let log = |name: &str| {
        let path = folder.join(name);
        let log = File::options().create(true).append(true).open(path);
        log.expect("the folder is ours")
    };
    let mut command = Command::new(program("gearmesh"));
    command.args(["dev", "--port", "0"]);
    for set in settings {
        command.args(["--set", set]);
    }
    command
        .envs(environment.iter().map(|(n, v)| (n, v)))
        .env_remove("GEARMESH_SERVER")
        .env_remove("GEARMESH_FOLDER")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log("dev.out"))
        .stderr(log("dev.err"))
        .spawn()
        .expect("the program can be started")
}
