//! Runs of sub-workflows, for the tasks that wait for them.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use gearmesh_api::journal::v1 as journal;
use gearmesh_fault::{Fault, meaning};
use gearmesh_store::{ListRuns, parse_run, run_text};

use crate::error::Error;
use crate::journal::FULL_LOOK;
use crate::plan::{Child, Phase, Problem, RunEnd, StartChild, State};
use crate::run::remote;
use crate::run::runs::Runs;
use crate::run::start::{From, Start};

/// Deepest nesting of sub-workflows: deeper is a workflow that starts itself.
pub(crate) const DEPTH_MAX: u32 = 10;

/// What a run hands down to those that its tasks start.
#[derive(Debug, Clone)]
pub(crate) struct Above {
    pub(crate) parent: journal::Parent,
    pub(crate) principal: String,
    pub(crate) scopes: Option<String>,
    pub(crate) folder: String,
    /// The version to which the run above is pinned.
    pub(crate) version: Option<u32>,
    pub(crate) pinned: HashMap<String, u32>,
    /// The concurrency keys that it holds.
    pub(crate) inherited: Vec<String>,
    pub(crate) mock: bool,
}

/// Starts the run, or finds it again, and waits for its end. None when this process stops
/// before that: the next one asks again.
pub(crate) async fn run(
    runs: &Runs,
    child: StartChild,
    above: Above,
    abort: CancellationToken,
) -> Option<Child> {
    let depth = above.parent.depth;
    if depth > DEPTH_MAX {
        let text = format!(
            "`{}` would be nested {depth} deep; at most {DEPTH_MAX}",
            child.workflow
        );
        return Some(refused(Problem::new("TOO_DEEP", text)));
    }
    if abort.is_cancelled() {
        // One that an earlier process started goes on by itself, and must end first.
        if let Some(run) = started_before(runs, &above).await {
            cancel(runs, &run).await;
            return ended(runs, &child.workflow, &run).await;
        }
        let text = "the run was cancelled";
        return Some(refused(Problem::new("RUN_CANCELLED", text)));
    }
    let inputs = match child.inputs {
        Value::Object(inputs) => inputs,
        _ => Map::new(),
    };
    let start = Start {
        inputs,
        folder: above.folder.clone(),
        principal: Some(above.principal.clone()).filter(|p| !p.is_empty()),
        scopes: above.scopes.clone(),
        key: Some(child.key.clone()),
        mock: above.mock,
        ..Start::of(From::Stored {
            name: child.workflow.clone(),
            version: above.version.unwrap_or_default(),
        })
    };
    let started = Box::pin(begun(runs, start.below(above), &abort)).await;
    let run = match started {
        Ok(run) => run,
        Err(Error::Stopping) => return None,
        Err(error) => return Some(refused(problem(&child.workflow, &error))),
    };
    tokio::select! {
        ended = ended(runs, &child.workflow, &run) => ended,
        () = abort.cancelled() => {
            // Its end is waited for: what it has under way may still take effect.
            cancel(runs, &run).await;
            ended(runs, &child.workflow, &run).await
        }
    }
}

/// Starts the run. A full store is waited out, as it is for what a run itself writes, unless
/// the run above is being ended.
async fn begun(runs: &Runs, start: Start, abort: &CancellationToken) -> Result<String, Error> {
    let mut told = false;
    loop {
        let mut begun = start.clone().begin(runs).await;
        if let Err(Error::Elsewhere(shard)) = begun {
            begun = remote::start(runs, shard, &start).await;
        }
        match &begun {
            Err(Error::Store(gearmesh_store::Error::Full)) => {
                if !told {
                    told = true;
                    tracing::error!(
                        "the store is full; the start of a sub-workflow waits for space"
                    );
                }
            }
            // Its key makes that two starts are one.
            Err(error) if is_away(error) => {}
            _ => return begun,
        }
        tokio::select! {
            () = abort.cancelled() => return begun,
            () = runs.context().shutdown().cancelled() => return Err(Error::Stopping),
            () = runs.context().clock().sleep(FULL_LOOK) => {}
        }
    }
}

