//! The tools of a catalogue in the schema.

use gearmesh_catalog::{Catalog, Tool};
use serde_json::{Map, Value, json};

/// Every name of a tool that a task can call.
pub(super) fn names(catalog: &Catalog) -> Value {
    let tools = catalog.tools().iter().filter(|tool| tool.usable_as_task());
    let names: Vec<Value> = tools
        .flat_map(|tool| {
            let aliases = tool.aliases.iter().map(|alias| alias.name.clone());
            [tool.id.clone(), tool.mcp_name()]
                .into_iter()
                .chain(aliases)
        })
        .map(Value::from)
        .collect();
    json!({"enum": unique(names)})
}

fn unique(names: Vec<Value>) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    let first = |name: &Value| seen.insert(name.clone());
    names.into_iter().filter(first).collect()
}

/// What the params of each tool are.
pub(super) fn calls(catalog: &Catalog) -> Value {
    let tools = catalog.tools().iter().filter(|tool| tool.usable_as_task());
    let calls: Vec<Value> = tools.map(|tool| call(tool)).collect();
    json!({"allOf": calls})
}

/// When a task names the tool, its params are of the tool. Which of them must be there depends on
/// the alias and the connection too, and is left to the check.
fn call(tool: &Tool) -> Value {
    let aliases = tool.aliases.iter().map(|alias| alias.name.clone());
    let names = [tool.id.clone(), tool.mcp_name()]
        .into_iter()
        .chain(aliases);
    let mut params = loose(&tool.input_schema);
    if let Value::Object(params) = &mut params {
        params.remove("required");
        params.insert("type".to_owned(), json!(["object", "null"]));
    }
    json!({
        "if": {
            "properties": {"tool": {"enum": unique(names.map(Value::from).collect())}},
            "required": ["tool"],
        },
        "then": {"properties": {"params": params}},
    })
}

/// A schema of a value that may also be, or have in it, an expression.
fn loose(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema.clone();
    };
    let mut open = schema.clone();
    // The check reads an instant, a duration or an enum in more ways than one.
    for keyword in [
        "format",
        "enum",
        "pattern",
        "examples",
        "default",
        "minLength",
        "maxLength",
    ] {
        open.remove(keyword);
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let mut both = Map::new();
        for (name, inner) in properties {
            let inner = any(inner);
            both.insert(snake(name), inner.clone());
            both.insert(name.clone(), inner);
        }
        open.insert("properties".to_owned(), Value::Object(both));
        open.remove("required");
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(keyword).filter(|inner| inner.is_object()) {
            open.insert(keyword.to_owned(), any(inner));
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(all)) = open.remove(keyword) {
            let all: Vec<Value> = all.iter().map(loose).collect();
            // Made looser, several may fit.
            let keyword = if keyword == "allOf" { keyword } else { "anyOf" };
            open.insert(keyword.to_owned(), Value::Array(all));
        }
    }
    Value::Object(open)
}

/// The value, an expression, nothing, or one item in the place of a list.
fn any(schema: &Value) -> Value {
    let mut ways = vec![
        loose(schema),
        json!({"type": "string", "pattern": "\\$\\{"}),
        json!({"type": "null"}),
    ];
    ways.extend(schema.get("items").map(loose));
    let mut whole = json!({"anyOf": ways});
    if let Some(text) = schema.get("description") {
        whole["description"] = text.clone();
    }
    whole
}

/// The other spelling of a field.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
