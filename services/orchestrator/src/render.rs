//! The result document: how a run stands, in the protocol's types.

use std::collections::HashMap;
use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use prost_types::{Duration, Timestamp};
use serde_json::{Map, Value};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_catalog::json;
use gearmesh_workflow::{Dialect, Graph, Workflow};

use crate::plan::{Instance, InstanceStatus, Phase, Problem, ROOT, State, TaskState, TaskStatus};

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

/// Results within one document, in bytes of JSON: the document must fit into one
/// message.
const RESULTS_MAX: usize = 12 * 1024 * 1024;

/// Draws the tasks of a run.
struct Drawing<'a> {
    state: &'a State,
    now_ms: i64,
    /// Bytes of results that the document still takes.
    room: usize,
}

/// The tasks by id. Results that would make the document too large are left out,
/// later tasks first, and marked so.
fn tasks(state: &State, now_ms: i64) -> HashMap<String, api::Task> {
    let mut drawing = Drawing {
        state,
        now_ms,
        room: RESULTS_MAX,
    };
    drawing.frame(ROOT)
}

/// The tasks of the handlers.
fn handlers(state: &State, now_ms: i64) -> HashMap<String, api::Task> {
    let mut drawing = Drawing {
        state,
        now_ms,
        room: RESULTS_MAX / 4,
    };
    let frames = state.handlers.iter().map(|(_, frame)| *frame);
    frames.flat_map(|frame| drawing.frame(frame)).collect()
}

impl Drawing<'_> {
    fn frame(&mut self, frame: usize) -> HashMap<String, api::Task> {
        let tasks = self.state.tasks_of(frame);
        tasks
            .map(|task| (self.state.task(task).id.clone(), self.task(task)))
            .collect()
    }

    fn task(&mut self, at: usize) -> api::Task {
        let (state, task) = (self.state, &self.state.tasks[at]);
        let definition = state.task(at);
        let ended = task.ended();
        let only = task.instances.first().filter(|_| task.items.is_none());
        let took = task
            .start_ms
            .map(|s| duration(task.end_ms.unwrap_or(self.now_ms) - s));
        let mut shown = api::Task {
            task_id: definition.id.clone(),
            status: status(task).to_owned(),
            start_time: task.start_ms.map(timestamp),
            end_time: task.end_ms.map(timestamp),
            duration: if task.status == TaskStatus::Skipped {
                Some(duration(0))
            } else {
                took
            },
            attempts: task.attempts(),
            error: task
                .problem
                .as_ref()
                .filter(|_| ended)
                .map(|p| error(p, Some(definition.id.clone()), Some(task.attempts()))),
            reason: text(&task.reason),
            items: task.items.as_ref().map(|_| items(task)),
            errors: item_errors(task),
            substituted: task.substituted.then_some(true),
            reused: task.reused.then_some(true),
            cached: only.filter(|i| i.cached).map(|_| true),
            undo: undo(task),
            rounds: only.map(|i| i.rounds).filter(|n| *n > 0).map(|n| n + 1),
            ..api::Task::default()
        };
        self.result(at, &mut shown);
        if let Some(frame) = only.and_then(|i| i.frame) {
            shown.tasks = inner(&self.frame(frame));
        }
        if !ended {
            waits(task, &mut shown);
        }
        shown
    }

    fn result(&mut self, at: usize, shown: &mut api::Task) {
        let task = &self.state.tasks[at];
        let result = task.view.get("result");
        let Some(result) = result.filter(|_| task.status == TaskStatus::Succeeded) else {
            return;
        };
        if self.state.task(at).sensitive {
            shown.result = Some(to_json(&SENSITIVE.into()));
            return;
        }
        let shown_as = to_json(result);
        if shown_as.text.len() > self.room {
            shown.result_omitted = Some(true);
        } else {
            self.room -= shown_as.text.len();
            shown.result = Some(shown_as);
        }
    }
}

