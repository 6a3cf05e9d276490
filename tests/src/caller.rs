//! The command line towards one mesh.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{Answer, program};

/// Calls `gearmesh` in a folder with the same flags each time, and remembers all
/// that it said.
#[derive(Debug, Clone)]
pub struct Caller {
    folder: PathBuf,
    flags: Vec<String>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Caller {
    /// Calls in this folder, with these flags after the command.
    #[must_use]
    pub fn new(folder: &Path, flags: &[&str]) -> Self {
        Self {
            folder: folder.to_owned(),
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            said: Arc::default(),
        }
    }

    /// Where it calls.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every byte that the calls so far wrote, both streams.
    #[must_use]
    pub fn said(&self) -> Vec<u8> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn gearmesh(&self, arguments: &[&str]) -> Answer {
        self.told(arguments, "").await
    }

    /// Calls a tool; the parameters go by standard input, as secrets must.
    ///
    /// # Panics
    /// When the command cannot be started.
    pub async fn tool(&self, tool: &str, params: &Value) -> Answer {
        let arguments = ["tool", "call", tool, "--params", "-", "-o", "json"];
        self.told(&arguments, &params.to_string()).await
    }

    /// Calls a tool that answers.
    ///
    /// # Panics
    /// When it fails.
    pub async fn call(&self, tool: &str, params: &Value) -> Value {
        let answer = self.tool(tool, params).await;
        assert_eq!(answer.code, 0, "{tool}: {}{}", answer.out, answer.err);
        answer.json()
    }

    async fn told(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = Command::new(program("gearmesh"))
            .args(arguments)
            .args(&self.flags)
            .current_dir(&self.folder)
            .env_remove("GEARMESH_SERVER")
            .env_remove("GEARMESH_FOLDER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be started");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // A command that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("it ends");
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&output.stdout);
        said.extend_from_slice(&output.stderr);
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
