//! The command line as a user calls it.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::program;

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its data.
    pub out: String,
    /// Its messages.
    pub err: String,
}

impl Answer {
    /// The data as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {}\n{}", self.out, self.err))
    }
}

/// Runs `gearmesh` with these arguments in a folder, to its end.
///
/// # Panics
/// When it cannot be started.
pub async fn gearmesh(folder: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(program("gearmesh"));
    command.args(arguments).current_dir(folder);
    command.env_remove("GEARMESH_SERVER");
    command.env_remove("GEARMESH_FOLDER");
    answer(command).await
}

/// Runs a command to its end.
pub(crate) async fn answer(mut command: Command) -> Answer {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("the program can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
