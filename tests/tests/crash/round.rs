//! One run of the main job: submitted, killed, resumed, examined.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::{Run, StartRunRequest};
use gearmesh_testkit::tree;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use crate::desk::Desk;
use crate::evidence::{self, Reports};
use crate::kill::{Kill, Kills};

const FILE: &str = "site-report.workflow.yaml";

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

/// A folder with the job's file, and a server in it.
async fn open() -> Desk {
    let desk = Desk::open().await;
    let source = tree().join("docs/examples").join(FILE);
    std::fs::copy(source, desk.folder().join(FILE)).expect("a copy of the workflow");
    desk
}

/// Submits the job under a key; the id of its run.
async fn submit(desk: &mut Desk, key: &str) -> String {
    let path = desk.folder().join(FILE);
    let request = StartRunRequest {
        source: std::fs::read_to_string(path).expect("the workflow"),
        file_name: FILE.to_owned(),
        folder: desk.folder().display().to_string(),
        ..StartRunRequest::default()
    };
    desk.start(key, request).await
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
        let mut desk = open().await;
        let run = submit(&mut desk, "reference").await;
        let accepted = Instant::now();
        let (events, ended) = desk.finish(&run).await;
        let length = accepted.elapsed();
        assert_eq!(ended.status, "succeeded", "{:?}", ended.error);
        let reports = Reports::read(desk.folder(), &run);
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
    let mut desk = open().await;
    let key = format!("round-{number}");
    let run = submit(&mut desk, &key).await;
    let accepted = Instant::now();
    wait_for(&mut desk, &run, kills.first, accepted).await;
    let after = accepted.elapsed();
    desk.kill();

    let journal = evidence::journal(desk.folder()).await;
    let states = journal.states(&reference.tasks);
    let over = journal.closed() == 1;

    desk.reopen().await;
    if let Some(moment) = kills.second {
        let _ = timeout(moment, pending::<()>()).await;
        desk.kill();
        desk.reopen().await;
    }
    assert_eq!(
        submit(&mut desk, &key).await,
        run,
        "round {number}: key resent"
    );
    let (_, ended) = desk.finish(&run).await;
    assert_eq!(
        ended.status, "succeeded",
        "round {number}: {:?}",
        ended.error
    );
    assert_eq!(
        submit(&mut desk, &key).await,
        run,
        "round {number}: key resent"
    );
    assert_eq!(
        desk.runs_of("").await,
        std::slice::from_ref(&run),
        "round {number}"
    );

    let folder = desk.folder();
    let reports = Reports::read(folder, &run);
    reports.check_digests(&outputs(&ended));
    let start = ended.start_time.expect("a start");
    reports.check_against(&reference.reports, start);
    evidence::no_leftovers(folder, &run);

    let folder = desk.close();
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
