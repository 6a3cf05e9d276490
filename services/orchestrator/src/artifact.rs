//! Results that are kept under names.

use bytes::Bytes;
use serde_json::Value;

use gearmesh_api::orchestrator::v1 as api;

use crate::hash::sha256;
use crate::plan::{Instance, InstanceStatus, State, TaskState};
use crate::sensitive;
use crate::size::json_size;

/// A larger result is shown as an artifact, in bytes of JSON.
pub(crate) const SHOWN_MAX: usize = 256 * 1024;

/// A kept result.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) shown: api::Artifact,
    pub(crate) bytes: Bytes,
}

/// The artifacts of a run, by name. Of two with one name the later task's counts.
pub(crate) fn artifacts(state: &State) -> Vec<Artifact> {
    let mut all: Vec<Artifact> = Vec::new();
    for (task, known) in state.tasks.iter().enumerate() {
        if state.task(task).sensitive {
            continue;
        }
        let id = &state.task(task).id;
        for (item, instance) in known.instances.iter().enumerate() {
            let Some(result) = result_of(known, instance, item) else {
                continue;
            };
            let result = sensitive::shown_item(&state.workflow, state.task(task), result);
            let size = json_size(&result);
            let name = match instance.save.as_str() {
                "" if size <= SHOWN_MAX => continue,
                "" => name_of(state, task, known, item),
                name => name.to_owned(),
            };
            all.retain(|a| a.shown.name != name);
            all.push(artifact(&state.run, id, &name, &result));
        }
    }
    all.sort_by(|a, b| a.shown.name.cmp(&b.shown.name));
    all
}

fn name_of(state: &State, task: usize, known: &TaskState, item: usize) -> String {
    let mut name = state.task(task).id.clone();
    let own = known
        .items
        .as_ref()
        .map(|_| u32::try_from(item).unwrap_or(u32::MAX));
    for at in state.path(task).into_iter().chain(own) {
        name.push('.');
        name.push_str(&at.to_string());
    }
    name + ".json"
}

fn result_of<'a>(known: &'a TaskState, instance: &'a Instance, item: usize) -> Option<&'a Value> {
    if instance.status != InstanceStatus::Succeeded {
        return None;
    }
    // With the end of its task the result has gone into what expressions see.
    match (known.ended(), &known.items) {
        (true, Some(_)) => known.view.get("result")?.get(item),
        (true, None) => known.view.get("result"),
        (false, _) => Some(&instance.result),
    }
}

fn artifact(run: &str, task: &str, name: &str, result: &Value) -> Artifact {
    let (bytes, mime) = match result {
        Value::String(text) => (Bytes::from(text.clone()), "text/plain; charset=utf-8"),
        value => (Bytes::from(value.to_string()), "application/json"),
    };
    Artifact {
        shown: api::Artifact {
            artifact: format!("artifact://{run}/{name}"),
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            mime: mime.to_owned(),
            sha256: hex::encode(sha256(&bytes)),
            task: task.to_owned(),
        },
        bytes,
    }
}
