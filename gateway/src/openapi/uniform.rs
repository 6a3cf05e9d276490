//! The routes that serve every tool by its name.

use serde_json::{Map, Value, json};

use super::faults::default_reference;

/// The tag of these routes.
pub(super) const TAG: &str = "tools";

pub(super) fn add(paths: &mut Map<String, Value>) {
    let id = json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": "Id of the tool, as `file.read`, its spelling with `_`, or an alias.",
        "schema": {"type": "string"},
    });
    let object = json!({"application/json": {"schema": {"type": "object"}}});
    let responses = |description: &str| json!({"200": {"description": description, "content": object}, "default": default_reference()});
    let list = json!({
        "operationId": "tools_list",
        "tags": [TAG],
        "summary": "Lists all tools.",
        "responses": responses("Engines and tools."),
    });
    let show = json!({
        "operationId": "tools_show",
        "tags": [TAG],
        "summary": "Describes a tool.",
        "parameters": [id],
        "responses": responses("The tool with its schemas, examples and reasons of failure."),
    });
    let call = json!({
        "operationId": "tools_call",
        "tags": [TAG],
        "summary": "Calls a tool by its name.",
        "parameters": [id],
        "requestBody": {"required": false, "content": object},
        "responses": responses("The answer of the tool."),
    });
    paths.insert("/v1/tools".into(), json!({"get": list}));
    paths.insert("/v1/tools/{id}".into(), json!({"get": show}));
    paths.insert("/v1/tools/{id}:call".into(), json!({"post": call}));
}
