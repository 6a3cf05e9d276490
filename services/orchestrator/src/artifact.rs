//! Results that are kept under names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use gearmesh_api::orchestrator::v1 as api;

use crate::hash::sha256;
use crate::plan::{InstanceStatus, State};
use crate::sensitive;
use crate::size::json_size;

/// A larger result is shown as an artifact, in bytes of JSON.
pub(crate) const SHOWN_MAX: usize = 256 * 1024;

/// Where a kept result stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: String,
    task: usize,
    item: usize,
}

/// A kept result.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) shown: api::Artifact,
    pub(crate) bytes: Bytes,
}

/// What a run keeps, by name. Of two with one name the later task's counts.
pub(crate) fn places(state: &State) -> Vec<Place> {
    let mut all = BTreeMap::new();
    for (task, known) in state.tasks.iter().enumerate() {
        for item in 0..known.instances.len() {
            let Some(result) = result_of(state, task, item) else {
                continue;
            };
            let name = match known.instances[item].save.as_str() {
                "" if json_size(&result) <= SHOWN_MAX => continue,
                "" => name_of(state, task, item),
                name => name.to_owned(),
            };
            all.insert(name, (task, item));
        }
    }
    let places = all.into_iter();
    places
        .map(|(name, (task, item))| Place { name, task, item })
        .collect()
}

/// A kept result with the task whose it is. It stays what it is once it is there.
pub(crate) fn content(state: &State, place: &Place) -> Option<(String, Value)> {
    let result = result_of(state, place.task, place.item)?;
    Some((state.task(place.task).id.clone(), result.into_owned()))
}

impl Artifact {
    /// Writes a result down and hashes it, which may take long: away from the run.
    pub(crate) fn new(run: &str, name: &str, task: String, result: &Value) -> Self {
        let (bytes, mime) = match result {
            Value::String(text) => (Bytes::from(text.clone()), "text/plain; charset=utf-8"),
            value => (Bytes::from(value.to_string()), "application/json"),
        };
        Self {
            shown: api::Artifact {
                artifact: format!("artifact://{run}/{name}"),
                name: name.to_owned(),
                bytes: bytes.len() as u64,
                mime: mime.to_owned(),
                sha256: hex::encode(sha256(&bytes)),
                task,
            },
            bytes,
        }
    }
}

fn name_of(state: &State, task: usize, item: usize) -> String {
    let mut name = state.task(task).id.clone();
    let items = state.tasks[task].items.as_ref();
    let own = items.map(|_| u32::try_from(item).unwrap_or(u32::MAX));
    for at in state.path(task).into_iter().chain(own) {
        name.push('.');
        name.push_str(&at.to_string());
    }
    name + ".json"
}

/// A result as it may be shown; none where there is none.
fn result_of(state: &State, task: usize, item: usize) -> Option<Cow<'_, Value>> {
    let (definition, known) = (state.task(task), state.tasks.get(task)?);
    let instance = known.instances.get(item)?;
    if definition.sensitive || instance.status != InstanceStatus::Succeeded {
        return None;
    }
    // With the end of its task the result has gone into what expressions see.
    let result = match (known.ended(), &known.items) {
        (true, Some(_)) => known.view.get("result")?.get(item)?,
        (true, None) => known.view.get("result")?,
        (false, _) => &instance.result,
    };
    Some(sensitive::shown_item(&state.workflow, definition, result))
}
