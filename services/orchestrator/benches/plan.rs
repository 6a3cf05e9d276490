//! What a run of ten tasks costs the processor: the planner alone, and with the links that its calls go over.
//!
//! `cargo bench -p gearmesh-orchestrator --features bench --bench plan`
//!
//! The engine answers from this process and does next to nothing, and the journal is a list in memory. It prints, and
//! asserts nothing about time.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::error::Error;
use std::time::Duration;

use gearmesh_orchestrator::bench::{Bench, Calls, Left};
use gearmesh_runtime::{Config, Running};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Runs before the first that counts.
const WARM: usize = 200;

/// Runs that count.
const RUNS: usize = 2_000;

/// What planner and links of ten tasks may take together.
const AIM: Duration = Duration::from_millis(1);

/// Levels of 1, 4, 4 and 1: two that fan out, a join, values of tasks before.
const TEN: &str = "\
name: ten
tasks:
  - {id: a, tool: file.stat, params: {path: \"data://note.txt\"}}
  - {id: b, tool: file.stat, needs: [a], params: {path: \"data://note.txt\"}}
  - {id: c, tool: file.stat, needs: [a], params: {path: \"data://note.txt\"}}
  - {id: d, tool: file.stat, needs: [a], params: {path: \"data://note.txt\"}}
  - {id: e, tool: file.stat, needs: [a], params: {path: \"data://note.txt\"}}
  - {id: f, tool: file.stat, needs: [b], params: {path: \"data://note.txt\"}}
  - {id: g, tool: file.stat, needs: [c], params: {path: \"data://note.txt\"}}
  - {id: h, tool: file.stat, needs: [d], params: {path: \"data://note.txt\"}}
  - {id: i, tool: file.stat, needs: [e], params: {path: \"data://note.txt\"}}
  - {id: j, tool: file.stat, needs: [f, g, h, i], params: {path: \"data://note.txt\"}}
";

/// One task, for comparison: what ten cost beside ten times that is the graph.
const ONE: &str = "\
name: one
tasks:
  - {id: a, tool: file.stat, params: {path: \"data://note.txt\"}}
";

fn main() -> Result<(), Box<dyn Error>> {
    // One thread does all of it, so that its time is all of the time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("note.txt"), "hello\n")?;
    let mut config = Config::new(folder.path());
    config.set("file.roots.data", json!({"path": data.to_string_lossy()}));
    let running = gearmesh_runtime::start(&[gearmesh_file::SERVICE], config).await?;
    println!("processor time of a run, journal in memory, {RUNS} runs");
    println!(
        "{:<32} {:>10} {:>10} {:>10}  left",
        "", "median", "p99", "worst"
    );
    line("1 task, planner", &running, ONE, Calls::Given).await?;
    line("1 task, planner and links", &running, ONE, Calls::Linked).await?;
    line("10 tasks, planner", &running, TEN, Calls::Given).await?;
    let median = line("10 tasks, planner and links", &running, TEN, Calls::Linked).await?;
    let met = if median <= AIM { "met" } else { "missed" };
    println!("aim: 10 tasks, planner and links, at most {AIM:?}: {met}");
    running.stop().await;
    Ok(())
}

/// Prints a line; the median.
async fn line(
    name: &str,
    running: &Running,
    text: &str,
    calls: Calls,
) -> Result<Duration, Box<dyn Error>> {
    let mesh = running.mesh();
    let bench = Bench::read(text, mesh).map_err(|faults| format!("{faults:?}"))?;
    let mut samples = Vec::with_capacity(RUNS);
    let mut left = Left::default();
    for n in 0..WARM + RUNS {
        let begun = spent();
        left = bench.run(mesh, calls).await?;
        if n >= WARM {
            samples.push(spent().saturating_sub(begun));
        }
    }
    samples.sort_unstable();
    let at = |place: usize| samples.get(place).copied().unwrap_or_default();
    let (median, late, worst) = (at(RUNS / 2), at(RUNS * 99 / 100), at(RUNS - 1));
    let us = |time: Duration| format!("{:.0} us", time.as_secs_f64() * 1e6);
    println!(
        "{name:<32} {:>10} {:>10} {:>10}  {} commits, {} rows, {} bytes",
        us(median),
        us(late),
        us(worst),
        left.commits,
        left.rows,
        left.bytes
    );
    Ok(median)
}

/// Processor time of this process, engine and client together.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
