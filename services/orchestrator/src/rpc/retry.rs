//! Running a workflow again from a task on, with what had succeeded before.

use std::collections::{BTreeSet, HashMap};

use tonic::{Request, Status};

use gearmesh_api::journal::v1 as journal;
use gearmesh_api::orchestrator::v1 as api;
use gearmesh_catalog::Effect;
use gearmesh_runtime::{Call, CallOf};
use gearmesh_workflow::{Dialect, Workflow};

use super::Rpc;
use super::again::{Past, effects, past};
use super::start::{begun, begun_by};
use crate::error::Error;
use crate::plan::TaskStatus;
use crate::run::{From, Part, Start, after};

pub(super) async fn retry_run(
    rpc: &Rpc,
    request: Request<api::RetryRunRequest>,
) -> Result<api::RetryRunResponse, Status> {
    let call = request.call();
    let request = request.into_inner();
    let run = request.run_id.clone();
    let past = rpc
        .runs
        .look(&run, |state| state.ended().then(|| past(state)))
        .await?;
    let Some(past) = past else {
        return Err(Error::RunNotEnded(run).into());
    };
    let accepted = crate::journal::accepted(rpc.runs.context(), rpc.runs.journal(), &run).await?;
    let mut start = start_of(call, &request, accepted);
    let workflow = start.workflow(&rpc.runs).await?;
    let again = again(&workflow, &past, &request)?;
    let effects = match start.mock {
        // It calls nothing.
        true => vec![None; workflow.tasks_of(0).len()],
        false => effects(&rpc.runs, &workflow, &start.pinned).await?,
    };
    let mut answer = told(&workflow, &effects, &past, &again);
    if request.preview {
        return Ok(answer);
    }
    start.part = Some(Part { run, tasks: again });
    let run = start.begin(&rpc.runs).await?;
    answer.run = Some(begun(rpc, &run).await?);
    Ok(answer)
}

/// The start that the earlier run had, on behalf of this caller.
fn start_of(call: Call, request: &api::RetryRunRequest, accepted: journal::Accepted) -> Start {
    let same = request.version != "current";
    let from = if !same {
        From::Stored {
            name: accepted.workflow,
            version: 0,
        }
    } else {
        From::File {
            source: accepted.source,
            file_name: accepted.file_name,
            dialect: Dialect::from_name(&accepted.dialect),
        }
    };
    Start {
        inputs: serde_json::from_slice(&accepted.inputs).unwrap_or_default(),
        folder: accepted.folder,
        priority: accepted.priority,
        trigger: serde_json::from_slice(&accepted.trigger).ok(),
        scheduled_ms: accepted.scheduled_ms,
        mock: accepted.mock,
        pinned: if same {
            accepted.pinned
        } else {
            HashMap::new()
        },
        sealed_by: same.then(|| request.run_id.clone()),
        ..begun_by(call, from)
    }
}

fn succeeded(past: &HashMap<String, Past>, id: &str) -> bool {
    let past = past.get(id);
    past.is_some_and(|past| past.status == TaskStatus::Succeeded)
}

/// The tasks that run: the one that is named and what needs it, else all that had not
/// succeeded and what needs those.
fn again(
    workflow: &Workflow,
    past: &HashMap<String, Past>,
    request: &api::RetryRunRequest,
) -> Result<BTreeSet<usize>, Error> {
    let own = workflow.tasks_of(0);
    if request.from_task.is_empty() {
        let open = (0..own.len()).filter(|task| !succeeded(past, &own[*task].id));
        return Ok(open.flat_map(|task| after(workflow, task)).collect());
    }
    let Some(task) = own.iter().position(|t| t.id == request.from_task) else {
        return Err(Error::TaskNotFound {
            run: request.run_id.clone(),
            task: request.from_task.clone(),
        });
    };
    Ok(if request.scope == "task" {
        BTreeSet::from([task])
    } else {
        after(workflow, task)
    })
}

/// What is reused, and which effects may happen a second time.
fn told(
    workflow: &Workflow,
    effects: &[Option<Effect>],
    past: &HashMap<String, Past>,
    again: &BTreeSet<usize>,
) -> api::RetryRunResponse {
    let (mut reused, mut shown) = (Vec::new(), Vec::new());
    for (at, (task, effect)) in workflow.tasks_of(0).iter().zip(effects).enumerate() {
        if again.contains(&at) {
            shown.push(api::Again {
                repeats: past.get(&task.id).is_some_and(|past| past.acted),
                effect: effect.map_or("", Effect::as_str).to_owned(),
                task: task.id.clone(),
            });
        } else if succeeded(past, &task.id) {
            reused.push(task.id.clone());
        }
    }
    api::RetryRunResponse {
        run: None,
        reused,
        again: shown,
    }
}
