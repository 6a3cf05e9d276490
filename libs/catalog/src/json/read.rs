//! From JSON to a message, with every violation on the way.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use serde_json::{Map, Value as Json};

use super::constraint;
use super::duration;
use super::plan::{self, Count, FieldPlan, Node, Plan, Shape};
use super::scalar::{self, Fault};
use super::violation::{At, Violation, ViolationKind};
use crate::nearest::nearest;

/// What a value that is not known yet looks like.
type Skip<'a> = &'a dyn Fn(&Json) -> bool;

struct Reader<'a> {
    plan: &'a Plan,
    skip: Option<Skip<'a>>,
    violations: Vec<Violation>,
}

/// Reads a message; it is whole only when there are no violations and nothing was skipped.
pub(crate) fn read(
    message: &MessageDescriptor,
    value: &Json,
    skip: Option<Skip<'_>>,
) -> (DynamicMessage, Vec<Violation>) {
    let plan = plan::of(message);
    let mut reader = Reader {
        plan: &plan,
        skip,
        violations: Vec::new(),
    };
    // A call without a body is a call with an empty one.
    let empty = Json::Object(Map::new());
    let is_object = plan.nodes[plan::ROOT].shape == Shape::Object;
    let value = if value.is_null() && is_object {
        &empty
    } else {
        value
    };
    let read = if reader.skips(value) {
        None
    } else {
        reader.message(plan::ROOT, None, value, &At::Root)
    };
    let decoded = read.unwrap_or_else(|| DynamicMessage::new(message.clone()));
    (decoded, reader.violations)
}

impl Reader<'_> {
    fn skips(&self, value: &Json) -> bool {
        self.skip.is_some_and(|skip| skip(value))
    }

    fn fault(&mut self, at: &At<'_>, (kind, message): Fault) {
        self.violations.push(at.violation(kind, message));
    }

    fn message(
        &mut self,
        node: usize,
        field: Option<&FieldPlan>,
        value: &Json,
        at: &At<'_>,
    ) -> Option<DynamicMessage> {
        let node = &self.plan.nodes[node];
        let read = match node.shape {
            Shape::Object => match value {
                Json::Object(map) => return Some(self.object(node, map, at)),
                other => Err(scalar::wrong_type("an object", other)),
            },
            Shape::Json => json(node, value),
            Shape::Duration => read_duration(node, field, value),
            Shape::Wrapper => {
                let inner = &node.fields[0];
                scalar::read(&inner.kind, value).map(|v| {
                    let mut message = DynamicMessage::new(node.descriptor.clone());
                    message.set_field(&inner.descriptor, v);
                    message
                })
            }
            Shape::Any | Shape::WellKnown | Shape::Value => well_known(node, value),
        };
        match read {
            Ok(message) => Some(message),
            Err(fault) => {
                self.fault(at, fault);
                None
            }
        }
    }

    fn object(&mut self, node: &Node, map: &Map<String, Json>, at: &At<'_>) -> DynamicMessage {
        let mut message = DynamicMessage::new(node.descriptor.clone());
        let mut given = vec![false; node.fields.len()];
        let mut chosen: Vec<Option<usize>> = vec![None; node.choices.len()];
        for (name, value) in map {
            let at = At::Field(at, name);
            let Some(&index) = node.names.get(name.as_str()) else {
                self.unknown(node, name, &at);
                continue;
            };
            let field = &node.fields[index];
            if value.is_null() && !field.takes_null {
                continue;
            }
            if std::mem::replace(&mut given[index], true) {
                self.fault(
                    &at,
                    conflict(format!(
                        "is given twice, also as `{}`",
                        other_name(field, name)
                    )),
                );
                continue;
            }
            if let Some(choice) = field.choice
                && let Some(first) = chosen[choice].replace(index)
            {
                let first = &node.fields[first].json_name;
                let message = format!("cannot be given together with `{first}`");
                self.fault(&at, conflict(message));
                continue;
            }
            if let Some(value) = self.field(field, value, &at) {
                message.set_field(&field.descriptor, value);
            }
        }
        for (field, given) in node.fields.iter().zip(given) {
            if field.required && !given {
                let at = At::Field(at, &field.json_name);
                self.violations.push(constraint::missing(&at));
            }
        }
        message
    }

    fn unknown(&mut self, node: &Node, name: &str, at: &At<'_>) {
        let names = node.fields.iter().map(|f| &*f.json_name);
        let nearest = nearest(name, names);
        let message = match &nearest {
            Some(near) => format!("is no field here; `{near}`?"),
            None => "is no field here".to_owned(),
        };
        self.fault(at, (ViolationKind::Unknown { nearest }, message));
    }

    /// A field with its constraints; none when it was skipped or refused.
    fn field(&mut self, field: &FieldPlan, value: &Json, at: &At<'_>) -> Option<Value> {
        if self.skips(value) {
            return None;
        }
        let before = self.violations.len();
        let (read, count) = match &field.count {
            Count::One => (self.element(field, value, at)?, None),
            Count::List => self.list(field, value, at)?,
            Count::Map(key) => self.map(field, key, value, at)?,
        };
        if self.violations.len() == before {
            constraint::field(field, &read, count, at, &mut self.violations);
        }
        Some(read)
    }

    fn element(&mut self, field: &FieldPlan, value: &Json, at: &At<'_>) -> Option<Value> {
        if let Some(node) = field.node {
            return self
                .message(node, Some(field), value, at)
                .map(Value::Message);
        }
        match scalar::read(&field.kind, value) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(at, fault);
                None
            }
        }
    }

    /// Whether the elements are texts, or any values and so texts as well.
    fn lists_texts(&self, field: &FieldPlan) -> bool {
        let any = |node: usize| self.plan.nodes[node].shape == Shape::Json;
        field.kind == Kind::String || field.node.is_some_and(any)
    }

    fn list(
        &mut self,
        field: &FieldPlan,
        value: &Json,
        at: &At<'_>,
    ) -> Option<(Value, Option<usize>)> {
        let elements = match value {
            Json::Array(elements) => elements.as_slice(),
            // One text where texts are listed is a list of one.
            Json::String(_) if self.lists_texts(field) => std::slice::from_ref(value),
            other => {
                self.fault(at, scalar::wrong_type("a list", other));
                return None;
            }
        };
        let mut out = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            if !self.skips(element) {
                out.extend(self.element(field, element, &At::Index(at, index)));
            }
        }
        Some((Value::List(out), Some(elements.len())))
    }

    fn map(
        &mut self,
        field: &FieldPlan,
        key_kind: &Kind,
        value: &Json,
        at: &At<'_>,
    ) -> Option<(Value, Option<usize>)> {
        let Json::Object(entries) = value else {
            self.fault(at, scalar::wrong_type("an object", value));
            return None;
        };
        let mut out = HashMap::with_capacity(entries.len());
        for (key, element) in entries {
            let at = At::Key(at, key);
            let read_key = match scalar::read_key(key_kind, key) {
                Ok(read_key) => read_key,
                Err(fault) => {
                    self.fault(&at, fault);
                    continue;
                }
            };
            if !self.skips(element)
                && let Some(element) = self.element(field, element, &at)
            {
                out.insert(read_key, element);
            }
        }
        Some((Value::Map(out), Some(entries.len())))
    }
}