/// Whether a store or another instance will answer later.
fn is_away(error: &Error) -> bool {
    use gearmesh_store::Error as Store;
    match error {
        Error::Store(Store::Unavailable(_) | Store::CommitUnknown | Store::Fenced { .. }) => true,
        Error::Remote(status) | Error::Sealing(status) => status.code() == tonic::Code::Unavailable,
        Error::Elsewhere(_) => true,
        _ => false,
    }
}

/// Ends the run of a sub-workflow, wherever it is.
async fn cancel(runs: &Runs, run: &str) {
    loop {
        let cancelled = match runs.cancel(run, false).await {
            Err(Error::Elsewhere(shard)) => remote::cancel(runs, shard, run).await,
            cancelled => cancelled,
        };
        match cancelled {
            Ok(_) => return,
            Err(_) if runs.context().shutdown().is_cancelled() => return,
            // Its owner is just being replaced.
            Err(error) if is_away(&error) || matches!(error, Error::Stopping) => {
                runs.context().clock().sleep(LOOK_AGAIN).await;
            }
            Err(error) => {
                tracing::warn!(%run, %error, "the run of a sub-workflow cannot be cancelled");
                return;
            }
        }
    }
}

/// Wait before a run is looked at again that could not be read, or that another instance
/// drives: what that one writes is seen in the store.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const LOOK_ELSEWHERE: Duration = Duration::from_millis(50);

/// How a run ended; none when this process stops before that.
async fn ended(runs: &Runs, workflow: &str, run: &str) -> Option<Child> {
    loop {
        match runs.wait(run).await {
            Ok(state) => return Some(told(workflow, &state)),
            Err(_) if runs.context().shutdown().is_cancelled() => return None,
            // Its shard changed hands in between.
            Err(Error::Stopping) => runs.context().clock().sleep(LOOK_ELSEWHERE).await,
            Err(error) => {
                tracing::warn!(%run, %error, "the run of a sub-workflow cannot be read");
                runs.context().clock().sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// The run that was started for a task before this process was, if there is one: under
/// the same parent, for the same task and items.
async fn started_before(runs: &Runs, above: &Above) -> Option<String> {
    let parent = parse_run(&above.parent.run);
    let filter = ListRuns {
        parent,
        ..ListRuns::default()
    };
    let children = runs.journal().list(&filter).await.ok()?;
    for child in children.into_iter().filter(|c| c.ended_at_ms.is_none()) {
        let run = run_text(child.run);
        let wanted = above.parent.clone();
        let same = runs.look(&run, move |state| {
            let parent = state.accepted.parent.as_ref();
            parent.is_some_and(|p| {
                p.task == wanted.task && p.path == wanted.path && p.item == wanted.item
            })
        });
        if same.await.unwrap_or(false) {
            return Some(run);
        }
    }
    None
}

fn refused(problem: Problem) -> Child {
    Child { end: Err(problem) }
}

fn problem(workflow: &str, error: &Error) -> Problem {
    let code = meaning(&error.reason()).reason;
    Problem::new(&code, format!("`{workflow}` cannot be started: {error}"))
}

/// How the run ended, as the task above sees it. A partial one has outputs, and what
/// failed in it was allowed to.
fn told(workflow: &str, state: &State) -> Child {
    let end = match state.phase {
        Phase::Ended(RunEnd::Succeeded | RunEnd::Partial) => Ok(state.outputs.clone()),
        Phase::Ended(end) => {
            let (task, why) = state.failed.clone().unwrap_or_default();
            let text = format!(
                "{} of `{workflow}` ended {}: {}",
                state.run,
                end.as_str(),
                why.message
            );
            let details = json!({"run": state.run, "status": end.as_str(), "code": why.code,
                "task": task});
            Err(Problem {
                retryable: why.retryable,
                hint: format!("gearmesh run show {}", state.run),
                details: Box::new(details),
                ..Problem::new("CHILD_FAILED", text)
            })
        }
        _ => Err(Problem::new("CHILD_FAILED", "its run has no end")),
    };
    Child { end }
}
