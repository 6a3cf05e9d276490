//! What a process boundary costs: calls over mTLS, a graph over processes, memory.
//!
//! `cargo build --release && cargo bench -p gearmesh-tests --bench hops`
//!
//! Every process is the built binary, started as an operator starts it. What is
//! compared is measured in turn, call by call and run by run, so that a busy moment
//! of the machine meets both. Nothing is asserted by time: an aim that is missed is
//! said in the last lines. `-- --quick` takes a tenth of the rounds, to see whether
//! all of it works. `docs/reference/bench.md` says what each line means.

mod aim;
mod call;
#[path = "../spine/figure.rs"]
mod figure;
#[path = "../spine/graph.rs"]
mod graph;
mod memory;
mod mesh;
#[path = "../spine/probe.rs"]
mod probe;
mod run;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use crate::aim::Aims;
use crate::figure::Table;
use crate::mesh::Mesh;
use crate::probe::Probe;

/// The file that every task asks for.
const NOTE: &str = "data://note.txt";

/// How long processes idle before their memory is read.
const IDLE: Duration = Duration::from_secs(10);

/// The word by which a tenth of the rounds is taken.
const QUICK: &str = "--quick";

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let share = if std::env::args().any(|a| a == QUICK) {
        10
    } else {
        1
    };
    runtime.block_on(measure(share))
}

async fn measure(share: u32) -> Result<(), Box<dyn Error>> {
    // On the disk of the build, not in a folder that may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let at = |name: &str| folder.path().join(name);
    let mut table = Table::begin()?;
    let mut aims = Aims::default();

    // Alone, since the pages of the binary are shared among all that run.
    let dev = mesh::dev(&at("dev")).await?;
    tokio::time::sleep(IDLE).await;
    let dev = memory::of(dev.pid())?;

    let many = Mesh::separate(&at("many")).await?;
    tokio::time::sleep(IDLE).await;
    let idle = memory::of_all(&many)?;
    let one = Mesh::in_one(&at("one")).await?;
    let plain = Mesh::plain(&at("plain")).await?;

    call::measure(share, [&many, &one, &plain], &mut table, &mut aims).await?;
    drop(plain);
    runs(share, folder.path(), [&many, &one], &mut table, &mut aims).await?;
    memory::show(&dev, &idle, &memory::of_all(&many)?, &mut table, &mut aims)?;
    aims.show(&mut table)?;
    Ok(())
}

async fn runs(
    share: u32,
    folder: &Path,
    meshes: [&Mesh; 2],
    table: &mut Table,
    aims: &mut Aims,
) -> Result<(), Box<dyn Error>> {
    let mut probe = Probe::open(folder)?;
    probe.take()?;
    let measured = run::measure(share, meshes).await?;
    probe.take()?;
    probe.show(table)?;
    run::show(&measured, &probe, table, aims)?;
    Ok(())
}
