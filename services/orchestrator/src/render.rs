//! The result document: how a run stands, in the protocol's types.

mod tasks;

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::{Duration, Timestamp};
use serde_json::{Map, Value};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_catalog::json;
use gearmesh_workflow::{Dialect, Graph, Workflow};

use crate::plan::{Phase, Problem, ROOT, State, TaskStatus};
pub(crate) use tasks::status;
use tasks::{handlers, tasks};

/// The code of a task whose time was over.
const TASK_TIMEOUT: &str = "TASK_TIMEOUT";

/// The code of a task of which it is not known whether its tool did its work.
const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// An instant as RFC 3339 in UTC with milliseconds.
pub(crate) fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

/// How a run stands at an instant.
pub(crate) fn run(state: &State, now_ms: i64) -> api::Run {
    let end = state.ended_ms.unwrap_or(now_ms);
    api::Run {
        run_id: state.run.clone(),
        workflow: state.workflow.name.clone(),
        version: state.accepted.version,
        status: state.status().to_owned(),
        start_time: Some(timestamp(state.accepted_ms)),
        end_time: state.ended_ms.map(timestamp),
        duration: Some(duration(end - state.accepted_ms)),
        summary: Some(summary(state)),
        dag: Some(to_json(&dag(&state.workflow))),
        tasks: tasks(state, now_ms),
        handlers: handlers(state, now_ms),
        outputs: state.ended_ms.map(|_| to_json(&state.outputs)),
        error: state
            .failed
            .as_ref()
            .filter(|_| state.ended())
            .map(|(task, problem)| {
                let task = (!task.is_empty()).then(|| task.clone());
                error(problem, task, None)
            }),
        timings: Some(timings(state)),
        dialect: state.workflow.dialect.as_str().to_owned(),
        undone: text(&state.undone),
        reuses: text(&state.accepted.reuses),
        parent: state.accepted.parent.as_ref().map(|p| p.run.clone()),
        steps: steps(state),
        actor: state.accepted.principal.clone(),
        handlers_timed_out: state.handlers_timed_out.then_some(true),
    }
}

