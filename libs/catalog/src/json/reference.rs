//! Where a request refers to a secret of the vault.

use prost_reflect::{DynamicMessage, Value};

use super::plan::{Plan, Shape};
use super::scalar;
use super::violation::At;

/// How a reference to a secret begins, in a field that takes one.
pub(super) const REFERENCE: &str = "vault://";

/// How one begins that the mesh has made of a secret that the caller gave as it is.
const SEALED: &str = "vault://~run/";

/// The path of the first secret field that holds a reference, or a text with one in it.
pub(crate) fn first(
    plan: &Plan,
    node: usize,
    message: &DynamicMessage,
    at: &At<'_>,
) -> Option<String> {
    let node = &plan.nodes[node];
    if node.shape != Shape::Object {
        return None;
    }
    for f in &node.fields {
        if !message.has_field(&f.descriptor) {
            continue;
        }
        let at = At::Field(at, &f.json_name);
        let one = |value: &Value, at: &At<'_>| {
            let inner = value.as_message();
            if f.secret && (value.as_str().is_some_and(holds) || inner.is_some_and(any_holds)) {
                return Some(at.to_string());
            }
            first(plan, f.node?, inner?, at)
        };
        let value = message.get_field(&f.descriptor);
        let found = match &*value {
            Value::List(list) => (list.iter().enumerate())
                .find_map(|(index, element)| one(element, &At::Index(&at, index))),
            Value::Map(map) => (map.iter())
                .find_map(|(key, element)| one(element, &At::Key(&at, &scalar::write_key(key)))),
            single => one(single, &at),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What the run has sealed is no secret of others: the vault answers it to that run alone.
fn holds(text: &str) -> bool {
    text.strip_prefix(SEALED)
        .unwrap_or(text)
        .contains(REFERENCE)
}

/// Whether a free-form value has a reference anywhere, its escapes undone.
fn any_holds(message: &DynamicMessage) -> bool {
    let Some(text) = message.get_field_by_number(1) else {
        return false;
    };
    let value = text.as_bytes().map(|b| serde_json::from_slice(b));
    matches!(value, Some(Ok(value)) if in_json(&value))
}

fn in_json(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => holds(text),
        serde_json::Value::Array(all) => all.iter().any(in_json),
        serde_json::Value::Object(all) => all.values().any(in_json),
        _ => false,
    }
}
