//! Records as the events that a watcher sees.

use std::collections::BTreeSet;

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_api::orchestrator::v1 as api;
use gearmesh_workflow::{Dialect, Kind};
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
        Fact::Cancelling(_) => of_run("cancelling"),
        Fact::Closed(closed) => api::WatchRunResponse {
            error: shown(closed.problem.as_ref()),
            duration: Some(render::duration(record.time_ms - state.accepted_ms)),
            run: Some(render::run(state, record.time_ms)),
            ..of_run(&closed.status)
        },
        Fact::Ended(ended) => ended_event(state, ended, base),
        Fact::Ignored(_) | Fact::Decided(_) => return None,
        of_task => task_event(of_task, record.time_ms, base),
    })
}

fn shown(problem: Option<&journal::Problem>) -> Option<api::Error> {
    problem.map(|p| render::error(&Problem::from(p), None, None))
}

/// A change of a task that has not ended by it.
fn task_event(fact: &Fact, time_ms: i64, base: api::WatchRunResponse) -> api::WatchRunResponse {
    let at = |task: &str, path: &[u32], item: Option<u32>, status: &str| api::WatchRunResponse {
        task: task.to_owned(),
        path: path.to_vec(),
        item,
        status: status.to_owned(),
        ..base.clone()
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let word = |value: &Value, name: &str| {
        let word = value.get(name).and_then(Value::as_str);
        word.unwrap_or_default().to_owned()
    };
    match fact {
        Fact::Opened(opened) => at(&opened.task, &opened.path, opened.item, "running"),
        Fact::Waiting(waiting) => api::WatchRunResponse {
            attempt: waiting.attempt,
            duration: waiting.due_ms.map(|due| render::duration(due - time_ms)),
            note: word(&json(&waiting.what), "kind"),
            ..at(&waiting.task, &waiting.path, waiting.item, "waiting")
        },
        Fact::Doubted(doubted) => api::WatchRunResponse {
            attempt: doubted.attempt,
            error: shown(doubted.problem.as_ref()),
            note: "decision".to_owned(),
            ..at(&doubted.task, &doubted.path, doubted.item, "waiting")
        },
        Fact::Signalled(signalled) => api::WatchRunResponse {
            note: word(&json(&signalled.signal), "by"),
            ..at(&signalled.task, &signalled.path, signalled.item, "waiting")
        },
        Fact::Leased(leased) => {
            let status = if leased.undo { "undoing" } else { "running" };
            api::WatchRunResponse {
                attempt: leased.attempt,
                ..at(&leased.task, &leased.path, leased.item, status)
            }
        }
        Fact::BackedOff(backed) => {
            let status = if backed.repeated {
                "repeating"
            } else {
                "retrying"
            };
            api::WatchRunResponse {
                attempt: backed.attempt,
                error: shown(backed.problem.as_ref()),
                duration: Some(render::duration(backed.due_ms - time_ms)),
                ..at(&backed.task, &backed.path, backed.item, status)
            }
        }
        Fact::Expanded(expanded) => {
            let items = json(&expanded.items).as_array().map_or(0, Vec::len);
            api::WatchRunResponse {
                note: plural(items, "item"),
                ..at(&expanded.task, &expanded.path, None, "running")
            }
        }
        _ => base,
    }
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
        events.extend(warnings(state, n, record));
    }
    events
}

/// What a step of Ordinaut names and nothing has, once for each: null stands for it. Told
/// when the step begins, after which nothing that it sees changes.
fn warnings(state: &State, n: u32, record: &journal::Record) -> Vec<api::WatchRunResponse> {
    let begins = match &record.fact {
        Some(Fact::Leased(leased)) if !leased.undo && leased.attempt == 1 => leased,
        _ => return Vec::new(),
    };
    let ordinaut = state.workflow.dialect == Dialect::Ordinaut;
    let Some(task) = state.at(&begins.task, &begins.path).filter(|_| ordinaut) else {
        return Vec::new();
    };
    let Kind::Tool { params, .. } = &state.task(task).kind else {
        return Vec::new();
    };
    let item = begins.item.unwrap_or_default() as usize;
    let mut told = BTreeSet::new();
    let missing = params.missing(&state.view(task, item));
    let missing = missing
        .into_iter()
        .filter(|e| told.insert(e.message.clone()));
    missing
        .map(|error| {
            let text = format!("{}; null stands for it", error.message);
            api::WatchRunResponse {
                cursor: n.to_string(),
                time: Some(render::timestamp(record.time_ms)),
                kind: "warning".to_owned(),
                task: begins.task.clone(),
                path: begins.path.clone(),
                item: begins.item,
                status: "running".to_owned(),
                attempt: begins.attempt,
                error: Some(render::error(&Problem::new(error.code, text), None, None)),
                ..api::WatchRunResponse::default()
            }
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gearmesh_workflow::{Source, check};

    use super::*;

    /// WF-10.17: a missing value is null with a warning, told once for each name.
    #[test]
    fn missing_values_of_a_step_are_told_once() {
        let source = Source {
            text: r#"{"title": "Steps", "payload": {"params": {"city": {"name": "Porto"}}, "pipeline": [
                {"id": "a", "uses": "llm.plan", "with": {"text": "${params.city.zip}, ${params.city.name}, ${params.city.zip}", "more": "${params.city.street}"}}
            ]}}"#,
            file_name: "steps.json",
            dialect: None,
        };
        let workflow = check(&source, None).workflow.expect("a workflow");
        let accepted = journal::Accepted {
            inputs: br#"{"city": {"name": "Porto"}}"#.as_slice().into(),
            ..journal::Accepted::default()
        };
        let mut state = State::new("run_0".into(), Arc::new(workflow), &accepted, 0);
        let leased = |attempt| journal::Record {
            time_ms: 1,
            fact: Some(Fact::Leased(journal::Leased {
                task: "a".into(),
                pass: 1,
                attempt,
                ..journal::Leased::default()
            })),
        };
        let first = events(&mut state, 1, &[leased(1)]);
        let kinds: Vec<_> = first.iter().map(|e| e.kind.as_str()).collect();
        assert_eq!(kinds, ["task", "warning", "warning"], "{first:#?}");
        for (event, name) in first[1..].iter().zip(["zip", "street"]) {
            let error = event.error.as_ref().expect("why");
            assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
            assert!(error.message.contains(name), "{}", error.message);
            assert_eq!((event.task.as_str(), event.cursor.as_str()), ("a", "2"));
        }
        let again = events(&mut state, 2, &[leased(2)]);
        assert!(again.iter().all(|e| e.kind == "task"), "{again:#?}");
    }
}
