//! Starting runs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tonic::{Request, Status};

use gearmesh_api::journal::v1 as journal;
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
use crate::run::{Above, From, Part, Start, after, before};

/// Longest window in which a dedupe key answers its run.
const DEDUPE_MAX_MS: i64 = 30 * 24 * 3_600 * 1_000;

pub(super) async fn start_run(
    rpc: &Rpc,
    request: Request<api::StartRunRequest>,
) -> Result<api::StartRunResponse, Status> {
    let call = request.call();
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
        priority: request.priority,
        dedupe: dedupe(&request.dedupe_key, request.dedupe_window.as_ref())?,
        trigger: request.trigger.as_ref().map(from_json),
        scheduled_ms: request.scheduled_at.as_ref().map(milliseconds),
        mock: request.mock,
        ..begun_by(call, from)
    };
    if let Some(part) = request.part {
        start.part = Some(part_of(rpc, &mut start, part).await?);
    }
    let run = start.begin(&rpc.runs).await?;
    let run = Some(begun(rpc, &run).await?);
    Ok(api::StartRunResponse { run })
}

/// A run that has begun. To ask its owner the same again, if that is another instance, might
/// begin a second one.
pub(super) async fn begun(rpc: &Rpc, run: &str) -> Result<api::Run, Error> {
    match shown(rpc, run).await {
        Err(Error::Elsewhere(_)) => {
            let state = rpc.runs.as_written(run).await?;
            Ok(render::run(&state, rpc.runs.context().clock().now_ms()))
        }
        shown => shown,
    }
}

/// Starts a run for a task of a run that a sibling drives.
pub(super) async fn start_child(
    rpc: &Rpc,
    request: Request<api::StartChildRequest>,
) -> Result<api::StartChildResponse, Status> {
    let request = request.into_inner();
    let above = Above {
        parent: journal::Parent {
            run: request.parent_run,
            task: request.parent_task,
            path: request.path,
            item: request.item,
            depth: request.depth,
        },
        principal: request.principal.clone(),
        scopes: request.scopes.clone(),
        folder: request.folder.clone(),
        version: Some(request.version).filter(|v| *v > 0),
        pinned: request.pinned,
        inherited: request.inherited,
        mock: request.mock,
    };
    let inputs = request.inputs.as_ref().map(from_json);
    let start = Start {
        inputs: inputs
            .and_then(|inputs| inputs.as_object().cloned())
            .unwrap_or_default(),
        folder: request.folder,
        principal: Some(request.principal).filter(|p| !p.is_empty()),
        scopes: request.scopes,
        key: Some(request.request_id).filter(|k| !k.is_empty()),
        mock: request.mock,
        ..Start::of(From::Stored {
            name: request.workflow,
            version: request.version,
        })
    };
    let run_id = start.below(above).begin(&rpc.runs).await?;
    Ok(api::StartChildResponse { run_id })
}

/// A start with nothing beside its workflow, on behalf of a caller.
pub(super) fn begun_by(call: Call, from: From) -> Start {
    Start {
        key: call.key,
        principal: call.principal,
        scopes: call.scopes,
        ..Start::of(from)
    }
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
async fn part_of(rpc: &Rpc, start: &mut Start, part: api::Part) -> Result<Part, Error> {
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
        "" => last_of(rpc, &workflow.name, start.mock).await?,
        run => run.to_owned(),
    };
    Ok(Part { run, tasks })
}

/// Runs that are looked at for results to reuse, and of one page: each that is none is read
/// from its journal, and mock runs in such a number come of a loop.
const LOOKED_MAX: usize = 200;
const LOOKED_PAGE: u32 = 50;

/// The last run of a workflow that has ended, and whose results may be reused: those of mock
/// runs are for mock runs alone.
async fn last_of(rpc: &Rpc, workflow: &str, mock: bool) -> Result<String, Error> {
    let (mut looked, mut before) = (0, None);
    while looked < LOOKED_MAX {
        let filter = ListRuns {
            workflow: Some(workflow.to_owned()),
            before,
            limit: LOOKED_PAGE,
            ..ListRuns::default()
        };
        let rows = rpc.runs.journal().list(&filter).await?;
        let Some(last) = rows.last() else { break };
        before = Some(last.run);
        looked += rows.len();
        for row in rows.iter().filter(|row| row.ended_at_ms.is_some()) {
            let run = run_text(row.run);
            if rpc.runs.look(&run, |state| state.accepted.mock).await? == mock {
                return Ok(run);
            }
        }
    }
    let kind = if mock { "mock run" } else { "run" };
    let text = match looked {
        LOOKED_MAX.. => format!(
            "none of the last {LOOKED_MAX} runs of `{workflow}` is a {kind} that has ended; \
             name the run whose results to reuse as `part.runId`"
        ),
        _ => format!("no {kind} of `{workflow}` has ended, so there are no results to reuse"),
    };
    Err(Error::Parameters(text))
}

