//! Whole runs, from submit to result, and what they cost beside time.

use std::error::Error;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{ExecuteRequest, StartRunRequest, WatchRunRequest};
use gearmesh_file::Fsyncs;
use gearmesh_link::Link;
use gearmesh_runtime::{Running, Service};
use gearmesh_store::Counts;
use rustix::time::{ClockId, clock_gettime};

use crate::NOTE;
use crate::figure::{Samples, Table, now};
use crate::graph::{LEVELS, workflow};
use crate::probe::Probe;

/// Runs before the first that counts.
const WARM: u32 = 100;

/// Runs that count, one after the other.
const RUNS: u32 = 1_000;

/// The service that runs workflows.
const ORCHESTRATOR: &str = gearmesh_orchestrator::SERVICE.name;

/// Counts how often the file engine waits for the disk. A service starts without
/// arguments, so its counter is found here.
static FSYNCS: LazyLock<Fsyncs> = LazyLock::new(Fsyncs::default);

/// The file engine, counted.
const FILE: Service = Service {
    start: |cx| gearmesh_file::start(cx, FSYNCS.clone()),
    ..gearmesh_file::SERVICE
};

type Client = OrchestratorServiceClient<Link>;

/// How a run is submitted and its result awaited.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// `Execute`: one call that answers the result.
    Execute,
    /// `StartRun`, then `WatchRun` to its last event.
    Watch,
}

/// What one shape of run has cost.
#[derive(Debug)]
pub(crate) struct Measured {
    name: String,
    samples: Samples,
    /// Commits of the orchestrator's store, run by run.
    commits: Vec<u64>,
    /// Of the orchestrator's store.
    store: Counts,
    /// Of the engines: their stores' and the file engine's own.
    engine_fsyncs: u64,
    cpu: Duration,
    aims: &'static Aims,
}

/// What a shape of run is meant to cost.
#[derive(Debug)]
struct Aims {
    time: Option<Budget>,
    /// Commits of the median run, and of any.
    commits: [u64; 2],
}

/// A time, or a multiple of the probe's median if that is longer.
#[derive(Debug)]
struct Budget {
    floor: Duration,
    probes: u32,
}

const ONE: Aims = Aims {
    time: None,
    commits: [2, 2],
};

const DAG: Aims = Aims {
    time: Some(Budget {
        floor: Duration::from_millis(6),
        probes: 20,
    }),
    commits: [5, 11],
};

pub(crate) async fn measure(folder: &Path) -> Result<Vec<Measured>, Box<dyn Error>> {
    let services = [FILE, gearmesh_orchestrator::SERVICE];
    let running = crate::mesh(&services, folder).await?;
    let mut all = Vec::new();
    for (shape, levels, aims) in [("1 task", &[1][..], &ONE), ("10 tasks", &LEVELS, &DAG)] {
        let source = workflow(levels, NOTE);
        for (way, word) in [
            (Way::Watch, "StartRun, WatchRun"),
            (Way::Execute, "Execute"),
        ] {
            let name = format!("{shape}, {word}");
            all.push(shaped(&running, name, &source, way, aims).await?);
        }
    }
    running.stop().await;
    Ok(all)
}

async fn shaped(
    running: &Running,
    name: String,
    source: &str,
    way: Way,
    aims: &'static Aims,
) -> Result<Measured, Box<dyn Error>> {
    let mut client = OrchestratorServiceClient::new(running.mesh().link(ORCHESTRATOR)?);
    for _ in 0..WARM {
        once(&mut client, source, way).await?;
    }
    let mut samples = Samples::default();
    let mut commits = Vec::new();
    let (store, engines, cpu) = (journal(running), engine_fsyncs(running), cpu_time());
    for _ in 0..RUNS {
        let before = journal(running).commits;
        let begun = now();
        once(&mut client, source, way).await?;
        samples.add(begun);
        commits.push(journal(running).commits - before);
    }
    Ok(Measured {
        name,
        samples,
        commits,
        store: since(journal(running), store),
        engine_fsyncs: engine_fsyncs(running) - engines,
        cpu: cpu_time().saturating_sub(cpu),
        aims,
    })
}

