//! One tool behind one of its routes.

use serde_json::{Map, Value, json};

use gearmesh_catalog::{Binding, Catalog, Tool};

use super::faults;
use crate::rest::{Template, member};

/// Objects within objects whose fields become parameters of the query.
const NESTED_MAX: usize = 3;

/// One tool behind one of its routes.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    tool: &'a Tool,
    binding: &'a Binding,
    index: usize,
    /// A call of it creates something that has a place of its own.
    creates: bool,
    /// Field paths by JSON names, and the template's text of each variable.
    variables: Vec<(String, String)>,
}

impl<'a> Operation<'a> {
    /// `index` counts the routes of the tool.
    pub(super) fn new(
        catalog: &Catalog,
        tool: &'a Tool,
        binding: &'a Binding,
        index: usize,
    ) -> Self {
        Self {
            variables: variables(tool, &binding.template),
            creates: member(catalog, tool, binding).is_some(),
            tool,
            binding,
            index,
        }
    }

    /// The path with each variable by the JSON name of its field.
    pub(super) fn path(&self) -> String {
        let mut out = self.binding.template.clone();
        for (name, text) in &self.variables {
            out = out.replacen(text, &format!("{{{name}}}"), 1);
        }
        out
    }

    pub(super) fn write(&self) -> Value {
        let tool = self.tool;
        let mut out = Map::new();
        let id = match self.index {
            0 => tool.mcp_name(),
            n => format!("{}_{}", tool.mcp_name(), n + 1),
        };
        out.insert("operationId".into(), id.into());
        out.insert("tags".into(), json!([tool.engine]));
        out.insert("summary".into(), tool.summary.clone().into());
        out.insert("description".into(), tool.description.clone().into());
        if tool.deprecated {
            out.insert("deprecated".into(), true.into());
        }
        out.insert("x-gearmesh-tool".into(), tool.id.clone().into());
        out.insert("x-gearmesh-effect".into(), tool.effect.as_str().into());
        out.insert("x-gearmesh-idempotent".into(), tool.idempotent.into());
        out.insert("x-gearmesh-latency".into(), tool.latency.as_str().into());
        out.insert("x-gearmesh-approval".into(), tool.approval.as_str().into());
        let parameters = self.parameters();
        if !parameters.is_empty() {
            out.insert("parameters".into(), parameters.into());
        }
        if let Some(body) = self.request_body() {
            out.insert("requestBody".into(), body);
        }
        out.insert("responses".into(), self.responses());
        out.into()
    }

    fn parameters(&self) -> Vec<Value> {
        let mut out: Vec<Value> = self
            .variables
            .iter()
            .map(|(name, _)| {
                let schema = field_schema(&self.tool.input_schema, name);
                parameter("path", name, true, schema)
            })
            .collect();
        if self.binding.body != "*" {
            let prefix = String::new();
            self.query(&self.tool.input_schema, &prefix, 0, &mut out);
        }
        out
    }

    /// The fields that come from the query: those neither in the path nor in the body.
    fn query(&self, schema: &Value, prefix: &str, depth: usize, out: &mut Vec<Value>) {
        let required = schema["required"].as_array();
        let body = json_name(self.tool, &self.binding.body);
        for (key, field) in schema["properties"].as_object().into_iter().flatten() {
            let name = format!("{prefix}{key}");
            if self.variables.iter().any(|(v, _)| *v == name) || (depth == 0 && *key == body) {
                continue;
            }
            if field["properties"].is_object() && depth < NESTED_MAX {
                self.query(field, &format!("{name}."), depth + 1, out);
                continue;
            }
            let required = depth == 0 && required.is_some_and(|r| r.iter().any(|n| n == key));
            let mut one = parameter("query", &name, required, field.clone());
            if field["additionalProperties"].is_object() {
                one["style"] = "deepObject".into();
                one["explode"] = true.into();
            }
            out.push(one);
        }
    }

