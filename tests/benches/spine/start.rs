//! The built binary: how soon it answers, and what it needs when it idles.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gearmesh_testkit::Process;

use crate::figure::{Samples, Table, now};

/// Starts of `gearmesh --help`.
const HELPS: usize = 15;

/// Starts of `gearmesh dev`, each in a folder of its own.
const DEVS: usize = 5;

/// How long `gearmesh dev` idles before its memory is read.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(folder: &Path, table: &mut Table) -> Result<(), Box<dyn Error>> {
    table.part("start of the binary")?;
    let program = program()?;
    if !program.is_file() {
        let missing = format!("not measured: {} is missing", program.display());
        table.line(&missing, "", "")?;
        table.line("build it: cargo build --release", "", "")?;
        return Ok(());
    }
    let mut help = Samples::default();
    for _ in 0..HELPS {
        let begun = now();
        let status = Command::new(&program)
            .arg("--help")
            .stdout(Stdio::null())
            .status()?;
        help.add(begun);
        assert!(status.success(), "--help ended with {status}");
    }
    table.millis("gearmesh --help", &help, "<= 20 ms p50")?;
    let mut ready = Samples::default();
    let mut fresh = Samples::default();
    let mut idle = String::new();
    for n in 0..DEVS {
        let home = folder.join(format!("dev{n}"));
        std::fs::create_dir(&home)?;
        drop(dev(&program, &home, &mut fresh).await);
        let process = dev(&program, &home, &mut ready).await;
        if n + 1 == DEVS {
            tokio::time::sleep(IDLE).await;
            idle = resident(process.pid())?;
        }
    }
    table.millis(
        "gearmesh dev, ready in a new folder",
        &fresh,
        "<= 300 ms p50",
    )?;
    table.millis("gearmesh dev, ready after a kill", &ready, "<= 300 ms p50")?;
    table.line("gearmesh dev, memory after 10 s idle", &idle, "<= 60 MiB")?;
    Ok(())
}

/// From the start to the line that says where it serves.
async fn dev(program: &Path, home: &Path, samples: &mut Samples) -> Process {
    let begun = now();
    let process =
        Process::start_saying(program, &["dev", "--port", "0", "-o", "ndjson"], home).await;
    samples.add(begun);
    process
}

/// The binary of the same profile, beside the folder of this program.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("no folder")?;
    Ok(folder.join("gearmesh"))
}

/// Resident memory of a process, as the kernel counts it.
fn resident(pid: u32) -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("no VmRSS")?
        .trim()
        .parse()?;
    Ok(format!("{:.1} MiB", kib / 1024.0))
}
