//! One run of the main job: submitted, killed, resumed, examined.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{
    ListRunsRequest, Run, StartRunRequest, WatchRunRequest, WatchRunResponse,
};
use gearmesh_link::{Link, remote};
use gearmesh_testkit::{Process, tree};
use gearmesh_tests::program;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::Request;

use crate::evidence::{self, Reports};
use crate::kill::{Kill, Kills};

const FILE: &str = "site-report.workflow.yaml";

/// How long a run may take that goes on after a crash, on a machine with other work.
const END_MAX: Duration = Duration::from_secs(60);

/// A run that nobody disturbed.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) reports: Reports,
    /// From the accept to the end.
    pub(crate) length: Duration,
    pub(crate) events: usize,
    pub(crate) tasks: Vec<String>,
}

/// A round that has passed.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) number: usize,
    kills: Kills,
    after: Duration,
    /// The run had ended when the kill came.
    pub(crate) over: bool,
    /// What the journal said of each task when the server was dead.
    pub(crate) states: BTreeMap<String, &'static str>,
    /// Requests to the site beyond those of an undisturbed run.
    pub(crate) repeated: usize,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_state: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (task, state) in &self.states {
            by_state.entry(state).or_default().push(task);
        }
        write!(
            f,
            "kill {:>2} {:?}: {} ms after the accept{}",
            self.number,
            self.kills.first,
            self.after.as_millis(),
            if self.over { ", run over" } else { "" }
        )?;
        if let Some(moment) = self.kills.second {
            write!(f, ", again {} ms after the restart", moment.as_millis())?;
        }
        for (state, tasks) in by_state {
            write!(f, "; {state}: {}", tasks.join(" "))?;
        }
        Ok(())
    }
}

type Client = OrchestratorServiceClient<Link>;

/// A folder with a server.
struct Desk {
    folder: TempDir,
    server: Process,
    client: Client,
    key: String,
}

async fn serve(folder: &TempDir) -> (Process, Client) {
    let endpoint = folder.path().join(".gearmesh/endpoint");
    let arguments = ["dev", "--port", "0", "--quiet"];
    let server = Process::start(&program("gearmesh"), &arguments, folder.path(), &endpoint).await;
    let link = remote(&server.url()).expect("an address");
    (server, OrchestratorServiceClient::new(link))
}

impl Desk {
    async fn open(key: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = tree().join("docs/examples").join(FILE);
        std::fs::copy(source, folder.path().join(FILE)).expect("a copy of the workflow");
        let (server, client) = serve(&folder).await;
        Self {
            folder,
            server,
            client,
            key,
        }
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.server.kill();
    }

    async fn reopen(&mut self) {
        (self.server, self.client) = serve(&self.folder).await;
    }

    /// Submits the job with the key of this desk; the id of its run.
    async fn submit(&mut self) -> String {
        let path = self.folder.path().join(FILE);
        let mut request = Request::new(StartRunRequest {
            source: std::fs::read_to_string(path).expect("the workflow"),
            file_name: FILE.to_owned(),
            folder: self.folder.path().display().to_string(),
            ..StartRunRequest::default()
        });
        let key = self.key.parse().expect("a key of plain letters");
        request.metadata_mut().insert("idempotency-key", key);
        let answer = self.client.start_run(request).await.expect("the accept");
        answer.into_inner().run.expect("the run").run_id
    }

    /// Reads events from the start until the run has ended or `enough` of them came.
    async fn watch(&mut self, run: &str, enough: usize) -> Vec<WatchRunResponse> {
        let request = WatchRunRequest {
            run_id: run.to_owned(),
            after: String::new(),
        };
        let mut stream = self
            .client
            .watch_run(request)
            .await
            .expect("a stream of events")
            .into_inner();
        let mut events = Vec::new();
        while events.len() < enough
            && let Some(event) = stream.message().await.expect("an event")
        {
            events.push(event);
        }
        events
    }

