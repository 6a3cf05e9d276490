//! Whether a suite finds a planted bug: a test binary starts itself again with the bug in.

use std::process::{Command, Stdio};

use crate::VARIABLE;

/// What a suite made of a planted bug.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Whether the process passed the bug's place at all.
    pub met: bool,
    /// Whether the suite failed.
    pub found: bool,
    /// The seed that its failure names, when it names one as `seed N`.
    pub seed: Option<u64>,
    /// The line in which it says what is wrong.
    pub said: String,
}

/// Arms this process as its starter says. A suite calls it first.
///
/// # Panics
/// When the starter's text is no plan.
#[expect(
    clippy::disallowed_methods,
    reason = "how a test binary is told what to be"
)]
pub fn arm_as_told() {
    if let Ok(text) = std::env::var(VARIABLE) {
        crate::arm(&text).expect("the starter writes a plan");
    }
}

/// Runs one test of the running binary again, with a bug planted.
///
/// # Panics
/// When the binary cannot be started.
#[must_use]
pub fn hunt(test: &str, bug: &str, log: &std::path::Path) -> Hunt {
    let this = std::env::current_exe().expect("a process has a program");
    let run = Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, format!("plant={bug},log={}", log.display()))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .expect("the program that runs can be run again");
    let output = [run.stdout, run.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(
        output.contains(test),
        "no test `{test}` in this binary:\n{output}"
    );
    let said = output.lines().find(|line| line.contains("seed "));
    let met = std::fs::read_to_string(log).unwrap_or_default();
    Hunt {
        met: met.lines().any(|name| name == bug),
        found: !run.status.success(),
        seed: said.and_then(seed_of),
        said: said.unwrap_or_default().trim().to_owned(),
    }
}

fn seed_of(line: &str) -> Option<u64> {
    let (_, after) = line.split_once("seed ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit());
    after[..digits.unwrap_or(after.len())].parse().ok()
}
