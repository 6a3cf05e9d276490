//! From a message to JSON.

use std::cmp::Ordering;

use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::duration;
use super::plan::{self, FieldPlan, Node, Plan, Shape};
use super::scalar;

/// What stands in place of a secret value.
pub(crate) const REDACTED: &str = "***";

/// Messages within messages of a type that they name (`Any`), unpacked at most this deep;
/// below, their bytes are shown. Each level decodes anew, so the decoder's own limit of
/// depth does not hold here.
pub(crate) const ANY_DEPTH_MAX: usize = 8;

struct Writer<'a> {
    plan: &'a Plan,
    any_depth: usize,
}

/// Writes a message.
pub(crate) fn write(message: &DynamicMessage) -> Json {
    root(message, 0)
}

fn root(message: &DynamicMessage, any_depth: usize) -> Json {
    let plan = plan::of(&message.descriptor());
    let writer = Writer {
        plan: &plan,
        any_depth,
    };
    writer.message(plan::ROOT, None, message)
}

impl Writer<'_> {
    fn message(&self, node: usize, field: Option<&FieldPlan>, value: &DynamicMessage) -> Json {
        let node = &self.plan.nodes[node];
        match node.shape {
            Shape::Object => Json::Object(self.object(node, value)),
            Shape::Json => json(value),
            Shape::Duration => duration::write(value, field.and_then(|f| f.unit)),
            Shape::Wrapper => {
                let inner = &node.fields[0];
                scalar::write(&inner.kind, &value.get_field(&inner.descriptor))
            }
            Shape::Any => any(value, self.any_depth + 1),
            Shape::WellKnown | Shape::Value => value
                .serialize(serde_json::value::Serializer)
                .unwrap_or(Json::Null),
        }
    }

    fn object(&self, node: &Node, message: &DynamicMessage) -> Map<String, Json> {
        let mut out = Map::with_capacity(node.fields.len());
        for field in &node.fields {
            if field.presence && !message.has_field(&field.descriptor) {
                continue;
            }
            let value = message.get_field(&field.descriptor);
            out.insert(field.json_name.to_string(), self.field(field, &value));
        }
        out
    }

    fn field(&self, field: &FieldPlan, value: &Value) -> Json {
        match value {
            Value::List(list) => list.iter().map(|v| self.element(field, v)).collect(),
            Value::Map(map) => {
                let mut entries: Vec<(&MapKey, &Value)> = map.iter().collect();
                // The map has no order of its own, and equal messages give equal bytes.
                entries.sort_by(|a, b| a.0.partial_cmp(b.0).unwrap_or(Ordering::Equal));
                entries
                    .into_iter()
                    .map(|(k, v)| (scalar::write_key(k), self.element(field, v)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            single => self.element(field, single),
        }
    }

    fn element(&self, field: &FieldPlan, value: &Value) -> Json {
        if field.secret && !value.is_default(&field.kind) {
            return REDACTED.into();
        }
        match (value, field.node) {
            (Value::Message(m), Some(node)) => self.message(node, Some(field), m),
            (scalar, _) => scalar::write(&field.kind, scalar),
        }
    }
}

/// A free-form value; text that is no JSON is shown as text, since an answer never fails.
fn json(message: &DynamicMessage) -> Json {
    let text = message.get_field_by_number(1);
    let bytes = text.as_deref().and_then(Value::as_bytes);
    match bytes {
        None => Json::Null,
        Some(bytes) if bytes.is_empty() => Json::Null,
        Some(bytes) => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
        }
    }
}

/// A message of the type that it names; of a type that is not known here, its bytes.
fn any(message: &DynamicMessage, depth: usize) -> Json {
    let url = message.get_field_by_number(1);
    let url = url.as_deref().and_then(Value::as_str).unwrap_or_default();
    let bytes = message.get_field_by_number(2);
    let bytes = bytes
        .as_deref()
        .and_then(Value::as_bytes)
        .cloned()
        .unwrap_or_default();
    let mut out = Map::new();
    out.insert("@type".to_owned(), url.into());
    let name = url.rsplit('/').next().unwrap_or_default();
    let known = message
        .descriptor()
        .parent_pool()
        .get_message_by_name(name)
        .filter(|_| depth <= ANY_DEPTH_MAX)
        .and_then(|m| DynamicMessage::decode(m, bytes.clone()).ok());
    match known.map(|m| root(&m, depth)) {
        Some(Json::Object(fields)) if Shape::of(name) == Shape::Object => out.extend(fields),
        Some(value) => {
            out.insert("value".to_owned(), value);
        }
        None => {
            let raw = scalar::write(&Kind::Bytes, &Value::Bytes(bytes));
            out.insert("value".to_owned(), raw);
        }
    }
    Json::Object(out)
}