fn conflict(message: String) -> Fault {
    (ViolationKind::Conflict, message)
}

/// The other spelling of a field that was given twice.
fn other_name<'a>(field: &'a FieldPlan, name: &str) -> &'a str {
    if name == &*field.json_name {
        field.descriptor.name()
    } else {
        &field.json_name
    }
}

fn json(node: &Node, value: &Json) -> Result<DynamicMessage, Fault> {
    let text = serde_json::to_vec(value).map_err(|_| scalar::wrong_type("JSON", value))?;
    let mut message = DynamicMessage::new(node.descriptor.clone());
    if let Some(field) = node.fields.first() {
        message.set_field(&field.descriptor, Value::Bytes(text.into()));
    }
    Ok(message)
}

fn read_duration(
    node: &Node,
    field: Option<&FieldPlan>,
    value: &Json,
) -> Result<DynamicMessage, Fault> {
    let unit = field.and_then(|f| f.unit);
    let nanos = match (value, unit) {
        (Json::String(text), _) => duration::parse(text),
        (Json::Number(number), Some(unit)) => duration::from_number(number, unit),
        _ => None,
    };
    match (nanos, unit) {
        (Some(nanos), _) => Ok(duration::message(&node.descriptor, nanos)),
        (None, Some(unit)) => {
            let expected = format!("a duration such as `30s`, or a number of {}", unit.as_str());
            Err(scalar::malformed(&expected, value))
        }
        (None, None) => Err(scalar::malformed("a duration such as `30s`", value)),
    }
}

fn well_known(node: &Node, value: &Json) -> Result<DynamicMessage, Fault> {
    DynamicMessage::deserialize(node.descriptor.clone(), value).map_err(|e| {
        let expected = match node.descriptor.name() {
            "Timestamp" => "a time such as `2027-03-28T12:00:00Z`".to_owned(),
            "FieldMask" => "a list of fields in one text, separated by commas".to_owned(),
            other => format!("a value of type {other} ({e})"),
        };
        scalar::malformed(&expected, value)
    })
}
