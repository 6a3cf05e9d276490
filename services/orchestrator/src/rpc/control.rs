//! Pausing, resuming, ending and repeating runs, and what they wait for.

use std::collections::BTreeSet;

use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::{Call, CallOf};
use gearmesh_store::parse_run;

use super::Rpc;
use super::runs::shown;
use super::words::from_json;
use crate::error::Error;
use crate::plan::{Decision, Input, InstanceStatus, State, TaskStatus};
use crate::run::{From, Part, Start, after, earlier};
use crate::why;

pub(super) async fn cancel_run(
    rpc: &Rpc,
    request: Request<api::CancelRunRequest>,
) -> Result<api::CancelRunResponse, Status> {
    let api::CancelRunRequest { run_id, force } = request.into_inner();
    let status = rpc.runs.cancel(&run_id, force).await?;
    Ok(api::CancelRunResponse { run_id, status })
}

pub(super) async fn pause_run(
    rpc: &Rpc,
    request: Request<api::PauseRunRequest>,
) -> Result<api::PauseRunResponse, Status> {
    let principal = request.call().principal.unwrap_or_default();
    let api::PauseRunRequest { run_id, reason } = request.into_inner();
    rpc.runs
        .ask(&run_id, Input::Pause { principal, reason })
        .await?;
    let status = status(rpc, &run_id).await?;
    Ok(api::PauseRunResponse { run_id, status })
}

pub(super) async fn resume_run(
    rpc: &Rpc,
    request: Request<api::ResumeRunRequest>,
) -> Result<api::ResumeRunResponse, Status> {
    let principal = request.call().principal.unwrap_or_default();
    let run_id = request.into_inner().run_id;
    rpc.runs.ask(&run_id, Input::Resume { principal }).await?;
    let status = status(rpc, &run_id).await?;
    Ok(api::ResumeRunResponse { run_id, status })
}

async fn status(rpc: &Rpc, run: &str) -> Result<String, Error> {
    rpc.runs.look(run, |state| state.status().to_owned()).await
}

pub(super) async fn decide_task(
    rpc: &Rpc,
    request: Request<api::DecideTaskRequest>,
) -> Result<api::DecideTaskResponse, Status> {
    let principal = request.call().principal.unwrap_or_default();
    let request = request.into_inner();
    let (id, path, item) = (request.task.clone(), request.path, request.item);
    let found = move |state: &State| {
        let task = state.at(&id, &path)?;
        let item = item.unwrap_or_default() as usize;
        let open = state.tasks[task].instances.get(item)?.status == InstanceStatus::Unknown;
        Some((task, item, open))
    };
    let (task, item) = match rpc.runs.look(&request.run_id, found).await? {
        Some((task, item, true)) => (task, item),
        Some(_) => {
            return Err(Error::DecisionNotOpen {
                run: request.run_id,
                task: request.task,
            }
            .into());
        }
        None => {
            return Err(Error::TaskNotFound {
                run: request.run_id,
                task: request.task,
            }
            .into());
        }
    };
    let decision = match request.decision.as_str() {
        "retry" => Decision::Retry,
        "fail" => Decision::Fail,
        _ => Decision::Done(request.result.as_ref().map(from_json).unwrap_or_default()),
    };
    let input = Input::Decide {
        task,
        item,
        decision,
        principal,
    };
    rpc.runs.ask(&request.run_id, input).await?;
    Ok(api::DecideTaskResponse {
        status: status(rpc, &request.run_id).await?,
    })
}

pub(super) async fn why_run(
    rpc: &Rpc,
    request: Request<api::WhyRunRequest>,
) -> Result<api::WhyRunResponse, Status> {
    let api::WhyRunRequest { run_id, task } = request.into_inner();
    let asked = task.clone();
    let (status, place, reasons) = rpc
        .runs
        .look(&run_id, move |state| {
            let known = asked.is_empty() || state.index.contains_key(&asked);
            let reasons = known.then(|| why::reasons(state, &asked));
            (
                state.status().to_owned(),
                state.accepted.place.clone(),
                reasons,
            )
        })
        .await?;
    let Some(mut reasons) = reasons else {
        return Err(Error::TaskNotFound { run: run_id, task }.into());
    };
    if let (Some((key, _)), "queued") = (place, status.as_str()) {
        let holders = rpc.runs.places().holders(&key);
        reasons.insert(0, why::place(&key, &holders, parse_run(&run_id)));
    }
    Ok(api::WhyRunResponse { status, reasons })
}

pub(super) async fn retry_run(
    rpc: &Rpc,
    request: Request<api::RetryRunRequest>,
) -> Result<api::RetryRunResponse, Status> {
    let Call {
        key,
        principal,
        scopes,
        ..
    } = request.call();
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
    let from = if request.version == "current" {
        From::Stored {
            name: accepted.workflow.clone(),
            version: 0,
        }
    } else {
        From::File {
            source: accepted.source.clone(),
            file_name: accepted.file_name.clone(),
            dialect: gearmesh_workflow::Dialect::from_name(&accepted.dialect),
        }
    };
    let inputs = serde_json::from_slice(&accepted.inputs).unwrap_or_default();
    let mut start = Start {
        inputs,
        folder: accepted.folder.clone(),
        key,
        principal,
        scopes,
        priority: accepted.priority,
        trigger: serde_json::from_slice(&accepted.trigger).ok(),
        scheduled_ms: accepted.scheduled_ms,
        ..Start::of(from)
    };
    let workflow = start.workflow(&rpc.runs).await?;
    let own = workflow.tasks_of(0);
    let ended = |id: &str| tasks.iter().find(|e| e.id == id).map(|e| e.status);
    let position = |id: &str| own.iter().position(|t| t.id == id);
    let again: BTreeSet<usize> = match request.from_task.as_str() {
        "" => {
            let kept = |id: &str| matches!(ended(id), Some(TaskStatus::Succeeded));
            let failed = (0..own.len()).filter(|t| !kept(&own[*t].id));
            failed.flat_map(|task| after(&workflow, task)).collect()
        }
        id => {
            let Some(task) = position(id) else {
                let task = id.to_owned();
                return Err(Error::TaskNotFound { run, task }.into());
            };
            if request.scope == "task" {
                BTreeSet::from([task])
            } else {
                after(&workflow, task)
            }
        }
    };
    let catalog = rpc.runs.context().catalog();
    let planned = gearmesh_workflow::plan(&workflow, &catalog);
    let shown_again = again.iter().map(|task| {
        let id = own[*task].id.clone();
        let effect = planned.tasks.iter().find(|t| t.id == id);
        let effect = effect.and_then(|t| t.effect).map(|e| e.as_str().to_owned());
        api::Again {
            repeats: ended(&id) == Some(TaskStatus::Succeeded),
            effect: effect.unwrap_or_default(),
            task: id,
        }
    });
    let reused = (0..own.len())
        .filter(|t| !again.contains(t) && ended(&own[*t].id) == Some(TaskStatus::Succeeded))
        .map(|t| own[t].id.clone());
    let mut answer = api::RetryRunResponse {
        run: None,
        reused: reused.collect(),
        again: shown_again.collect(),
    };
    if request.preview {
        return Ok(answer);
    }
    start.part = Some(Part { run, tasks: again });
    let run = start.begin(&rpc.runs).await?;
    answer.run = Some(shown(rpc, &run).await?);
    Ok(answer)
}
