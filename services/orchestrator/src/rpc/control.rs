//! Pausing, resuming and ending runs, and what they wait for.

use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::CallOf;
use gearmesh_store::parse_run;

use super::Rpc;
use super::words::from_json;
use crate::error::Error;
use crate::plan::{Decision, Input, InstanceStatus, State};
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
        let holders =
            parse_run(&run_id).map_or_else(Vec::new, |id| rpc.runs.places(id).holders(&key));
        reasons.insert(0, why::place(&key, &holders, parse_run(&run_id)));
    }
    Ok(api::WhyRunResponse { status, reasons })
}
