//! Runs of a small workflow, one after another, from several callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gearmesh_testkit::wait_until;
use gearmesh_tests::LocalMesh;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::site::{http, pair};

/// Callers at once, as the issue has it.
const CALLERS: usize = 8;

/// How long all runs may take: those of the browser open two hundred sessions.
const RUNS_MAX: Duration = Duration::from_secs(600);

/// A workflow of run number n.
pub(crate) type Source = fn(usize) -> String;

/// How a run ended: its number, and the whole answer.
pub(crate) type Ended = (usize, Value);

/// Runs that are under way.
pub(crate) struct Load {
    next: Arc<AtomicUsize>,
    limit: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    callers: JoinSet<Vec<Ended>>,
}

impl Load {
    /// Starts `limit` runs through the gateway.
    pub(crate) fn start(mesh: &LocalMesh, source: Source, limit: usize) -> Self {
        let client = http(mesh, Some(&pair(&mesh.login())));
        let url = format!("{}/v1/orchestrator/execute", mesh.url());
        let mut load = Self {
            next: Arc::default(),
            limit: Arc::new(AtomicUsize::new(limit)),
            ended: Arc::default(),
            callers: JoinSet::new(),
        };
        for _ in 0..CALLERS {
            let (next, limit, ended) = (load.next.clone(), load.limit.clone(), load.ended.clone());
            let (client, url) = (client.clone(), url.clone());
            load.callers.spawn(async move {
                let mut answers = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= limit.load(Ordering::SeqCst) {
                        return answers;
                    }
                    answers.push((n, run(&client, &url, &source(n)).await));
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        load
    }

    /// Waits until so many runs have ended.
    pub(crate) async fn until(&self, count: usize) {
        let reached = || self.ended.load(Ordering::SeqCst) >= count;
        wait_until("the runs go on", RUNS_MAX, reached).await;
    }

    /// How many have ended.
    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Starts no further run.
    pub(crate) fn stop(&self) {
        self.limit.store(0, Ordering::SeqCst);
    }

    /// Waits for all, and gives how each ended.
    pub(crate) async fn all(mut self) -> Vec<Ended> {
        let mut all = Vec::new();
        while let Some(answers) = self.callers.join_next().await {
            all.extend(answers.expect("callers do not panic"));
        }
        all
    }
}

/// One run, to its end.
async fn run(client: &reqwest::Client, url: &str, source: &str) -> Value {
    let request = client
        .post(url)
        .json(&json!({"source": source}))
        .timeout(RUNS_MAX);
    match request.send().await {
        Ok(answer) => answer
            .json()
            .await
            .unwrap_or_else(|e| json!({"noJson": e.to_string()})),
        Err(error) => json!({"noAnswer": format!("{error:?}")}),
    }
}

/// The runs that did not succeed.
pub(crate) fn failed(ended: &[Ended]) -> Vec<&Ended> {
    ended
        .iter()
        .filter(|(_, answer)| answer["status"] != "succeeded")
        .collect()
}
