//! The mesh of separate processes that `deploy/local-mesh` starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{Answer, command, program};

/// Lines shown of each process's log when a test fails.
const TAIL: usize = 15;

/// The script, and the file in its folder where it keeps the ports that it chose.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local-mesh");
const PORTS: &str = "ports";

/// Ends the mesh when the test's process is gone without having done so: its processes
/// are in sessions of their own, and a runner that kills a test does not reach them.
const WATCH: &str = r#"while kill -0 "$1" 2>/dev/null && [ -d "$3" ]; do sleep 1; done
[ -d "$3" ] && "$2" down --folder "$3" && rm -rf "$3""#;

/// Every engine a process of its own behind mTLS, two instances of most, with Consul
/// and Redis; stopped with this value.
#[derive(Debug)]
pub struct LocalMesh {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl LocalMesh {
    /// Starts one on free ports, every process with these environment variables, and
    /// waits until it serves.
    ///
    /// # Panics
    /// When it does not, with what the processes said.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mesh = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            environment: environment.iter().map(own).collect(),
        };
        mesh.watch();
        let answer = mesh.script("up", &["--port", "0"]).await;
        assert!(answer.code == 0, "the mesh starts: {}", answer.err);
        mesh
    }

    /// Runs the script on this mesh: `up` again, `down`, `status`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn script(&self, verb: &str, arguments: &[&str]) -> Answer {
        let mut script = tokio::process::Command::new(SCRIPT);
        script.arg(verb).arg("--folder").arg(self.folder());
        script.args(arguments).current_dir(self.folder());
        script.env("GEARMESH", program("gearmesh"));
        script.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command::answer(script).await
    }

    /// Where the gateway serves.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port("gateway"))
    }

    /// A port that the script chose: `gateway`, `identity`, `redis`, `consul_http` ..
    ///
    /// # Panics
    /// When it chose none of that name.
    #[must_use]
    pub fn port(&self, name: &str) -> u16 {
        let text = std::fs::read_to_string(self.folder().join(PORTS)).expect("the ports");
        let mut words = text
            .split_whitespace()
            .filter_map(|word| word.split_once('='));
        let (_, port) = words
            .find(|(key, _)| *key == name)
            .unwrap_or_else(|| panic!("no port `{name}` in: {text}"));
        port.parse().expect("a port is a number")
    }

    /// Where it lives: `conf/`, `log/`, `run/`, `state/`, `mesh/`, `shared/`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root certificate that its clients trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder().join("mesh/ca/root.pem")
    }

    /// Certificate, key and credential of the client that may do everything.
    #[must_use]
    pub fn login(&self) -> PathBuf {
        self.folder().join("mesh/clients/admin")
    }

    /// Runs the command line as that client.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn gearmesh(&self, arguments: &[&str]) -> Answer {
        let (url, login) = (self.url(), self.login());
        let login = login.to_str().expect("temporary folders have plain names");
        let mut all = vec!["--server", &url, "--login", login];
        all.extend(arguments);
        crate::gearmesh(self.folder(), &all).await
    }

    /// The process id of one of its processes: `http-1`, `vault`, `consul` ..
    ///
    /// # Panics
    /// When it has no process of that name.
    #[must_use]
    pub fn pid(&self, name: &str) -> u32 {
        let path = self.folder().join("run").join(format!("{name}.pid"));
        let text = std::fs::read_to_string(&path).expect("a process of that name");
        text.trim().parse().expect("a process id")
    }

    /// `kill -9`, and waits until it is gone; its file of the process id stays.
    ///
    /// # Panics
    /// When there is no such process.
    pub async fn kill(&self, name: &str) {
        let pid = self.pid(name).to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(killed.expect("kill runs").success(), "`{name}` runs");
        let gone = || !Path::new("/proc").join(&pid).join("exe").exists();
        gearmesh_testkit::wait_until("the process is gone", KILL_MAX, gone).await;
    }

    /// What one of its processes logged.
    ///
    /// # Panics
    /// When it has none of that name.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        let path = self.folder().join("log").join(format!("{name}.log"));
        let bytes = std::fs::read(&path).expect("a log of that name");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn watch(&self) {
        let parent = std::process::id().to_string();
        // Not waited for: it ends by itself once the folder or the test is gone.
        let _ = Command::new("setsid")
            .args(["bash", "-c", WATCH, "watch", &parent, SCRIPT])
            .arg(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }

    fn show(&self) {
        let Ok(logs) = std::fs::read_dir(self.folder().join("log")) else {
            return;
        };
        for log in logs.flatten().map(|entry| entry.path()) {
            let bytes = std::fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL);
            eprintln!("== {}\n{}", log.display(), lines[from..].join("\n"));
        }
    }
}

/// How long a killed process may take to be gone.
const KILL_MAX: std::time::Duration = std::time::Duration::from_secs(5);

impl Drop for LocalMesh {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        let mut down = Command::new(SCRIPT);
        down.arg("down").arg("--folder").arg(self.folder());
        match down.output() {
            Ok(output) if output.status.success() => {}
            failed => eprintln!("the mesh could not be stopped: {failed:?}"),
        }
    }
}
