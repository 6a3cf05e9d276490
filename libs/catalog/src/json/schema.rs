//! JSON Schema (2020-12) of requests and responses.

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::duration::Unit;
use super::plan::Shape;
use crate::docs::Docs;
use crate::options::{FieldOptions, Options};

/// Messages within messages that a schema shows; deeper ones are shown as any object.
pub(crate) const DEPTH_MAX: usize = 6;

/// Properties of one schema; beyond, messages are shown as any object. The schema has
/// no references, so a foreign message could otherwise grow without end.
pub(crate) const PROPERTIES_MAX: usize = 10_000;

/// Which way the values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// How far a schema has been written.
#[derive(Debug)]
struct Walk {
    direction: Direction,
    /// Full names of the messages that are being written.
    stack: Vec<String>,
    properties: usize,
}

/// Writes schemas of the messages of one pool; indexes the comments once.
#[derive(Debug)]
pub(crate) struct Schemas {
    options: Options,
    pub(crate) docs: Docs,
}

impl Schemas {
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        Self {
            options: Options::of(pool),
            docs: Docs::default(),
        }
    }

    /// The schema of a whole request or response: always an object.
    pub(crate) fn of(&self, message: &MessageDescriptor, direction: Direction) -> Value {
        let mut walk = Walk {
            direction,
            stack: Vec::new(),
            properties: 0,
        };
        let schema = self.message(message, &mut walk);
        match schema {
            Value::Object(map) if map.get("type") == Some(&json!("object")) => Value::Object(map),
            _ => json!({"type": "object"}),
        }
    }

    fn message(&self, message: &MessageDescriptor, walk: &mut Walk) -> Value {
        let direction = walk.direction;
        if let Some(schema) = well_known(message, direction) {
            return schema;
        }
        // A message within itself has no finite schema without references.
        let recursive = walk.stack.iter().any(|name| name == message.full_name());
        walk.properties += message.fields().len();
        if recursive || walk.stack.len() >= DEPTH_MAX || walk.properties > PROPERTIES_MAX {
            return json!({"type": "object"});
        }
        walk.stack.push(message.full_name().to_owned());
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields() {
            let options = self.options.field(&field);
            let hidden = match direction {
                Direction::In => options.output_only,
                Direction::Out => options.input_only,
            };
            if hidden {
                continue;
            }
            let schema = self.field(&field, &options, walk);
            properties.insert(field.json_name().to_owned(), schema);
            if options.required && direction == Direction::In {
                required.push(Value::from(field.json_name()));
            }
        }
        walk.stack.pop();
        let mut out = Map::new();
        out.insert("type".into(), "object".into());
        out.insert("properties".into(), properties.into());
        if !required.is_empty() {
            out.insert("required".into(), required.into());
        }
        if direction == Direction::In {
            out.insert("additionalProperties".into(), false.into());
        }
        out.into()
    }

    fn field(&self, field: &FieldDescriptor, options: &FieldOptions, walk: &mut Walk) -> Value {
        let direction = walk.direction;
        let mut schema = match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let kind = entry.map_entry_value_field().kind();
                let values = self.kind(&kind, &FieldOptions::default(), walk);
                let mut map = Map::new();
                map.insert("type".into(), "object".into());
                map.insert("additionalProperties".into(), values);
                bounds(
                    &mut map,
                    options,
                    "minProperties",
                    "maxProperties",
                    direction,
                );
                map
            }
            kind if field.is_list() => {
                // The bounds of a list are of its count.
                let each = FieldOptions {
                    min: None,
                    max: None,
                    ..options.clone()
                };
                let mut map = Map::new();
                map.insert("type".into(), "array".into());
                map.insert("items".into(), self.kind(&kind, &each, walk));
                bounds(&mut map, options, "minItems", "maxItems", direction);
                map
            }
            kind => match self.kind(&kind, options, walk) {
                Value::Object(map) => map,
                _ => Map::new(),
            },
        };
        let description = self.description(field, options, direction);
        if !description.is_empty() {
            schema.insert("description".into(), description.into());
        }
        if let Ok(example) = serde_json::from_str::<Value>(&options.example) {
            schema.insert("examples".into(), json!([example]));
        }
        if options.secret && direction == Direction::In {
            schema.insert("writeOnly".into(), true.into());
        }
        if options.deprecated {
            schema.insert("deprecated".into(), true.into());
        }
        schema.into()
    }

    fn kind(&self, kind: &Kind, options: &FieldOptions, walk: &mut Walk) -> Value {
        let direction = walk.direction;
        let mut map = Map::new();
        match kind {
            Kind::Message(m) if Shape::of(m.full_name()) == Shape::Duration => {
                return duration(options, direction);
            }
            Kind::Message(m) => return self.message(m, walk),
            Kind::Enum(of) => return enumeration(of, direction),
            Kind::String => {
                map.insert("type".into(), "string".into());
                if direction == Direction::In {
                    bounds(&mut map, options, "minLength", "maxLength", direction);
                    if !options.pattern.is_empty() {
                        let pattern = format!("^(?:{})$", options.pattern);
                        map.insert("pattern".into(), pattern.into());
                    }
                }
            }
            scalar => {
                map = scalar_type(scalar, direction);
                if *scalar == Kind::Bytes && !options.artifact.is_empty() {
                    map.insert("contentMediaType".into(), options.artifact.clone().into());
                }
                if !matches!(scalar, Kind::Bytes | Kind::Bool) {
                    bounds(&mut map, options, "minimum", "maximum", direction);
                }
            }
        }
        map.into()
    }

    /// The comment, with what the schema cannot say otherwise.
    fn description(
        &self,
        field: &FieldDescriptor,
        options: &FieldOptions,
        direction: Direction,
    ) -> String {
        let mut out = self.docs.of(&field.parent_file(), field.path());
        let mut add = |text: String| {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&text);
        };
        let is_duration =
            matches!(field.kind(), Kind::Message(m) if Shape::of(m.full_name()) == Shape::Duration);
        if is_duration && direction == Direction::In {
            match Unit::of(&options.unit) {
                Some(unit) => add(format!(
                    "Text with a unit, as `30s`, or a number of {}.",
                    unit.as_str()
                )),
                None => add("Text with a unit, as `30s`.".to_owned()),
            }
        } else if !options.unit.is_empty() {
            add(format!("Unit: {}.", options.unit));
        }
        if direction == Direction::In {
            if options.secret {
                add("Give a `vault://` reference.".to_owned());
            }
            if let Some(choice) = field.containing_oneof().filter(|c| !c.is_synthetic()) {
                let names: Vec<_> = choice
                    .fields()
                    .map(|f| format!("`{}`", f.json_name()))
                    .collect();
                add(format!("At most one of {}.", names.join(", ")));
            }
        }
        out
    }
}