    /// Watches to the end: the events, and the run as the last of them shows it.
    async fn finish(&mut self, run: &str) -> (Vec<WatchRunResponse>, Run) {
        let events = timeout(END_MAX, self.watch(run, usize::MAX)).await;
        let events = events.unwrap_or_else(|_| panic!("{run} has not ended within {END_MAX:?}"));
        let last = events.last().and_then(|e| e.run.clone());
        (events, last.expect("the last event carries the run"))
    }

    async fn runs(&mut self) -> Vec<String> {
        let list = self.client.list_runs(ListRunsRequest::default()).await;
        let runs = list.expect("the list of runs").into_inner().runs;
        runs.into_iter().map(|r| r.run_id).collect()
    }
}

fn outputs(run: &Run) -> Value {
    let json = run.outputs.as_ref().expect("outputs");
    serde_json::from_slice(&json.text).expect("JSON")
}

impl Reference {
    /// Runs the job twice; the shorter run says how long it takes, since other work
    /// on the machine only adds.
    pub(crate) async fn make() -> Self {
        let first = Self::make_one().await;
        let second = Self::make_one().await;
        let length = first.length.min(second.length);
        Self { length, ..second }
    }

    async fn make_one() -> Self {
        let mut desk = Desk::open("reference".to_owned()).await;
        let run = desk.submit().await;
        let accepted = Instant::now();
        let (events, ended) = desk.finish(&run).await;
        let length = accepted.elapsed();
        assert_eq!(ended.status, "succeeded", "{:?}", ended.error);
        let reports = Reports::read(desk.folder.path(), &run);
        reports.check_digests(&outputs(&ended));
        Self {
            reports,
            length,
            events: events.len(),
            tasks: ended.tasks.keys().cloned().collect(),
        }
    }
}

/// Lets the run go on until the instant of the kill has come.
async fn wait_for(desk: &mut Desk, run: &str, kill: Kill, accepted: Instant) {
    let (events, deadline) = match kill {
        Kill::At(after) => (usize::MAX, Some(accepted + after)),
        Kill::Behind(events, _) => (events, None),
    };
    let watching = async {
        desk.watch(run, events).await;
        if deadline.is_some() {
            // The run was over first.
            pending::<()>().await;
        }
    };
    match deadline {
        Some(deadline) => {
            let _ = timeout_at(deadline, watching).await;
        }
        None => watching.await,
    }
    if let Kill::Behind(_, moment) = kill {
        let _ = timeout(moment, pending::<()>()).await;
    }
}

/// Plays a round to its end and checks all that must hold then.
pub(crate) async fn play(number: usize, kills: Kills, reference: &Reference) -> Round {
    let mut desk = Desk::open(format!("round-{number}")).await;
    let run = desk.submit().await;
    let accepted = Instant::now();
    wait_for(&mut desk, &run, kills.first, accepted).await;
    let after = accepted.elapsed();
    desk.kill();

    let journal = evidence::journal(desk.folder.path()).await;
    let states = journal.states(&reference.tasks);
    let over = journal.closed() == 1;

    desk.reopen().await;
    if let Some(moment) = kills.second {
        let _ = timeout(moment, pending::<()>()).await;
        desk.kill();
        desk.reopen().await;
    }
    assert_eq!(desk.submit().await, run, "round {number}: key resent");
    let (_, ended) = desk.finish(&run).await;
    assert_eq!(
        ended.status, "succeeded",
        "round {number}: {:?}",
        ended.error
    );
    assert_eq!(desk.submit().await, run, "round {number}: key resent");
    assert_eq!(
        desk.runs().await,
        std::slice::from_ref(&run),
        "round {number}"
    );

    let folder = desk.folder.path();
    let reports = Reports::read(folder, &run);
    reports.check_digests(&outputs(&ended));
    let start = ended.start_time.expect("a start");
    reports.check_against(&reference.reports, start);
    evidence::no_leftovers(folder, &run);

    let folder = desk.folder;
    assert!(desk.server.terminate().success(), "round {number}: drain");
    let journal = evidence::journal(folder.path()).await;
    journal.check_one_end_each(&reference.tasks);
    let requests = evidence::requests(folder.path());
    let repeated = journal.check_requests(&requests);
    Round {
        number,
        kills,
        after,
        over,
        states,
        repeated,
    }
}
