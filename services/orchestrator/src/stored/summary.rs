//! What lists show of a workflow, so that they need not read its file.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use gearmesh_store::workflow::{SOURCE_MAX, Version};
use gearmesh_workflow::{Dialect, InputSpec, Workflow};

use crate::stored::file::File;

/// What lists show of a workflow.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    pub(crate) description: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// A JSON Schema of an object.
    pub(crate) inputs: Value,
    pub(crate) triggers: Vec<Value>,
    pub(crate) tasks: u32,
}

impl Summary {
    pub(super) fn new(file: &File) -> Self {
        let workflow = &file.workflow;
        Self {
            description: workflow.description.clone().unwrap_or_default(),
            labels: workflow.labels.iter().cloned().collect(),
            inputs: schema(&workflow.inputs),
            triggers: triggers(file),
            tasks: u32::try_from(workflow.tasks.len()).unwrap_or(u32::MAX),
        }
    }

    /// As it was stored with a version.
    pub(crate) fn of(version: &Version) -> Self {
        serde_json::from_slice(&version.summary).unwrap_or_else(|error| {
            tracing::error!(workflow = version.name, %error, "a summary cannot be read");
            Self::default()
        })
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        json!(self).to_string().into()
    }
}

/// The texts that a search looks at.
pub(super) fn words(workflow: &Workflow) -> String {
    let mut words = workflow.name.clone();
    let texts = [&workflow.title, &workflow.description];
    for text in texts.into_iter().flatten() {
        words.push('\n');
        words.push_str(text);
    }
    for (name, value) in &workflow.labels {
        words.push_str(&format!("\n{name}={value}"));
    }
    let mut words = searched(&words);
    // Small letters may take more bytes than the large ones of the file.
    words.truncate(words.floor_char_boundary(SOURCE_MAX));
    words
}

/// A text as a search compares it.
pub(super) fn searched(text: &str) -> String {
    text.to_lowercase()
}

/// The inputs as a JSON Schema of an object.
fn schema(inputs: &[InputSpec]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for input in inputs {
        let mut schema = input.schema.clone();
        if let Value::Object(schema) = &mut schema {
            if let Some(default) = &input.default {
                schema.insert("default".to_owned(), default.clone());
            }
            if input.sensitive {
                schema.insert("writeOnly".to_owned(), true.into());
            }
        }
        properties.insert(input.name.clone(), schema);
        if input.required {
            required.push(input.name.clone());
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// What starts it by itself: as the file has it, where it has our keys.
fn triggers(file: &File) -> Vec<Value> {
    if file.workflow.dialect == Dialect::Native {
        let listed = file.document.get("triggers").and_then(Value::as_array);
        return listed.cloned().unwrap_or_default();
    }
    let triggers = file.workflow.triggers.iter();
    let shown = triggers.map(|trigger| {
        let mut shown = Map::new();
        shown.insert(trigger.kind.clone(), trigger.value.clone());
        shown.extend(trigger.settings.clone());
        Value::Object(shown)
    });
    shown.collect()
}
