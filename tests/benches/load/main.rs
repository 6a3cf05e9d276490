//! How much a service of runs does per second: many at once, durable each.
//!
//! `cargo bench -p gearmesh-tests --bench load`
//!
//! Rates mean nothing without the disk and the machine: beside each stands what the raw
//! store does with the same commits in the same minute, taken in turns, and the counts per
//! run, which do not depend on either. `-- --quick` takes a tenth. Nothing is asserted.
//! `docs/reference/bench.md` says what each line means.

#[path = "../spine/figure.rs"]
mod figure;
#[path = "../spine/graph.rs"]
mod graph;
#[path = "../spine/probe.rs"]
mod probe;
mod raw;
mod runs;

use std::error::Error;

use crate::figure::Table;
use crate::probe::Probe;
use crate::raw::Raw;
use crate::runs::{Mesh, Shape};

/// The word by which a tenth of the rounds is taken.
const QUICK: &str = "--quick";

/// Runs that are under way at once.
const CONCURRENCY: [u32; 3] = [1, 8, 64];

/// Runs of a round per unit of concurrency, at least [`RUNS_MIN`].
const RUNS_EACH: u32 = 200;
const RUNS_MIN: u32 = 1_000;

/// Rounds of each figure, in turn with the raw store's.
const ROUNDS: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let share = if std::env::args().any(|a| a == QUICK) {
        10
    } else {
        1
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(share))
}

async fn measure(share: u32) -> Result<(), Box<dyn Error>> {
    // On the disk of the build, not in a folder that may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut table = Table::begin()?;
    let mut probe = Probe::open(folder.path())?;
    probe.take()?;
    let raw = Raw::open(&folder.path().join("raw")).await?;
    let mesh = Mesh::open(&folder.path().join("mesh")).await?;
    for shape in [Shape::One, Shape::Graph] {
        for at_once in CONCURRENCY {
            let runs = (at_once * RUNS_EACH).max(RUNS_MIN) / share;
            mesh.round(shape, at_once, runs / 10).await?;
            let mut all = Vec::new();
            let mut bare = Vec::new();
            for _ in 0..ROUNDS {
                bare.push(raw.round(shape.rows(), at_once, runs).await?);
                all.push(mesh.round(shape, at_once, runs).await?);
            }
            runs::show(&mut table, shape, at_once, &all, &bare, &probe)?;
        }
    }
    mesh.stop().await;
    probe.take()?;
    probe.show(&mut table)?;
    Ok(())
}