/// For Ordinaut: the results of steps by the names under which they were saved.
fn steps(state: &State) -> Option<Json> {
    if state.workflow.dialect != Dialect::Ordinaut {
        return None;
    }
    let mut saved = Map::new();
    for task in state.tasks_of(ROOT) {
        let Some(name) = state.task(task).save_as.clone() else {
            continue;
        };
        let known = &state.tasks[task];
        let done = known.status == TaskStatus::Succeeded && !state.task(task).sensitive;
        let result = known.view.get("result").filter(|_| done).cloned();
        // Of several with one name the last that has a result: the others were skipped.
        match result {
            Some(result) => {
                saved.insert(name, result);
            }
            None => {
                saved.entry(name).or_insert(Value::Null);
            }
        }
    }
    Some(to_json(&Value::Object(saved)))
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The answer of `execute`, with the words of the dialect that was sent.
pub(crate) fn executed(state: &State, now_ms: i64) -> api::ExecuteResponse {
    let run = run(state, now_ms);
    let oktyv = state.workflow.dialect == Dialect::Oktyv;
    let (run_id, execution_id) = if oktyv {
        (None, Some(run.run_id))
    } else {
        (Some(run.run_id), None)
    };
    let tasks = if oktyv {
        let ended = run.error.as_ref();
        run.tasks
            .into_iter()
            .map(|(id, task)| {
                let limit = state.find(&id).and_then(|t| state.task(t).timeout);
                let task = oktyv_task(task, ended, limit);
                (id, task)
            })
            .collect()
    } else {
        run.tasks
    };
    let (status, error) = if oktyv {
        (oktyv_status(run.summary.as_ref()), None)
    } else {
        (run.status, run.error)
    };
    api::ExecuteResponse {
        success: None,
        execution_id,
        run_id,
        status: Some(status),
        start_time: run.start_time,
        end_time: run.end_time,
        duration: run.duration,
        tasks,
        summary: run.summary,
        dag: run.dag,
        outputs: run.outputs.filter(|_| !oktyv),
        error,
    }
}

/// A request that was refused as a whole, in Oktyv's own shape.
pub(crate) fn refused(code: &str, message: &str) -> api::ExecuteResponse {
    api::ExecuteResponse {
        success: Some(false),
        error: Some(api::Error {
            code: code.to_owned(),
            message: message.to_owned(),
            ..api::Error::default()
        }),
        ..api::ExecuteResponse::default()
    }
}

fn oktyv_status(summary: Option<&api::Summary>) -> String {
    let (failed, succeeded) = summary.map_or((0, 0), |s| (s.failed, s.succeeded));
    let status = match (failed, succeeded) {
        (0, _) => "success",
        (_, 0) => "failure",
        _ => "partial",
    };
    status.to_owned()
}

/// `ended`: why the run ended before all of its tasks had. Oktyv knows no cancelled
/// task, only failed ones, and these have a code.
/// `limit`: the time of the task. When it is over the answer is always the same; that
/// the tool may have done its work is in the details.
fn oktyv_task(
    mut task: api::Task,
    ended: Option<&api::Error>,
    limit: Option<std::time::Duration>,
) -> api::Task {
    if task.status == "cancelled" && task.error.is_none() {
        task.error = Some(match ended.filter(|e| e.task.is_none()) {
            Some(error) => api::Error {
                details: None,
                ..error.clone()
            },
            None => api::Error {
                code: "RUN_CANCELLED".to_owned(),
                message: "the run was cancelled".to_owned(),
                ..api::Error::default()
            },
        });
    }
    task.status = match task.status.as_str() {
        "succeeded" => "success",
        "skipped" => "skipped",
        _ => "failed",
    }
    .to_owned();
    if let Some(error) = &mut task.error {
        error.task = None;
        error.attempt = None;
        error.retryable = None;
        error.hint = None;
        if let Some(limit) = limit.filter(|_| is_late(error)) {
            let ms = limit.as_millis();
            error.message = format!("Task '{}' timed out after {ms}ms", task.task_id);
            error.details = Some(to_json(&serde_json::json!({"cause": error.code})));
            error.code = TASK_TIMEOUT.to_owned();
        }
    }
    task
}

/// Whether a task's time was over while its tool may have been at work.
fn is_late(error: &api::Error) -> bool {
    let details = error.details.as_ref();
    let details: Option<Value> = details.and_then(|d| serde_json::from_slice(&d.text).ok());
    error.code == OUTCOME_UNKNOWN && details.is_some_and(|d| d["cause"] == TASK_TIMEOUT)
}

/// Levels as lists of ids, and edges.
pub(crate) fn dag(workflow: &Workflow) -> Value {
    let Graph { levels, edges, .. } = workflow.graph();
    let id = |task: &usize| workflow.tasks[*task].id.as_str();
    let levels: Vec<Vec<&str>> = levels.iter().map(|l| l.iter().map(id).collect()).collect();
    let edges: Vec<Value> = edges
        .iter()
        .map(|e| serde_json::json!({"from": id(&e.from), "to": id(&e.to)}))
        .collect();
    serde_json::json!({"levels": levels, "edges": edges})
}

/// Counts the tasks of the graph: no items, and nothing inside of groups.
fn summary(state: &State) -> api::Summary {
    let tasks = &state.tasks[state.tasks_of(ROOT)];
    let mut summary = api::Summary {
        total: count(tasks.len()),
        ..api::Summary::default()
    };
    for task in tasks {
        match task.status {
            TaskStatus::Succeeded => summary.succeeded += 1,
            TaskStatus::Failed | TaskStatus::Cancelled => summary.failed += 1,
            TaskStatus::Skipped => summary.skipped += 1,
            TaskStatus::Blocked | TaskStatus::Active => {}
        }
    }
    summary
}

pub(crate) fn error(problem: &Problem, task: Option<String>, attempt: Option<u32>) -> api::Error {
    api::Error {
        code: problem.code.clone(),
        message: problem.message.clone(),
        task,
        attempt,
        retryable: Some(problem.retryable),
        hint: (!problem.hint.is_empty()).then(|| problem.hint.clone()),
        details: (!problem.details.is_null()).then(|| to_json(&problem.details)),
    }
}

fn timings(state: &State) -> api::Timings {
    api::Timings {
        queued: Some(duration(state.spent.queued_ms)),
        working: Some(duration(state.spent.working_ms)),
        retrying: Some(duration(state.spent.retrying_ms)),
        waiting: Some(duration(state.spent.waiting_ms)),
        critical_path: critical_path(state),
    }
}

/// The chain of tasks that took longest: from the task that ended last, each
/// time back to the need that ended last.
fn critical_path(state: &State) -> Vec<String> {
    if !matches!(state.phase, Phase::Ended(_)) {
        return Vec::new();
    }
    let ran = |t: &usize| state.tasks[*t].start_ms.is_some();
    // Of equal ends the later task of the file counts: it is the one that came after.
    let latest = |tasks: &mut dyn Iterator<Item = usize>| {
        tasks
            .filter(ran)
            .max_by_key(|t| (state.tasks[*t].end_ms, *t))
    };
    let mut path = Vec::new();
    let mut next = latest(&mut state.tasks_of(ROOT));
    while let Some(task) = next {
        path.push(state.task(task).id.clone());
        next = latest(&mut state.needs(task));
    }
    path.reverse();
    path
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A message as every surface writes it; null when its type is not ours.
fn written(name: &str, message: &impl Message) -> Value {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(gearmesh_api::DESCRIPTORS).ok());
    let known = pool
        .as_ref()
        .and_then(|pool| pool.get_message_by_name(name));
    let bytes = message.encode_to_vec();
    let message = known.and_then(|known| DynamicMessage::decode(known, bytes.as_slice()).ok());
    message.map_or(Value::Null, |message| json::encode(&message))
}

/// The result document of a run as JSON.
pub(crate) fn document(run: &api::Run) -> Json {
    to_json(&written("gearmesh.orchestrator.v1.Run", run))
}

pub(crate) fn to_json(value: &Value) -> Json {
    Json {
        text: serde_json::to_vec(value).unwrap_or_default().into(),
    }
}

pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}

pub(crate) fn duration(ms: i64) -> Duration {
    let ms = ms.max(0);
    Duration {
        seconds: ms / 1000,
        nanos: i32::try_from(ms % 1000 * 1_000_000).unwrap_or_default(),
    }
}
