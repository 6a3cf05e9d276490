//! Runs through the orchestrator, many at once.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gearmesh_api::orchestrator::v1::ExecuteRequest;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_link::Link;
use gearmesh_runtime::{Config, Running};
use gearmesh_store::Counts;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::figure::{Samples, Table, now};
use crate::graph::{LEVELS, workflow};
use crate::probe::Probe;

const ORCHESTRATOR: &str = gearmesh_orchestrator::SERVICE.name;

/// The file that every task asks for.
const NOTE: &str = "data://note.txt";

/// What a run does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// One task.
    One,
    /// Ten tasks in four levels.
    Graph,
}

impl Shape {
    fn levels(self) -> &'static [usize] {
        match self {
            Self::One => &[1],
            Self::Graph => &LEVELS,
        }
    }

    fn tasks(self) -> usize {
        self.levels().iter().sum()
    }

    /// Appends that a run of it needs at least.
    pub(crate) fn rows(self) -> u32 {
        u32::try_from(self.levels().len()).unwrap_or(u32::MAX)
    }

    fn aim(self) -> &'static str {
        match self {
            Self::One => ">= 8000 runs/s at 64",
            Self::Graph => ">= 25000 tasks/s at 64",
        }
    }
}

/// What a round has cost.
#[derive(Debug)]
pub(crate) struct Round {
    runs: u32,
    time: Duration,
    cpu: Duration,
    times: Vec<Duration>,
    counts: Counts,
}

/// File engine and orchestrator in this process.
#[derive(Debug)]
pub(crate) struct Mesh {
    running: Running,
}

impl Mesh {
    pub(crate) async fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("note.txt"), "hello\n")?;
        let mut config = Config::new(folder);
        config.set("file.roots.data", json!({"path": data.to_string_lossy()}));
        let services = [gearmesh_file::SERVICE, gearmesh_orchestrator::SERVICE];
        Ok(Self {
            running: gearmesh_runtime::start(&services, config).await?,
        })
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// So many runs, so many at once.
    pub(crate) async fn round(
        &self,
        shape: Shape,
        at_once: u32,
        runs: u32,
    ) -> Result<Round, Box<dyn Error>> {
        let left = Arc::new(AtomicU32::new(runs));
        let source: Arc<str> = workflow(shape.levels(), NOTE).into();
        let (counts, cpu, begun) = (self.counts(), cpu_time(), now());
        let mut callers = Vec::new();
        for _ in 0..at_once {
            let client = OrchestratorServiceClient::new(self.running.mesh().link(ORCHESTRATOR)?);
            #[expect(clippy::disallowed_methods, reason = "no context in a bench")]
            callers.push(tokio::spawn(call(client, source.clone(), left.clone())));
        }
        let mut times = Vec::new();
        for caller in callers {
            times.extend(caller.await?);
        }
        Ok(Round {
            runs,
            time: now().duration_since(begun),
            cpu: cpu_time().saturating_sub(cpu),
            times,
            counts: since(self.counts(), counts),
        })
    }

    fn counts(&self) -> Counts {
        let stores = self.running.stores();
        let own = stores.iter().find(|(service, _)| *service == ORCHESTRATOR);
        own.map_or_else(Counts::default, |(_, counts)| *counts)
    }
}

async fn call(
    mut client: OrchestratorServiceClient<Link>,
    source: Arc<str>,
    left: Arc<AtomicU32>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    let take = |n: u32| n.checked_sub(1);
    while left
        .try_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let begun = now();
        let request = ExecuteRequest {
            source: source.to_string(),
            file_name: "bench.workflow.yaml".to_owned(),
            ..ExecuteRequest::default()
        };
        let answer = client
            .execute(request)
            .await
            .expect("a run of the bench ends");
        let status = answer.into_inner().status.unwrap_or_default();
        assert_eq!(status, "succeeded");
        times.push(now().duration_since(begun));
    }
    times
}

fn since(now: Counts, then: Counts) -> Counts {
    Counts {
        commits: now.commits - then.commits,
        statements: now.statements - then.statements,
        fsyncs: now.fsyncs - then.fsyncs,
    }
}

/// Processor time of this process, client and engine together.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The middle one of some rounds' rates.
fn rate(runs: u32, times: impl Iterator<Item = Duration>) -> f64 {
    let mut rates: Vec<f64> = times.map(|t| f64::from(runs) / t.as_secs_f64()).collect();
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// Adds the lines of one shape at one concurrency.
pub(crate) fn show(
    table: &mut Table,
    shape: Shape,
    at_once: u32,
    rounds: &[Round],
    bare: &[Duration],
    probe: &Probe,
) -> std::io::Result<()> {
    let tasks = shape.tasks();
    table.part(&format!("{tasks} task(s), {at_once} runs at once"))?;
    let runs = rounds.first().map_or(0, |r| r.runs);
    let ours = rate(runs, rounds.iter().map(|r| r.time));
    let raw = rate(runs, bare.iter().copied());
    let per_run = f64::from(u32::try_from(tasks).unwrap_or(u32::MAX));
    table.line("runs per second", &format!("{ours:.0}"), shape.aim())?;
    table.line("tasks per second", &format!("{:.0}", ours * per_run), "")?;
    table.line("raw store, same commits", &format!("{raw:.0}"), "")?;
    table.line("share of the raw store", &format!("{:.2}", ours / raw), "")?;
    let mut samples = Samples::default();
    for round in rounds {
        for time in &round.times {
            samples.push(*time);
        }
    }
    table.millis("submit to result", &samples, "")?;
    let probes = samples.median().as_secs_f64() / probe.median().as_secs_f64();
    table.line("p50 in probes", &format!("{probes:.1}"), "")?;
    let total = f64::from(runs) * f64::from(u32::try_from(rounds.len()).unwrap_or(u32::MAX));
    let mean = |count: fn(&Counts) -> u64| {
        let sum: u64 = rounds.iter().map(|r| count(&r.counts)).sum();
        format!(
            "{:.3}",
            f64::from(u32::try_from(sum).unwrap_or(u32::MAX)) / total
        )
    };
    table.line("commits per run", &mean(|c| c.commits), "")?;
    table.line("statements per run", &mean(|c| c.statements), "<= 4")?;
    table.line("fsyncs per run", &mean(|c| c.fsyncs), "")?;
    let cpu: Duration = rounds.iter().map(|r| r.cpu).sum();
    let cpu = cpu.as_secs_f64() * 1e6 / total;
    table.line("processor time per run", &format!("{cpu:.0} us"), "")
}
