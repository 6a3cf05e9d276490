//! What a run and its tasks wait for, in words.

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_store::{RunId, run_text};
use gearmesh_workflow::Kind;
use serde_json::Value;

use crate::plan::{InstanceStatus, Phase, State, TaskStatus};
use crate::render::timestamp;

/// Reasons that are told at once: of ten thousand items a few tell it all.
const REASONS_MAX: usize = 100;

/// Why a run waits that has no place.
pub(crate) fn place(key: &str, holders: &[RunId], own: Option<RunId>) -> api::Reason {
    let others: Vec<String> = holders
        .iter()
        .filter(|id| Some(**id) != own)
        .map(|id| run_text(*id))
        .collect();
    let who = if others.is_empty() {
        "another run".to_owned()
    } else {
        others.join(", ")
    };
    api::Reason {
        waits_for: "concurrencyKey".into(),
        text: format!("the concurrency key `{key}` is held by {who}"),
        ..api::Reason::default()
    }
}

/// What a task waits for; of all that have not ended when `task` is empty.
pub(crate) fn reasons(state: &State, task: &str) -> Vec<api::Reason> {
    let mut reasons = Vec::new();
    if state.ended() {
        return reasons;
    }
    if let Some((who, why)) = &state.paused {
        let mut text = "the run is paused".to_owned();
        if !who.is_empty() {
            text = format!("{text} by {who}");
        }
        if !why.is_empty() {
            text = format!("{text}: {why}");
        }
        reasons.push(api::Reason {
            waits_for: "pause".into(),
            text,
            ..api::Reason::default()
        });
    }
    if state.phase == Phase::Queued {
        return reasons;
    }
    for at in 0..state.tasks.len() {
        if !task.is_empty() && state.task(at).id != task {
            continue;
        }
        match state.tasks[at].status {
            TaskStatus::Blocked => reasons.extend(needs(state, at)),
            TaskStatus::Active => instances(state, at, &mut reasons),
            _ => {}
        }
        if reasons.len() >= REASONS_MAX {
            reasons.truncate(REASONS_MAX);
            break;
        }
    }
    reasons
}

fn needs(state: &State, task: usize) -> Option<api::Reason> {
    let open = state.needs(task).filter(|n| !state.tasks[*n].ended());
    let open: Vec<String> = open.map(|n| format!("`{}`", state.task(n).id)).collect();
    (!open.is_empty()).then(|| api::Reason {
        task: state.task(task).id.clone(),
        waits_for: "need".into(),
        text: format!("needs {}, which has not ended", open.join(", ")),
        ..api::Reason::default()
    })
}

fn instances(state: &State, task: usize, reasons: &mut Vec<api::Reason>) {
    let known = &state.tasks[task];
    for (item, instance) in known.instances.iter().enumerate() {
        let Some((waits_for, text)) = of_instance(state, task, item) else {
            continue;
        };
        // No time runs out while a run is paused.
        let timed = state.paused.is_none()
            && matches!(
                instance.status,
                InstanceStatus::Backoff | InstanceStatus::Waiting
            );
        let until = (timed && instance.due_ms != i64::MAX).then(|| timestamp(instance.due_ms));
        reasons.push(api::Reason {
            task: state.task(task).id.clone(),
            item: (known.items.as_ref()).map(|_| u32::try_from(item).unwrap_or(u32::MAX)),
            waits_for: waits_for.to_owned(),
            text,
            until,
        });
        if reasons.len() >= REASONS_MAX {
            return;
        }
    }
}

fn of_instance(state: &State, task: usize, item: usize) -> Option<(&'static str, String)> {
    let definition = state.task(task);
    let instance = &state.tasks[task].instances[item];
    let word = |name: &str| {
        let value = instance.what.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    Some(match instance.status {
        InstanceStatus::Ready if state.paused.is_some() => {
            ("pause", "it begins when the run is resumed".to_owned())
        }
        InstanceStatus::Ready => {
            let text = match definition.max_concurrent {
                Some(limit) if state.tasks[task].under_way >= limit => {
                    format!("{limit} of its items are under way, its `maxConcurrent`")
                }
                _ => {
                    let limit = state.workflow.max_concurrent;
                    format!("all {limit} places of the run are taken, its `maxConcurrent`")
                }
            };
            ("slot", text)
        }
        InstanceStatus::Leased => {
            let text = format!(
                "`{}` has not answered attempt {}",
                instance.tool, instance.attempt
            );
            ("answer", text)
        }
        InstanceStatus::Backoff => {
            let why = instance.problem.as_ref();
            let text = match why {
                Some(why) => format!(
                    "attempt {} failed with {}: {}",
                    instance.attempt, why.code, why.message
                ),
                None => "another round or attempt follows".to_owned(),
            };
            ("backOff", text)
        }
        InstanceStatus::Unknown => {
            let text = "nobody knows whether its call took effect; `gearmesh run decide` says what follows";
            ("decision", text.to_owned())
        }
        InstanceStatus::Waiting => match &definition.kind {
            Kind::Approve(approve) => {
                let votes = instance.signals.len();
                let text = format!(
                    "{votes} of {} people have approved: {}",
                    approve.quorum,
                    word("message")
                );
                ("approval", text)
            }
            Kind::Workflow { name, .. } => {
                ("workflow", format!("the run of `{name}` has not ended"))
            }
            Kind::Wait(_) => match word("kind").as_str() {
                "event" => ("event", format!("no event has come on `{}`", word("topic"))),
                _ => ("time", "its time has not come".to_owned()),
            },
            _ => return None,
        },
        _ => return None,
    })
}
