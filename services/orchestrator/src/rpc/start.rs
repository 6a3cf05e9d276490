//! Starting runs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::{Call, CallOf};
use gearmesh_store::{ListRuns, run_text};
use gearmesh_workflow::{Dialect, Source, check};

use super::Rpc;
use super::runs::shown;
use super::words::{dialect, from_json, inputs, milliseconds};
use crate::error::Error;
use crate::render;
use crate::run::{From, Part, Start, after, before};

/// Longest window in which a dedupe key answers its run.
const DEDUPE_MAX_MS: i64 = 30 * 24 * 3_600 * 1_000;

pub(super) async fn start_run(
    rpc: &Rpc,
    request: Request<api::StartRunRequest>,
) -> Result<api::StartRunResponse, Status> {
    let Call {
        key,
        principal,
        scopes,
        ..
    } = request.call();
    let request = request.into_inner();
    let from = match (request.source.as_str(), request.workflow.as_str()) {
        ("", "") => return Err(Error::Parameters("give `source` or `workflow`".into()).into()),
        ("", name) => From::Stored {
            name: name.to_owned(),
            version: request.version,
        },
        (_, "") => From::File {
            source: request.source.clone(),
            file_name: request.file_name.clone(),
            dialect: dialect(&request.dialect),
        },
        _ => {
            let text = "give `source` or `workflow`, and not both";
            return Err(Error::Parameters(text.into()).into());
        }
    };
    let mut start = Start {
        inputs: inputs(request.inputs),
        folder: rpc.config.admitted(request.folder),
        key,
        principal,
        scopes,
        priority: request.priority,
        dedupe: dedupe(&request.dedupe_key, request.dedupe_window.as_ref())?,
        trigger: request.trigger.as_ref().map(from_json),
        scheduled_ms: request.scheduled_at.as_ref().map(milliseconds),
        mock: request.mock,
        ..Start::of(from)
    };
    if let Some(part) = request.part {
        start.part = Some(part_of(rpc, &start, part).await?);
    }
    let run = start.begin(&rpc.runs).await?;
    Ok(api::StartRunResponse {
        run: Some(shown(rpc, &run).await?),
    })
}

fn dedupe(
    key: &str,
    window: Option<&prost_types::Duration>,
) -> Result<Option<(String, i64)>, Error> {
    let window_ms = window.map_or(0, |w| {
        (w.seconds.saturating_mul(1_000)).saturating_add(i64::from(w.nanos) / 1_000_000)
    });
    match (key, window_ms) {
        ("", 0) | (_, 0) => Ok(None),
        ("", _) => Err(Error::Parameters("`dedupeWindow` needs `dedupeKey`".into())),
        (_, ms) if !(0..=DEDUPE_MAX_MS).contains(&ms) => {
            let text = "`dedupeWindow` must be from 0 to 30 days";
            Err(Error::Parameters(text.into()))
        }
        (key, ms) => Ok(Some((key.to_owned(), ms))),
    }
}

/// The tasks that run, and the run whose results stand in for the rest.
async fn part_of(rpc: &Rpc, start: &Start, part: api::Part) -> Result<Part, Error> {
    let workflow = start.workflow(&rpc.runs).await?;
    let given = [&part.from, &part.until, &part.only];
    let named: Vec<_> = given.into_iter().filter(|t| !t.is_empty()).collect();
    let [id] = named.as_slice() else {
        let text = "give exactly one of `from`, `until` and `only`";
        return Err(Error::Parameters(text.into()));
    };
    let tasks = workflow.tasks_of(0);
    let Some(task) = tasks.iter().position(|t| t.id == **id) else {
        return Err(Error::TaskNotFound {
            run: format!("workflow `{}`", workflow.name),
            task: (*id).clone(),
        });
    };
    let tasks = if !part.from.is_empty() {
        after(&workflow, task)
    } else if !part.until.is_empty() {
        before(&workflow, task)
    } else {
        BTreeSet::from([task])
    };
    let run = match part.run_id.as_str() {
        _ if !part.until.is_empty() => String::new(),
        "" => last_of(rpc, &workflow.name).await?,
        run => run.to_owned(),
    };
    Ok(Part { run, tasks })
}

/// The last run of a workflow that has ended.
async fn last_of(rpc: &Rpc, workflow: &str) -> Result<String, Error> {
    let filter = ListRuns {
        workflow: Some(workflow.to_owned()),
        limit: 50,
        ..ListRuns::default()
    };
    let rows = rpc.runs.journal().list(&filter).await?;
    let ended = rows.into_iter().find(|row| row.ended_at_ms.is_some());
    ended.map(|row| run_text(row.run)).ok_or_else(|| {
        let text = format!("no run of `{workflow}` has ended, so there are no results to reuse");
        Error::Parameters(text)
    })
}

pub(super) async fn execute(
    rpc: &Rpc,
    request: Request<api::ExecuteRequest>,
) -> Result<api::ExecuteResponse, Status> {
    let Call {
        key,
        principal,
        scopes,
        ..
    } = request.call();
    let request = request.into_inner();
    let has_tasks = !request.tasks.is_empty() || request.config.is_some();
    if has_tasks != request.source.is_empty() {
        return if has_tasks {
            Err(Error::NothingToRun.into())
        } else {
            // An empty list of tasks is answered as Oktyv answers it.
            let text = "At least one task is required";
            Ok(render::refused("INVALID_PARAMETERS", text))
        };
    }
    let (source, named) = if has_tasks {
        let source = oktyv_source(&request.tasks, request.config.as_ref());
        (source, Some(Dialect::Oktyv))
    } else {
        (request.source, None)
    };
    let catalog = rpc.runs.context().catalog();
    let dialect = named.unwrap_or_else(|| {
        let source = Source {
            text: &source,
            file_name: &request.file_name,
            dialect: None,
        };
        check(&source, Some(&catalog)).dialect
    });
    let start = Start {
        inputs: inputs(request.inputs),
        folder: rpc.config.admitted(request.folder),
        key,
        principal,
        scopes,
        ..Start::of(From::File {
            source,
            file_name: request.file_name,
            dialect: Some(dialect),
        })
    };
    let run = match start.begin(&rpc.runs).await {
        Err(Error::Invalid(faults)) if dialect == Dialect::Oktyv => {
            let first = faults.first();
            let code = first.map_or("INVALID_PARAMETERS", |d| d.code);
            let message = first.map_or("", |d| d.message.as_str());
            return Ok(render::refused(code, message));
        }
        started => started?,
    };
    let state = rpc.runs.wait(&run).await?;
    let now = rpc.runs.context().clock().now_ms();
    Ok(render::executed(&state, now))
}

fn oktyv_source(tasks: &[Json], config: Option<&Json>) -> String {
    let mut document = Map::new();
    document.insert("tasks".into(), tasks.iter().map(from_json).collect());
    if let Some(config) = config {
        document.insert("config".into(), from_json(config));
    }
    Value::Object(document).to_string()
}
