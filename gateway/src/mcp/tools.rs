//! The list of tools as MCP shows it.

use std::sync::Arc;

use rmcp::model::{JsonObject, MetaObject, Tool as McpTool, ToolAnnotations};
use serde_json::{Value, json};

use gearmesh_catalog::{Alias, Catalog, Effect, Tool};

/// The key under which a tool names its group.
const GROUPS: &str = "io.modelcontextprotocol/groups";

/// Longest instructions, in bytes: hosts put them into every conversation.
const INSTRUCTIONS_MAX: usize = 2 * 1024;

/// Every tool, and each alias that is listed beside its tool, in the order of the ids.
///
/// A tool whose request is a stream cannot be called with one object and is left out.
pub(crate) fn list(catalog: &Catalog) -> Vec<McpTool> {
    let mut out = Vec::new();
    for tool in catalog.tools().iter().filter(|t| t.usable_as_task()) {
        out.push(one(tool, None));
        let listed = tool.aliases.iter().filter(|a| a.listed);
        out.extend(listed.map(|alias| one(tool, Some(alias))));
    }
    out
}

fn one(tool: &Tool, alias: Option<&Alias>) -> McpTool {
    let name = alias.map_or_else(|| tool.mcp_name(), |a| a.name.replace('.', "_"));
    let schema = match alias {
        Some(alias) => without_preset(&tool.input_schema, alias),
        None => object(&tool.input_schema),
    };
    let title = title(&name);
    let annotations = ToolAnnotations::with_title(title.clone())
        .read_only(tool.effect == Effect::Read)
        .destructive(tool.effect == Effect::Destructive)
        .idempotent(tool.idempotent)
        .open_world(tool.egress || tool.untrusted);
    let groups = JsonObject::from_iter([(GROUPS.to_owned(), json!([tool.engine]))]);
    McpTool::new(name, tool.description.clone(), schema)
        .with_title(title)
        .with_raw_output_schema(Arc::new(object(&tool.output_schema)))
        .with_annotations(annotations)
        .with_meta(MetaObject(groups))
}

fn object(schema: &Value) -> JsonObject {
    schema.as_object().cloned().unwrap_or_default()
}

/// What the alias fixes is not asked for.
fn without_preset(schema: &Value, alias: &Alias) -> JsonObject {
    let mut schema = object(schema);
    for (field, _) in &alias.preset {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove(field);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != field);
        }
    }
    schema
}

/// `file_archive_create` -> `File: archive create`.
fn title(name: &str) -> String {
    let (engine, verb) = name.split_once('_').unwrap_or((name, ""));
    let mut out: String = engine
        .chars()
        .take(1)
        .flat_map(char::to_uppercase)
        .collect();
    out.extend(engine.chars().skip(1));
    if !verb.is_empty() {
        out.push_str(": ");
        out.push_str(&verb.replace('_', " "));
    }
    out
}

/// What the server says of itself: how tools are named, then each engine's own words,
/// as many as fit.
pub(crate) fn instructions(catalog: &Catalog) -> String {
    let mut out = String::from(
        "Tools of a Gearmesh automation mesh, named `engine_verb`. A failed call says CODE, reason and remedy; \
         correct the arguments and call again. To do several things at once, or in order with data passed on, \
         give them to `parallel_execute` as one graph.",
    );
    for engine in catalog.engines() {
        let text = format!("\n{}: {}", engine.id, engine.instructions);
        if !engine.instructions.is_empty() && out.len() + text.len() <= INSTRUCTIONS_MAX {
            out.push_str(&text);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use gearmesh_catalog::{Engines, Source};

    use super::*;

    fn catalog() -> Catalog {
        Catalog::build(&[Source {
            descriptors: gearmesh_api::DESCRIPTORS,
            engines: Engines::Only(&["state", "orchestrator", "file", "http"]),
        }])
        .unwrap()
    }

    #[test]
    fn every_tool_is_there_with_its_schemas_and_hints() {
        let catalog = catalog();
        let tools = list(&catalog);
        let names: Vec<_> = tools.iter().map(|t| t.name.as_ref()).collect();
        for tool in catalog.tools() {
            assert!(names.contains(&tool.mcp_name().as_str()), "{}", tool.id);
        }
        assert!(
            names.contains(&"parallel_execute"),
            "the listed alias: {names:?}"
        );
        let delete = tools.iter().find(|t| t.name == "state_delete").unwrap();
        let said = serde_json::to_value(delete).unwrap();
        assert_eq!(said["annotations"]["destructiveHint"], true);
        assert_eq!(said["annotations"]["readOnlyHint"], false);
        assert_eq!(said["annotations"]["title"], "State: delete");
        assert_eq!(said["inputSchema"]["required"][0], "key");
        assert_eq!(said["outputSchema"]["type"], "object");
        assert_eq!(said["_meta"][GROUPS], json!(["state"]));
    }

    #[test]
    fn names_fit_hosts_and_instructions_their_bound() {
        for tool in list(&catalog()) {
            let plain = tool
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_');
            assert!(plain && tool.name.len() <= 40, "{}", tool.name);
        }
        let text = instructions(&catalog());
        assert!(
            text.len() <= INSTRUCTIONS_MAX && text.contains("state:"),
            "{text}"
        );
    }
}
