//! Whole runs over processes and in one, turn by turn.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{ExecuteRequest, StartRunRequest, WatchRunRequest};
use gearmesh_link::Link;

use crate::NOTE;
use crate::aim::Aims;
use crate::figure::{Samples, Table, now};
use crate::graph::{LEVELS, workflow};
use crate::mesh::Mesh;
use crate::probe::Probe;

/// Runs of each mesh before the first that counts.
const WARM: u32 = 100;

/// Runs of each mesh that count.
const RUNS: u32 = 500;

/// What the median run over processes may take, in milliseconds.
const DAG_MAX: f64 = 8.0;

type Client = OrchestratorServiceClient<Link>;

/// How a run is submitted and its result awaited.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// `Execute`: one call that answers the result.
    Execute,
    /// `StartRun`, then `WatchRun` to its last event.
    Watch,
}

/// What the runs of one mesh have cost.
#[derive(Debug)]
pub(crate) struct Measured {
    name: String,
    samples: Samples,
    /// Commits of the orchestrator's store, run by run.
    commits: Vec<u32>,
    /// Processor time of each process.
    cpu: Vec<(String, Duration)>,
    aim: bool,
}

/// One mesh, while its runs are measured.
struct Running<'a> {
    mesh: &'a Mesh,
    client: Client,
    commits: Commits,
    measured: Measured,
}

pub(crate) async fn measure(
    share: u32,
    [many, one]: [&Mesh; 2],
) -> Result<Vec<Measured>, Box<dyn Error>> {
    let source = workflow(&LEVELS, NOTE);
    let mut all = Vec::new();
    for (way, word) in [
        (Way::Execute, "Execute"),
        (Way::Watch, "StartRun, WatchRun"),
    ] {
        let mut both = [
            Running::new(many, format!("processes over mTLS, {word}"), true)?,
            Running::new(one, format!("one process, {word}"), false)?,
        ];
        for _ in 0..WARM / share {
            for running in &mut both {
                once(&mut running.client, &source, way).await?;
            }
        }
        for running in &mut both {
            running.measured.cpu = cpu(running.mesh)?;
        }
        for _ in 0..RUNS / share {
            for running in &mut both {
                let before = running.commits.count()?;
                let begun = now();
                once(&mut running.client, &source, way).await?;
                running.measured.samples.add(begun);
                let after = running.commits.count()?;
                running.measured.commits.push(after.wrapping_sub(before));
            }
        }
        for mut running in both {
            for ((_, before), (_, after)) in running.measured.cpu.iter_mut().zip(cpu(running.mesh)?)
            {
                *before = (after - *before) / (RUNS / share);
            }
            all.push(running.measured);
        }
    }
    Ok(all)
}

impl<'a> Running<'a> {
    fn new(mesh: &'a Mesh, name: String, aim: bool) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            mesh,
            client: Client::new(mesh.gateway()?),
            commits: Commits::of(&mesh.orchestrators_store())?,
            measured: Measured {
                name,
                samples: Samples::default(),
                commits: Vec::new(),
                cpu: Vec::new(),
                aim,
            },
        })
    }
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
            let answer = client.execute(request).await?.into_inner();
            answer.status.unwrap_or_default()
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

/// Counts the transactions of a SQLite store in another process.
///
/// The index of the write-ahead log begins with a header that holds `iChange`, "a
/// counter incremented each transaction" (sqlite.org/walformat.html, 2.1).
#[derive(Debug)]
struct Commits(File);

impl Commits {
    /// Where `iChange` is.
    const AT: u64 = 8;

    fn of(store: &Path) -> std::io::Result<Self> {
        File::open(store.with_extension("db-shm")).map(Self)
    }

    fn count(&self) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        self.0.read_exact_at(&mut bytes, Self::AT)?;
        Ok(u32::from_ne_bytes(bytes))
    }
}

/// Processor time of each process of a mesh so far, of all its threads.
fn cpu(mesh: &Mesh) -> Result<Vec<(String, Duration)>, Box<dyn Error>> {
    /// A second has this many ticks wherever Linux runs on what we build for.
    const TICKS: u32 = 100;
    /// User and system time among the fields behind the name, which ends with `)`.
    const FIELDS: std::ops::Range<usize> = 11..13;
    let mut all = Vec::new();
    for (name, pid) in mesh.pids() {
        let mut text = String::new();
        File::open(format!("/proc/{pid}/stat"))?.read_to_string(&mut text)?;
        let (_, rest) = text.rsplit_once(')').ok_or("no name in stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let fields = fields.get(FIELDS).ok_or("stat is too short")?;
        let mut ticks: u32 = 0;
        for field in fields {
            ticks += field.parse::<u32>()?;
        }
        all.push((name.to_owned(), Duration::from_secs(1) * ticks / TICKS));
    }
    Ok(all)
}

/// Adds the lines of these runs.
pub(crate) fn show(
    all: &[Measured],
    probe: &Probe,
    table: &mut Table,
    aims: &mut Aims,
) -> std::io::Result<()> {
    for measured in all {
        table.part(&format!("10 tasks, {}", measured.name))?;
        let median = measured.samples.median();
        let aim = if measured.aim {
            let ms = median.as_secs_f64() * 1e3;
            aims.most(&measured.name, ms, DAG_MAX, " ms")
        } else {
            String::new()
        };
        table.millis("submit to result", &measured.samples, &aim)?;
        let probes = median.as_secs_f64() / probe.median().as_secs_f64();
        table.line("p50 in probes", &format!("{probes:.1}"), "")?;
        let mut commits = measured.commits.clone();
        commits.sort_unstable();
        let middle = commits.get(commits.len() / 2).copied().unwrap_or_default();
        table.line("commits of the median run", &middle.to_string(), "")?;
        let most = commits.last().copied().unwrap_or_default();
        table.line("commits of any run, at most", &most.to_string(), "")?;
        let used: Vec<_> = (measured.cpu.iter())
            .filter(|(_, time)| !time.is_zero())
            .map(|(name, time)| format!("{name} {}", time.as_micros()))
            .collect();
        let sum: Duration = measured.cpu.iter().map(|(_, time)| *time).sum();
        let sum = format!("{} us", sum.as_micros());
        table.line("processor time, mean", &sum, &used.join(", "))?;
    }
    let [processes, one, ..] = all else {
        return Ok(());
    };
    let times = processes.samples.median().as_secs_f64() / one.samples.median().as_secs_f64();
    table.line(
        "processes / one process, Execute",
        &format!("{times:.2}"),
        "",
    )
}
