//! The JSON Schema of a workflow file, for editors and other programs.
//!
//! It says what a file may look like, not whether it runs: names, cycles and conditions are for
//! [`check`](crate::check). It never refuses a file that the check accepts.

mod parts;
mod tools;

use gearmesh_catalog::Catalog;
use serde_json::{Value, json};

use self::parts::{list_of, map_of, reference, strict, text};
use crate::concurrency::CONCURRENT_RUNS_MAX;
use crate::head::{NAME_MAX, REFERENCE};
use crate::triggers::TRIGGERS_MAX;

/// The schema, in the dialect 2020-12; with a catalogue also the names of tools and their params.
#[must_use]
pub fn file_schema(catalog: Option<&Catalog>) -> Value {
    let mut schema = workflow();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Gearmesh workflow");
    schema["$defs"] = json!({
        "name": name(),
        "task": parts::task(catalog.is_some()),
        "tasks": list_of(&reference("task"), 1),
        "retry": parts::retry(),
        "trigger": parts::trigger(),
        "duration": parts::duration(),
        "condition": {"type": ["string", "boolean"], "description": "JMESPath without ${}"},
        "inputs": map_of(&json!({"type": "object"})),
    });
    if let Some(catalog) = catalog {
        schema["$defs"]["tool"] = tools::names(catalog);
        schema["$defs"]["call"] = tools::calls(catalog);
    }
    schema
}

fn name() -> Value {
    let pattern = format!("^[a-z][a-z0-9-]{{0,{}}}$", NAME_MAX - 1);
    json!({"type": "string", "pattern": pattern})
}

fn workflow() -> Value {
    let handler = list_of(&reference("task"), 0);
    let concurrency = strict(
        &json!({
            "limit": {"type": "integer", "minimum": 1, "maximum": CONCURRENT_RUNS_MAX, "default": 1},
            "key": text(),
            "onConflict": {"enum": ["queue", "skip", "cancelRunning"], "default": "queue"},
        }),
        &[],
    );
    let mut triggers = list_of(&reference("trigger"), 0);
    triggers["maxItems"] = json!(TRIGGERS_MAX);
    strict(
        &json!({
            "name": reference("name"),
            "title": text(),
            "description": text(),
            "labels": map_of(&json!({"type": "string"})),
            "inputs": reference("inputs"),
            "vars": {"type": "object"},
            "secrets": map_of(&json!({"type": "string", "pattern": REFERENCE})),
            "triggers": triggers,
            "concurrency": concurrency,
            "priority": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
            "maxConcurrent": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "timeout": reference("duration"),
            "retry": reference("retry"),
            "onError": {"enum": ["stop", "continue", "undo"], "default": "stop"},
            "tasks": reference("tasks"),
            "outputs": {"type": "object"},
            "onFailure": handler,
            "onSuccess": handler,
            "finally": handler,
        }),
        &["name", "tasks"],
    )
}