async fn once(client: &mut Client, source: &str, way: Way) -> Result<(), Box<dyn Error>> {
    let file_name = "bench.workflow.yaml".to_owned();
    let status = match way {
        Way::Execute => {
            let request = ExecuteRequest {
                source: source.to_owned(),
                file_name,
                ..ExecuteRequest::default()
            };
            client
                .execute(request)
                .await?
                .into_inner()
                .status
                .unwrap_or_default()
        }
        Way::Watch => {
            let request = StartRunRequest {
                source: source.to_owned(),
                file_name,
                ..StartRunRequest::default()
            };
            let started = client.start_run(request).await?.into_inner();
            let run_id = started.run.ok_or("no run")?.run_id;
            let request = WatchRunRequest {
                run_id,
                ..WatchRunRequest::default()
            };
            let mut events = client.watch_run(request).await?.into_inner();
            let mut last = String::new();
            while let Some(event) = events.message().await? {
                last = event.run.map_or(last, |run| run.status);
            }
            last
        }
    };
    assert_eq!(status, "succeeded");
    Ok(())
}

/// What the store of the orchestrator has cost so far.
fn journal(running: &Running) -> Counts {
    let stores = running.stores();
    let own = stores.iter().find(|(service, _)| *service == ORCHESTRATOR);
    own.map_or_else(Counts::default, |(_, counts)| *counts)
}

/// How often the engines have waited for the disk so far.
fn engine_fsyncs(running: &Running) -> u64 {
    let stores = running.stores();
    let engines = stores
        .iter()
        .filter(|(service, _)| *service != ORCHESTRATOR);
    FSYNCS.count() + engines.map(|(_, counts)| counts.fsyncs).sum::<u64>()
}

fn since(now: Counts, then: Counts) -> Counts {
    Counts {
        commits: now.commits - then.commits,
        statements: now.statements - then.statements,
        fsyncs: now.fsyncs - then.fsyncs,
    }
}

/// Processor time of this process, client and engines together.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Adds the lines of these runs, times beside multiples of the probe.
pub(crate) fn show(all: &[Measured], probe: &Probe, table: &mut Table) -> std::io::Result<()> {
    for measured in all {
        table.part(&format!("run of {}", measured.name))?;
        let aim = measured.aims.time.as_ref().map_or(String::new(), |budget| {
            let limit = budget.floor.max(probe.median() * budget.probes);
            format!("<= {:.1} ms p50", limit.as_secs_f64() * 1e3)
        });
        table.millis("submit to result", &measured.samples, &aim)?;
        let probes = measured.samples.median().as_secs_f64() / probe.median().as_secs_f64();
        table.line("p50 in probes", &format!("{probes:.1}"), "")?;
        let [typical, most] = measured.aims.commits.map(|n| format!("<= {n}"));
        let mut commits = measured.commits.clone();
        commits.sort_unstable();
        let [median, maximum] = [commits.len() / 2, commits.len() - 1].map(|at| commits[at]);
        table.line("commits of the median run", &median.to_string(), &typical)?;
        table.line("commits of any run, at most", &maximum.to_string(), &most)?;
        for (what, count) in [
            ("commits", measured.store.commits),
            ("statements", measured.store.statements),
            ("fsyncs", measured.store.fsyncs),
            ("engine fsyncs", measured.engine_fsyncs),
        ] {
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            let mean = format!("{:.2}", count / f64::from(RUNS));
            table.line(&format!("{what}, mean"), &mean, "")?;
        }
        let cpu = measured.cpu.as_secs_f64() * 1e6 / f64::from(RUNS);
        table.line("processor time, mean", &format!("{cpu:.0} us"), "")?;
    }
    Ok(())
}