    fn request_body(&self) -> Option<Value> {
        let input = &self.tool.input_schema;
        let (schema, required) = match self.binding.body.as_str() {
            "" => return None,
            "*" => {
                let schema = without(input, &self.variables);
                let required = schema["required"].as_array().is_some_and(|r| !r.is_empty());
                (schema, required)
            }
            field => {
                let name = json_name(self.tool, field);
                let required = input["required"]
                    .as_array()
                    .is_some_and(|r| r.iter().any(|n| *n == name));
                (field_schema(input, &name), required)
            }
        };
        let mut content = Map::from_iter([("schema".to_owned(), schema)]);
        // An example shows the whole request, so it fits only where the body is that.
        if self.binding.body == "*" && self.variables.is_empty() {
            let examples: Map<String, Value> = self
                .tool
                .examples
                .iter()
                .map(|e| (e.title.clone(), json!({"value": e.request})))
                .collect();
            if !examples.is_empty() {
                content.insert("examples".into(), examples.into());
            }
        }
        Some(json!({"required": required, "content": {"application/json": content}}))
    }

    fn responses(&self) -> Value {
        let message = match self.binding.response_body.as_str() {
            "" => self.tool.output_schema.clone(),
            field => {
                let field = self.tool.method.output().get_field_by_name(field);
                let name = field.map(|f| f.json_name().to_owned()).unwrap_or_default();
                field_schema(&self.tool.output_schema, &name)
            }
        };
        let content = if self.tool.streaming {
            json!({
                "application/json": {"schema": {"type": "array", "items": message}},
                "application/x-ndjson": {"schema": message},
                "text/event-stream": {"schema": message},
            })
        } else {
            json!({"application/json": {"schema": message}})
        };
        let mut out = Map::new();
        if self.creates {
            let header = json!({"Location": {"description": "Where it is found.", "schema": {"type": "string"}}});
            out.insert(
                "201".into(),
                json!({"description": "What was created.", "headers": header, "content": content}),
            );
        } else {
            let description = if self.tool.streaming {
                "The messages of the stream."
            } else {
                "The answer."
            };
            out.insert(
                "200".into(),
                json!({"description": description, "content": content}),
            );
        }
        out.extend(faults::references(self.tool));
        out.into()
    }
}

fn parameter(place: &str, name: &str, required: bool, schema: Value) -> Value {
    let mut schema = schema;
    let description = schema
        .as_object_mut()
        .and_then(|s| s.shift_remove("description"));
    let mut out = Map::new();
    out.insert("name".into(), name.into());
    out.insert("in".into(), place.into());
    out.insert("required".into(), required.into());
    if let Some(description) = description {
        out.insert("description".into(), description);
    }
    out.insert("schema".into(), schema);
    out.into()
}

/// The variables of a template: field path by JSON names, and the text in the template.
fn variables(tool: &Tool, template: &str) -> Vec<(String, String)> {
    let Ok(parsed) = Template::parse(template) else {
        return Vec::new();
    };
    let texts = template
        .split('{')
        .skip(1)
        .filter_map(|t| Some(format!("{{{}}}", t.split_once('}')?.0)));
    let names = parsed.variables.iter().map(|v| json_path(tool, &v.field));
    names.zip(texts).collect()
}

fn json_path(tool: &Tool, path: &[String]) -> String {
    let mut message = Some(tool.method.input());
    let mut names = Vec::new();
    for name in path {
        let field = message.as_ref().and_then(|m| m.get_field_by_name(name));
        names.push(
            field
                .as_ref()
                .map_or_else(|| name.clone(), |f| f.json_name().to_owned()),
        );
        message = field.and_then(|f| f.kind().as_message().cloned());
    }
    names.join(".")
}

fn json_name(tool: &Tool, field: &str) -> String {
    json_path(tool, &[field.to_owned()])
}

/// The schema of a field by its path; of one that is not shown, any value.
fn field_schema(schema: &Value, path: &str) -> Value {
    match path
        .split('.')
        .fold(schema, |schema, name| &schema["properties"][name])
    {
        Value::Null => json!({}),
        found => found.clone(),
    }
}

/// An object's schema without the fields that the path gives.
fn without(schema: &Value, variables: &[(String, String)]) -> Value {
    let mut schema = schema.clone();
    for (name, _) in variables {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove(name);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|r| r != name);
        }
    }
    if schema["required"].as_array().is_some_and(Vec::is_empty)
        && let Some(map) = schema.as_object_mut()
    {
        map.shift_remove("required");
    }
    schema
}