/// The tasks inside of a group, each written as a task: a message that held itself would
/// have a schema without an end.
fn inner(tasks: &HashMap<String, api::Task>) -> Option<Json> {
    static TASK: OnceLock<Option<MessageDescriptor>> = OnceLock::new();
    let task = TASK.get_or_init(|| {
        let pool = DescriptorPool::decode(gearmesh_api::DESCRIPTORS).ok()?;
        pool.get_message_by_name("gearmesh.orchestrator.v1.Task")
    });
    let task = task.as_ref()?;
    let written = tasks.iter().filter_map(|(id, inner)| {
        let bytes = inner.encode_to_vec();
        let message = DynamicMessage::decode(task.clone(), bytes.as_slice()).ok()?;
        Some((id.clone(), json::encode(&message)))
    });
    Some(to_json(&Value::Object(written.collect())))
}

/// What stands for the result of a task with `sensitive`.
pub(crate) const SENSITIVE: &str = "«sensitive»";

/// What a task waits for that has not ended.
fn waits(task: &TaskState, shown: &mut api::Task) {
    let mut waiting = task.instances.iter();
    let waits =
        |i: &&Instance| matches!(i.status, InstanceStatus::Waiting | InstanceStatus::Unknown);
    let Some(instance) = waiting.find(waits) else {
        return;
    };
    let kind = match instance.status {
        InstanceStatus::Unknown => Some("decision"),
        _ => instance.what.get("kind").and_then(Value::as_str),
    };
    shown.waits_for = kind.map(str::to_owned);
    shown.waits_until =
        (kind.is_some() && instance.due_ms != i64::MAX).then(|| timestamp(instance.due_ms));
}

fn undo(task: &TaskState) -> Option<String> {
    let tried: Vec<bool> = task.instances.iter().filter_map(|i| i.undone).collect();
    let word = if tried.iter().all(|done| *done) {
        "undone"
    } else {
        "failed"
    };
    (!tried.is_empty()).then(|| word.to_owned())
}

pub(crate) fn status(task: &TaskState) -> &'static str {
    match task.status {
        TaskStatus::Blocked => "pending",
        TaskStatus::Active if task.start_ms.is_none() => "pending",
        TaskStatus::Active if only_waits(task) => "waiting",
        TaskStatus::Active => "running",
        TaskStatus::Succeeded => "succeeded",
        TaskStatus::Failed => "failed",
        TaskStatus::Skipped => "skipped",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// Whether nothing of a task is under way but waits for people, time, events or other runs.
fn only_waits(task: &TaskState) -> bool {
    let waits = |i: &Instance| match i.status {
        InstanceStatus::Waiting => i.frame.is_none(),
        status => status == InstanceStatus::Unknown,
    };
    let busy = |i: &Instance| {
        matches!(i.status, InstanceStatus::Leased | InstanceStatus::Backoff)
            || (i.status == InstanceStatus::Waiting && i.frame.is_some())
    };
    task.instances.iter().any(waits) && !task.instances.iter().any(busy)
}

fn items(task: &TaskState) -> api::Summary {
    let of = |status| count(task.instances.iter().filter(|i| i.status == status).count());
    api::Summary {
        total: count(task.instances.len()),
        succeeded: of(InstanceStatus::Succeeded),
        failed: of(InstanceStatus::Failed) + of(InstanceStatus::Cancelled),
        skipped: of(InstanceStatus::Skipped),
    }
}

fn item_errors(task: &TaskState) -> Vec<api::ItemError> {
    let Some(items) = &task.items else {
        return Vec::new();
    };
    task.instances
        .iter()
        .enumerate()
        .filter(|(_, i)| i.status == InstanceStatus::Failed)
        .map(|(index, instance)| api::ItemError {
            index: count(index),
            item: items.get(index).map(to_json),
            error: instance
                .problem
                .as_ref()
                .map(|p| error(p, None, Some(instance.attempt))),
        })
        .collect()
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
