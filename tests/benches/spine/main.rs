//! What the spine costs: calls, runs and starts, in one table.
//!
//! `cargo build --release && cargo bench -p gearmesh-tests --bench spine`
//!
//! Figures of the disk mean nothing without the disk, so a probe of it is taken in
//! the same folder, before and after the runs. Nothing is asserted by time: a busy
//! machine makes a figure bad, it never makes this program fail.
//! `docs/reference/bench.md` says what each line means.

mod call;
mod figure;
mod graph;
mod probe;
mod run;
mod start;

use std::error::Error;
use std::path::Path;

use gearmesh_runtime::{Config, Running, Service};
use serde_json::json;

use crate::figure::Table;
use crate::probe::Probe;

/// The file that every call asks for.
const NOTE: &str = "data://note.txt";

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn Error>> {
    // On the disk of the build, not in a folder that may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut table = Table::begin()?;

    call::measure(&folder.path().join("calls"), &mut table).await?;

    let mut probe = Probe::open(folder.path())?;
    probe.take()?;
    let runs = run::measure(&folder.path().join("runs")).await?;
    probe.take()?;
    probe.show(&mut table)?;
    run::show(&runs, &probe, &mut table)?;

    start::measure(folder.path(), &mut table).await
}

/// Services in this process, with the one file in the root `data`.
async fn mesh(services: &[Service], folder: &Path) -> Result<Running, Box<dyn Error>> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("note.txt"), "hello\n")?;
    let mut config = Config::new(folder);
    let root = json!({"path": data.to_string_lossy()});
    if services.iter().any(|s| s.name == "file") {
        config.set("file.roots.data", root);
    }
    Ok(gearmesh_runtime::start(services, config).await?)
}