pub(super) async fn execute(
    rpc: &Rpc,
    request: Request<api::ExecuteRequest>,
) -> Result<api::ExecuteResponse, Status> {
    let call = request.call();
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
    let from = From::File {
        source: source.clone(),
        file_name: request.file_name.clone(),
        dialect: named,
    };
    let start = Start {
        inputs: inputs(request.inputs),
        folder: rpc.config.admitted(request.folder),
        ..begun_by(call, from)
    };
    let run = match start.begin(&rpc.runs).await {
        Err(Error::Invalid(faults)) if is_oktyv(named, &source, &request.file_name) => {
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

/// Whether a document that was refused is one of Oktyv, which has a shape of its own for
/// that.
fn is_oktyv(named: Option<Dialect>, text: &str, file_name: &str) -> bool {
    let dialect = named.unwrap_or_else(|| {
        let source = Source {
            text,
            file_name,
            dialect: None,
        };
        check(&source, None).dialect
    });
    dialect == Dialect::Oktyv
}

fn oktyv_source(tasks: &[Json], config: Option<&Json>) -> String {
    let mut document = Map::new();
    document.insert("tasks".into(), tasks.iter().map(from_json).collect());
    if let Some(config) = config {
        document.insert("config".into(), from_json(config));
    }
    Value::Object(document).to_string()
}

#[cfg(test)]
mod tests {
    use gearmesh_runtime::{Context, Service, Started};
    use gearmesh_testkit::TestMesh;
    use tonic::service::Routes;

    use super::*;
    use crate::config::Config;
    use crate::stored::{Creation, New, Update, update};

    fn file(source: &str) -> New {
        New {
            source: source.to_owned(),
            file_name: String::new(),
            comment: String::new(),
            author: None,
            dry_run: false,
        }
    }

    const FIRST: &str = "name: w\ntasks:\n  - {id: a, set: {x: 1}}\n  - {id: b, set: {x: 1}}\n";
    const SECOND: &str = "name: w\ntasks:\n  - {id: b, set: {x: 2}}\n  - {id: a, set: {x: 2}}\n";

    /// A part is chosen by the places of its tasks, which another version has elsewhere.
    async fn changed_before_it_begins(rpc: &Rpc) -> Result<(), Error> {
        let creation = Creation::prepare(&rpc.runs, file(FIRST)).await?;
        creation.store(&rpc.runs, None, bytes::Bytes::new()).await?;
        let from = From::Stored {
            name: "w".to_owned(),
            version: 0,
        };
        let mut start = Start::of(from);
        let part = api::Part {
            until: "a".to_owned(),
            ..api::Part::default()
        };
        start.part = Some(part_of(rpc, &mut start, part).await?);
        let change = Update {
            workflow: "w".to_owned(),
            etag: None,
            new: file(SECOND),
        };
        update(&rpc.runs, change).await?;
        let run = start.begin(&rpc.runs).await?;
        let run = shown(rpc, &run).await?;
        let task = |id: &str| run.tasks.get(id).map(|task| task.status.as_str());
        assert_eq!(run.version, 1);
        assert_eq!((task("a"), task("b")), (Some("succeeded"), Some("skipped")));
        Ok(())
    }

    fn play(cx: Context) -> Started {
        Box::pin(async move {
            let rpc = Rpc::open(cx, Config::default()).await?;
            changed_before_it_begins(&rpc).await?;
            Ok(Routes::default())
        })
    }

    #[tokio::test]
    async fn start_is_of_the_version_that_was_looked_at() {
        let service = Service {
            name: "orchestrator",
            descriptors: || gearmesh_api::DESCRIPTORS,
            start: play,
        };
        // It does not start unless all is as it should be.
        TestMesh::start(&[service]).await.stop().await;
    }
}
