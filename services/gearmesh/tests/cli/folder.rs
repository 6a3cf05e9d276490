//! A folder in which commands run.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder with the settings of nobody.
pub(crate) struct Folder {
    folder: TempDir,
}

/// A command that is under way.
pub(crate) struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    err: BufReader<std::process::ChildStderr>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("the folder and the process of the test work"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder and the process of the test work");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name))
            .expect("the folder and the process of the test work")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gearmesh"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for name in [
            "GEARMESH_SERVER",
            "GEARMESH_FOLDER",
            "GEARMESH_LOG",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn gearmesh(&self, words: &[&str]) -> Ended {
        Ended::of(
            self.command(words)
                .output()
                .expect("the folder and the process of the test work"),
        )
    }

    /// Starts a command.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let mut child = self
            .command(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the folder and the process of the test work");
        Running {
            out: BufReader::new(
                child
                    .stdout
                    .take()
                    .expect("the folder and the process of the test work"),
            ),
            err: BufReader::new(
                child
                    .stderr
                    .take()
                    .expect("the folder and the process of the test work"),
            ),
            child,
        }
    }

    /// Starts `dev` and waits until it serves; its address.
    pub(crate) fn dev(&self, words: &[&str]) -> (Running, String) {
        let mut all = vec!["dev", "-o", "ndjson"];
        all.extend(words);
        let mut dev = self.start(&all);
        let line = dev.line();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{e}: {line:?} {}", dev.rest_of_err()));
        (
            dev,
            ready["url"]
                .as_str()
                .expect("the folder and the process of the test work")
                .to_owned(),
        )
    }
}

impl Running {
    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out
            .read_line(&mut line)
            .expect("the folder and the process of the test work");
        line
    }

    /// Waits for a line of standard error with this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut all = String::new();
        while !all.lines().any(|line| line.contains(text)) {
            assert_ne!(
                self.err
                    .read_line(&mut all)
                    .expect("the folder and the process of the test work"),
                0,
                "no line with {text:?} in {all:?}"
            );
        }
    }

    fn rest_of_err(&mut self) -> String {
        let mut rest = String::new();
        self.err
            .read_to_string(&mut rest)
            .expect("the folder and the process of the test work");
        rest
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the folder and the process of the test work");
    }

    /// Closes the reading end of standard output.
    pub(crate) fn close(self) -> Ended {
        let Self {
            mut child,
            out,
            mut err,
        } = self;
        drop(out);
        let mut text = String::new();
        err.read_to_string(&mut text)
            .expect("the folder and the process of the test work");
        Ended {
            code: child
                .wait()
                .expect("the folder and the process of the test work")
                .code(),
            out: String::new(),
            err: text,
        }
    }

    pub(crate) fn end(mut self) -> Ended {
        let (mut out, mut err) = (String::new(), String::new());
        self.out
            .read_to_string(&mut out)
            .expect("the folder and the process of the test work");
        self.err
            .read_to_string(&mut err)
            .expect("the folder and the process of the test work");
        Ended {
            code: self
                .child
                .wait()
                .expect("the folder and the process of the test work")
                .code(),
            out,
            err,
        }
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)
                .expect("the folder and the process of the test work"),
            err: String::from_utf8(output.stderr)
                .expect("the folder and the process of the test work"),
        }
    }

    /// Checks the exit code.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// A workflow of three tasks on files and state.
pub(crate) const SMALL: &str = r#"
name: small
inputs:
  n: {type: integer, default: 2}
tasks:
  - id: put
    tool: state.put
    params: {key: a, value: "${inputs.n}"}
  - id: write
    tool: file.write
    params: {path: /results/a.txt, content: "n=${inputs.n}"}
  - id: read
    needs: [write]
    tool: file.read
    params: {path: /results/a.txt}
outputs:
  text: ${read.result.content}
"#;

/// A workflow whose first task takes a while.
pub(crate) const SLOW: &str = r#"
name: slow
tasks:
  - id: wait
    tool: http.request
    connection: demo-site
    params: {url: "/api/quotes?delay=1s"}
  - id: after
    needs: [wait]
    set: {done: true}
outputs:
  done: ${after.result.done}
"#;
