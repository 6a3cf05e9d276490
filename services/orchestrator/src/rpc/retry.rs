//! Running a workflow again from a task on, with what had succeeded before.

use std::collections::{BTreeSet, HashMap};

use tonic::{Request, Status};

use gearmesh_api::journal::v1 as journal;
use gearmesh_api::orchestrator::v1 as api;
use gearmesh_catalog::Catalog;
use gearmesh_runtime::{Call, CallOf};
use gearmesh_workflow::{Dialect, Workflow, plan};

use super::Rpc;
use super::runs::shown;
use crate::error::Error;
use crate::plan::TaskStatus;
use crate::run::{Earlier, From, Part, Start, after, earlier};

pub(super) async fn retry_run(
    rpc: &Rpc,
    request: Request<api::RetryRunRequest>,
) -> Result<api::RetryRunResponse, Status> {
    let call = request.call();
    let request = request.into_inner();
    let run = request.run_id.clone();
    let tasks = rpc
        .runs
        .look(&run, |state| (state.ended(), earlier(state)))
        .await?;
    let (true, tasks) = tasks else {
        return Err(Error::RunNotEnded(run).into());
    };
    let accepted = crate::journal::accepted(rpc.runs.journal(), &run).await?;
    let mut start = start_of(call, &request, accepted);
    let workflow = start.workflow(&rpc.runs).await?;
    let again = again(&workflow, &tasks, &request)?;
    let catalog = rpc.runs.context().catalog();
    let mut answer = told(&workflow, &catalog, &tasks, &again);
    if request.preview {
        return Ok(answer);
    }
    start.part = Some(Part { run, tasks: again });
    let run = start.begin(&rpc.runs).await?;
    answer.run = Some(shown(rpc, &run).await?);
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
        key: call.key,
        principal: call.principal,
        scopes: call.scopes,
        priority: accepted.priority,
        trigger: serde_json::from_slice(&accepted.trigger).ok(),
        scheduled_ms: accepted.scheduled_ms,
        mock: accepted.mock,
        pinned: if same {
            accepted.pinned
        } else {
            HashMap::new()
        },
        ..Start::of(from)
    }
}

fn ended(tasks: &[Earlier], id: &str) -> Option<TaskStatus> {
    tasks.iter().find(|e| e.id == id).map(|e| e.status)
}

/// The tasks that run: the one that is named and what needs it, else all that had not
/// succeeded and what needs those.
fn again(
    workflow: &Workflow,
    tasks: &[Earlier],
    request: &api::RetryRunRequest,
) -> Result<BTreeSet<usize>, Error> {
    let own = workflow.tasks_of(0);
    if request.from_task.is_empty() {
        let kept = |task: &usize| ended(tasks, &own[*task].id) == Some(TaskStatus::Succeeded);
        let open = (0..own.len()).filter(|task| !kept(task));
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
    catalog: &Catalog,
    tasks: &[Earlier],
    again: &BTreeSet<usize>,
) -> api::RetryRunResponse {
    let own = workflow.tasks_of(0);
    let planned = plan(workflow, catalog);
    let shown = again.iter().map(|task| {
        let id = own[*task].id.clone();
        let effect = planned.tasks.iter().find(|t| t.id == id);
        let effect = effect.and_then(|t| t.effect).map(|e| e.as_str().to_owned());
        api::Again {
            repeats: ended(tasks, &id) == Some(TaskStatus::Succeeded),
            effect: effect.unwrap_or_default(),
            task: id,
        }
    });
    let kept = |t: &usize| ended(tasks, &own[*t].id) == Some(TaskStatus::Succeeded);
    let reused = (0..own.len()).filter(|t| !again.contains(t) && kept(t));
    api::RetryRunResponse {
        run: None,
        reused: reused.map(|t| own[t].id.clone()).collect(),
        again: shown.collect(),
    }
}