fn scalar_type(kind: &Kind, direction: Direction) -> Map<String, Value> {
    let schema = match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::Double | Kind::Float => json!({"type": "number"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer"}),
        Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0}),
        Kind::String => json!({"type": "string"}),
        // 64 bits: a number while exact, else text.
        _ if direction == Direction::Out => json!({"type": ["integer", "string"]}),
        Kind::Uint64 | Kind::Fixed64 => json!({"type": "integer", "minimum": 0}),
        _ => json!({"type": "integer"}),
    };
    match schema {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Bounds are of what is sent; an answer is not bounded by them.
fn bounds(
    map: &mut Map<String, Value>,
    options: &FieldOptions,
    min: &str,
    max: &str,
    direction: Direction,
) {
    if direction == Direction::Out {
        return;
    }
    for (key, bound) in [(min, options.min), (max, options.max)] {
        if let Some(bound) = bound {
            map.insert(key.to_owned(), plain_number(bound));
        }
    }
}

/// A whole number without fraction, since lengths and counts are whole.
fn plain_number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        (value as i64).into()
    } else {
        value.into()
    }
}

fn duration(options: &FieldOptions, direction: Direction) -> Value {
    let Some(unit) = Unit::of(&options.unit) else {
        return json!({"type": "string"});
    };
    if direction == Direction::Out {
        return json!({"type": "integer"});
    }
    let mut map = Map::new();
    map.insert("type".into(), json!(["string", "integer"]));
    // The options count in seconds, the number in the unit.
    let in_unit = FieldOptions {
        min: options.min.map(|n| n * unit.per_second()),
        max: options.max.map(|n| n * unit.per_second()),
        ..FieldOptions::default()
    };
    bounds(&mut map, &in_unit, "minimum", "maximum", direction);
    map.into()
}

fn enumeration(of: &EnumDescriptor, direction: Direction) -> Value {
    if of.full_name() == "google.protobuf.NullValue" {
        return json!({"type": "null"});
    }
    let names: Vec<_> = of
        .values()
        .filter(|v| direction == Direction::Out || !v.name().ends_with("_UNSPECIFIED"))
        .map(|v| Value::from(v.name()))
        .collect();
    json!({"type": "string", "enum": names})
}

fn well_known(message: &MessageDescriptor, direction: Direction) -> Option<Value> {
    Some(match Shape::of(message.full_name()) {
        Shape::Object => return None,
        Shape::Json | Shape::Value => json!({}),
        Shape::Duration => json!({"type": "string"}),
        Shape::Any => json!({"type": "object"}),
        Shape::Wrapper => {
            let inner = message.get_field(1)?;
            Value::Object(scalar_type(&inner.kind(), direction))
        }
        Shape::WellKnown => match message.name() {
            "Timestamp" => json!({"type": "string", "format": "date-time"}),
            "FieldMask" => json!({"type": "string"}),
            "ListValue" => json!({"type": "array"}),
            _ => json!({"type": "object"}),
        },
    })
}
