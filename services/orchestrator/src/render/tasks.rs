//! The tasks of the result document.

use std::collections::HashMap;

use serde_json::Value;

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::tool::v1::Json;

use super::{count, duration, error, text, timestamp, to_json, written};
use crate::plan::{Instance, InstanceStatus, ROOT, State, TaskState, TaskStatus};
use crate::sensitive;

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
pub(super) fn tasks(state: &State, now_ms: i64) -> HashMap<String, api::Task> {
    let mut drawing = Drawing {
        state,
        now_ms,
        room: RESULTS_MAX,
    };
    drawing.frame(ROOT)
}

/// The tasks of the handlers.
pub(super) fn handlers(state: &State, now_ms: i64) -> HashMap<String, api::Task> {
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
            shown.tasks = Some(inner(&self.frame(frame)));
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
        let result = sensitive::shown(&self.state.workflow, self.state.task(at), result);
        let shown_as = to_json(&result);
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
fn inner(tasks: &HashMap<String, api::Task>) -> Json {
    let tasks = tasks.iter();
    let written = tasks.map(|(id, task)| (id.clone(), written(TASK, task)));
    to_json(&Value::Object(written.collect()))
}

/// The message of a task.
const TASK: &str = "gearmesh.orchestrator.v1.Task";

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
