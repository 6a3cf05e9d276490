//! Runs of sub-workflows, for the tasks that wait for them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use gearmesh_api::journal::v1 as journal;
use gearmesh_fault::Fault;

use crate::error::Error;
use crate::plan::{Child, Phase, Problem, RunEnd, StartChild, State};
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
        return Some(refused(Problem::new(
            "RUN_CANCELLED",
            "the run was cancelled",
        )));
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
    let started = Box::pin(start.below(above).begin(runs)).await;
    let run = match started {
        Ok(run) => run,
        Err(Error::Stopping) => return None,
        Err(error) => return Some(refused(problem(&child.workflow, &error))),
    };
    tokio::select! {
        ended = runs.wait(&run) => ended.ok().map(|state| told(&child.workflow, &state)),
        () = abort.cancelled() => {
            // Its end is waited for: what it has under way may still take effect.
            if let Err(error) = runs.cancel(&run, false).await {
                tracing::warn!(%run, %error, "the run of a sub-workflow cannot be cancelled");
            }
            runs.wait(&run).await.ok().map(|state| told(&child.workflow, &state))
        }
    }
}

fn refused(problem: Problem) -> Child {
    Child { end: Err(problem) }
}

fn problem(workflow: &str, error: &Error) -> Problem {
    let code = error.reason();
    let code = code.name().trim_start_matches("ORCHESTRATOR_FAULT_");
    let code = code.trim_start_matches("COMMON_FAULT_");
    Problem::new(code, format!("`{workflow}` cannot be started: {error}"))
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
