//! Records as the events that a watcher sees.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_api::orchestrator::v1 as api;
use journal::record::Fact;

use crate::plan::{Problem, State};
use crate::render;

/// The event of record `n`, when it shows something. The state has taken the
/// record in.
pub(crate) fn event(
    state: &State,
    n: u32,
    record: &journal::Record,
) -> Option<api::WatchRunResponse> {
    let base = api::WatchRunResponse {
        cursor: n.to_string(),
        time: Some(render::timestamp(record.time_ms)),
        kind: "task".to_owned(),
        ..api::WatchRunResponse::default()
    };
    let of_run = |status: &str| api::WatchRunResponse {
        kind: "run".to_owned(),
        status: status.to_owned(),
        ..base.clone()
    };
    Some(match record.fact.as_ref()? {
        Fact::Accepted(accepted) => api::WatchRunResponse {
            run: Some(render::run(state, record.time_ms)),
            ..of_run(if accepted.queued { "queued" } else { "running" })
        },
        Fact::Admitted(_) | Fact::Resumed(_) => of_run("running"),
        Fact::Paused(paused) => api::WatchRunResponse {
            note: paused.reason.clone(),
            ..of_run("paused")
        },
        Fact::Entered(entered) => api::WatchRunResponse {
            note: entered.stage.clone(),
            ..of_run("running")
        },
        Fact::Opened(opened) => api::WatchRunResponse {
            task: opened.task.clone(),
            path: opened.path.clone(),
            item: opened.item,
            status: "running".to_owned(),
            ..base
        },
        Fact::Waiting(waiting) => {
            let what: Value = serde_json::from_slice(&waiting.what).unwrap_or_default();
            let kind = what.get("kind").and_then(Value::as_str);
            api::WatchRunResponse {
                task: waiting.task.clone(),
                path: waiting.path.clone(),
                item: waiting.item,
                status: "waiting".to_owned(),
                attempt: waiting.attempt,
                duration: waiting
                    .due_ms
                    .map(|due| render::duration(due - record.time_ms)),
                note: kind.unwrap_or_default().to_owned(),
                ..base
            }
        }
        Fact::Doubted(doubted) => api::WatchRunResponse {
            task: doubted.task.clone(),
            path: doubted.path.clone(),
            item: doubted.item,
            status: "waiting".to_owned(),
            attempt: doubted.attempt,
            error: doubted
                .problem
                .as_ref()
                .map(|p| render::error(&Problem::from(p), None, None)),
            note: "decision".to_owned(),
            ..base
        },
        Fact::Signalled(signalled) => {
            let signal: Value = serde_json::from_slice(&signalled.signal).unwrap_or_default();
            let by = signal.get("by").and_then(Value::as_str);
            api::WatchRunResponse {
                task: signalled.task.clone(),
                path: signalled.path.clone(),
                item: signalled.item,
                status: "waiting".to_owned(),
                note: by.unwrap_or_default().to_owned(),
                ..base
            }
        }
        Fact::Leased(leased) => api::WatchRunResponse {
            task: leased.task.clone(),
            path: leased.path.clone(),
            item: leased.item,
            status: if leased.undo { "undoing" } else { "running" }.to_owned(),
            attempt: leased.attempt,
            ..base
        },
        Fact::BackedOff(backed) => api::WatchRunResponse {
            task: backed.task.clone(),
            path: backed.path.clone(),
            item: backed.item,
            status: if backed.repeated {
                "repeating"
            } else {
                "retrying"
            }
            .to_owned(),
            attempt: backed.attempt,
            error: backed
                .problem
                .as_ref()
                .map(|p| render::error(&Problem::from(p), None, None)),
            duration: Some(render::duration(backed.due_ms - record.time_ms)),
            ..base
        },
        Fact::Expanded(expanded) => {
            let items: Vec<Value> = serde_json::from_slice(&expanded.items).unwrap_or_default();
            api::WatchRunResponse {
                task: expanded.task.clone(),
                path: expanded.path.clone(),
                status: "running".to_owned(),
                note: plural(items.len(), "item"),
                ..base
            }
        }
        Fact::Ended(ended) => ended_event(state, ended, base),
        Fact::Cancelling(_) => of_run("cancelling"),
        Fact::Closed(closed) => api::WatchRunResponse {
            error: closed
                .problem
                .as_ref()
                .map(|p| render::error(&Problem::from(p), None, None)),
            duration: Some(render::duration(record.time_ms - state.accepted_ms)),
            run: Some(render::run(state, record.time_ms)),
            ..of_run(&closed.status)
        },
        Fact::Ignored(_) | Fact::Decided(_) => return None,
    })
}

fn ended_event(
    state: &State,
    ended: &journal::Ended,
    base: api::WatchRunResponse,
) -> api::WatchRunResponse {
    let at = state.at(&ended.task, &ended.path);
    let sensitive = at.is_some_and(|t| state.task(t).sensitive);
    let task = at.map(|t| &state.tasks[t]);
    let span = task.and_then(|t| match ended.item {
        Some(item) => t
            .instances
            .get(item as usize)
            .and_then(|i| i.start_ms.zip(i.end_ms)),
        None => t.start_ms.zip(t.end_ms),
    });
    api::WatchRunResponse {
        task: ended.task.clone(),
        path: ended.path.clone(),
        item: ended.item,
        status: match ended.outcome() {
            journal::Outcome::Succeeded if ended.undo => "undone",
            journal::Outcome::Succeeded => "succeeded",
            journal::Outcome::Skipped => "skipped",
            journal::Outcome::Cancelled => "cancelled",
            journal::Outcome::Failed | journal::Outcome::Unspecified => "failed",
        }
        .to_owned(),
        attempt: ended.attempt,
        error: ended
            .problem
            .as_ref()
            .map(|p| render::error(&Problem::from(p), None, None)),
        duration: span.map(|(start, end)| render::duration(end - start)),
        note: if sensitive {
            String::new()
        } else if ended.reason.is_empty() {
            note(&serde_json::from_slice(&ended.result).unwrap_or_default())
        } else {
            ended.reason.clone()
        },
        ..base
    }
}

/// Events of records behind `after`. `state` must not have taken them in yet; it
/// has, afterwards.
pub(crate) fn events<'a>(
    state: &mut State,
    after: u32,
    records: impl IntoIterator<Item = &'a journal::Record>,
) -> Vec<api::WatchRunResponse> {
    let mut events = Vec::new();
    for (record, n) in records.into_iter().zip(after + 1..) {
        state.fold(record);
        events.extend(event(state, n, record));
    }
    events
}

/// A few words on a result: what a person wants to know of it at a glance.
fn note(result: &Value) -> String {
    let Value::Object(map) = result else {
        return match result {
            Value::Array(items) => plural(items.len(), "item"),
            _ => String::new(),
        };
    };
    let number = |key: &str| map.get(key).and_then(Value::as_u64);
    if let Some(status) = number("status") {
        let items = map
            .get("data")
            .and_then(|d| d.get("items"))
            .and_then(Value::as_array);
        return match items {
            Some(items) => format!("{status}, {}", plural(items.len(), "item")),
            None => status.to_string(),
        };
    }
    if let Some(count) = number("count") {
        return count.to_string();
    }
    if let Some(size) = number("size") {
        return format!("{size} B");
    }
    String::new()
}

fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
