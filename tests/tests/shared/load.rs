//! Runs of several shapes, asked of whichever instance answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gearmesh_api::orchestrator::v1::{GetRunRequest, StartRunRequest};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request};

use crate::fleet::{Addresses, Fleet, client};

/// How long somebody goes on asking for one thing.
const PATIENCE: Duration = Duration::from_secs(90);

/// Wait between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Longest time without an end that still counts as progress after a kill.
const PROGRESS_MAX: Duration = Duration::from_secs(10);

/// Four shapes: one task, a graph, a wait before the task, a place that is waited for.
fn source(n: usize) -> (String, Vec<String>) {
    let put = |task: &str, needs: &str| {
        format!(
            "  - {{id: {task}, needs: [{needs}], tool: state.put, params: {{key: 'shared/{n}/{task}', value: 1}}}}\n"
        )
    };
    let (head, tasks): (String, &[(&str, &str)]) = match n % 4 {
        0 => (String::new(), &[("a", "")]),
        1 => (
            String::new(),
            &[("a", ""), ("b", "a"), ("c", "a"), ("d", "b, c")],
        ),
        2 => (String::new(), &[("a", "slept"), ("b", "a")]),
        _ => (
            format!("concurrency: {{key: 'global:k{}', limit: 1}}\n", n % 28),
            &[("a", ""), ("b", "a")],
        ),
    };
    let mut text = format!("name: shared\n{head}tasks:\n");
    if n % 4 == 2 {
        text.push_str("  - {id: slept, wait: {for: 2s}}\n");
    }
    for (task, needs) in tasks {
        text.push_str(&put(task, needs));
    }
    let effects = tasks.iter().map(|(t, _)| format!("shared/{n}/{t}"));
    (text, effects.collect())
}

/// What became of one run.
enum Became {
    Succeeded,
    Failed(String),
    Lost(String),
    /// Nobody ever said that it was accepted.
    Refused(String),
}

/// Runs under way.
pub(crate) struct Load {
    runs: JoinSet<Vec<(Became, Vec<String>)>>,
    ended: Arc<AtomicUsize>,
    stop: CancellationToken,
}

/// What became of all.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) acked: usize,
    pub(crate) lost: Vec<String>,
    pub(crate) failed: Vec<String>,
    /// Keys that must have been written.
    pub(crate) effects: Vec<String>,
}

impl Load {
    /// Clients that start one run after the other until they are told to stop.
    pub(crate) fn start(fleet: &Fleet, clients: usize) -> Self {
        let ended = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let mut runs = JoinSet::new();
        for _ in 0..clients {
            let (addresses, ended) = (fleet.addresses(), ended.clone());
            let (begun, stop) = (begun.clone(), stop.clone());
            runs.spawn(async move {
                let mut all = Vec::new();
                while !stop.is_cancelled() {
                    let n = begun.fetch_add(1, Ordering::Relaxed);
                    let (source, effects) = source(n);
                    all.push((one(&addresses, n, source).await, effects));
                    ended.fetch_add(1, Ordering::Relaxed);
                }
                all
            });
        }
        Self { runs, ended, stop }
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Waits until a run ends; whether one did in time.
    pub(crate) async fn progress_after(&self, before: usize) -> bool {
        let more = async {
            while self.ended() <= before {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PROGRESS_MAX, more).await.is_ok()
    }

    /// Lets what was begun end.
    pub(crate) async fn all(mut self, within: Duration) -> Outcome {
        self.stop.cancel();
        let mut outcome = Outcome::default();
        let until = Instant::now() + within;
        while let Ok(Some(done)) = tokio::time::timeout_at(until, self.runs.join_next()).await {
            for (became, effects) in done.expect("a client does not panic") {
                match became {
                    Became::Succeeded => {
                        outcome.acked += 1;
                        outcome.effects.extend(effects);
                    }
                    Became::Failed(why) | Became::Refused(why) => outcome.failed.push(why),
                    Became::Lost(why) => outcome.lost.push(why),
                }
            }
        }
        if !self.runs.is_empty() {
            outcome
                .lost
                .push(format!("{} clients still wait", self.runs.len()));
        }
        outcome
    }
}

/// Some instance that runs.
fn any(addresses: &Addresses) -> Option<String> {
    let addresses = addresses.lock().expect("no panic");
    let running: Vec<_> = addresses.iter().flatten().collect();
    fastrand::choice(running).cloned()
}

/// Starts a run until somebody says that it is accepted, then asks until it has ended.
async fn one(addresses: &Addresses, n: usize, source: String) -> Became {
    let until = Instant::now() + PATIENCE;
    let mut last = String::new();
    let run = loop {
        if Instant::now() > until {
            return Became::Refused(format!("run {n} was never accepted: {last}"));
        }
        let Some(url) = any(addresses) else {
            sleep(LOOK).await;
            continue;
        };
        let mut request = Request::new(StartRunRequest {
            source: source.clone(),
            file_name: "shared.workflow.yaml".into(),
            ..StartRunRequest::default()
        });
        let key = format!("shared-{n}").parse().expect("plain letters");
        request.metadata_mut().insert("idempotency-key", key);
        match client(&url).start_run(request).await {
            Ok(answer) => break answer.into_inner().run.expect("the run").run_id,
            Err(status) if transient(status.code()) => last = status.message().to_owned(),
            Err(status) => return Became::Refused(format!("run {n}: {status}")),
        }
        sleep(LOOK).await;
    };
    loop {
        if Instant::now() > until {
            return Became::Lost(format!("{run} (run {n}) has not ended: {last}"));
        }
        sleep(LOOK).await;
        let Some(url) = any(addresses) else { continue };
        let request = GetRunRequest {
            run_id: run.clone(),
        };
        match client(&url).get_run(request).await {
            Ok(answer) => {
                let seen = answer.into_inner().run.expect("the run");
                match seen.status.as_str() {
                    "succeeded" => return Became::Succeeded,
                    "queued" | "running" | "waiting" => last = seen.status,
                    other => return Became::Failed(format!("{run} (run {n}) {other}: {seen:?}")),
                }
            }
            Err(status) if transient(status.code()) => last = status.message().to_owned(),
            Err(status) => return Became::Lost(format!("{run} (run {n}): {status}")),
        }
    }
}

/// Whether a caller is to ask again. `Internal` is how a connection ends whose other end was
/// killed in the middle of an answer.
fn transient(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Internal
    )
}
