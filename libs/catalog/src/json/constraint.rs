//! What the options demand of a value: REQUIRED, `min`, `max`, `pattern`, enum membership.

use prost_reflect::{DynamicMessage, Kind, Value};

use super::duration;
use super::plan::{Count, FieldPlan, Plan, Shape};
use super::reference::REFERENCE;
use super::scalar;
use super::violation::{At, Violation, ViolationKind};

/// The violation of a required field that is absent.
pub(crate) fn missing(at: &At<'_>) -> Violation {
    at.violation(ViolationKind::Missing, "is required".to_owned())
}

/// Checks a decoded message and all that it contains.
pub(crate) fn message(
    plan: &Plan,
    node: usize,
    message: &DynamicMessage,
    at: &At<'_>,
    out: &mut Vec<Violation>,
) {
    let node = &plan.nodes[node];
    if node.shape != Shape::Object {
        return;
    }
    for f in &node.fields {
        let at = At::Field(at, &f.json_name);
        if !message.has_field(&f.descriptor) {
            if f.required && absence_shows(f) {
                out.push(missing(&at));
            } else if f.required {
                field(f, &message.get_field(&f.descriptor), None, &at, out);
            }
            continue;
        }
        let value = message.get_field(&f.descriptor);
        if f.required || f.constrained() {
            field(f, &value, None, &at, out);
        }
        let Some(child) = f.node else { continue };
        match &*value {
            Value::Message(m) => self::message(plan, child, m, &at, out),
            Value::List(list) => {
                for (index, element) in list.iter().enumerate() {
                    if let Some(m) = element.as_message() {
                        self::message(plan, child, m, &At::Index(&at, index), out);
                    }
                }
            }
            Value::Map(map) => {
                for (key, element) in map {
                    if let Some(m) = element.as_message() {
                        let key = scalar::write_key(key);
                        self::message(plan, child, m, &At::Key(&at, &key), out);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a field that is not set was surely not sent. A number or bool without
/// presence may have been sent with its default.
fn absence_shows(field: &FieldPlan) -> bool {
    field.presence
        || field.count != Count::One
        || matches!(field.kind, Kind::String | Kind::Bytes | Kind::Enum(_))
}

/// Checks one field that was given. `count` is how many elements were given, when some
/// of them are not known yet.
pub(crate) fn field(
    field: &FieldPlan,
    value: &Value,
    count: Option<usize>,
    at: &At<'_>,
    out: &mut Vec<Violation>,
) {
    let many = match value {
        Value::List(list) => Some(count.unwrap_or(list.len())),
        Value::Map(map) => Some(count.unwrap_or(map.len())),
        _ => None,
    };
    let empty = match (many, value) {
        (Some(many), _) => many == 0,
        (None, Value::String(text)) => text.is_empty(),
        (None, Value::Bytes(bytes)) => bytes.is_empty(),
        (None, Value::EnumNumber(number)) => *number == 0,
        _ => false,
    };
    if empty && !field.presence {
        if field.required {
            out.push(at.violation(
                ViolationKind::Missing,
                "is required and must not be empty".to_owned(),
            ));
        }
        return;
    }
    // The rules are for the secret itself, which only the engine sees.
    if field.secret && value.as_str().is_some_and(|t| t.starts_with(REFERENCE)) {
        return;
    }
    if !field.constrained() || (!field.required && !field.presence && is_zero(value)) {
        return;
    }
    match value {
        Value::List(list) => {
            range(
                field,
                many.map(|n| n as f64),
                ["element", "elements"],
                at,
                out,
            );
            for (index, element) in list.iter().enumerate() {
                membership(field, element, &At::Index(at, index), out);
            }
        }
        Value::Map(map) => {
            range(field, many.map(|n| n as f64), ["entry", "entries"], at, out);
            for (key, element) in map {
                membership(field, element, &At::Key(at, &scalar::write_key(key)), out);
            }
        }
        _ => {
            let (measure, noun) = measure(field, value);
            range(field, measure, noun, at, out);
            membership(field, value, at, out);
        }
    }
}

/// What is counted, for one and for many.
type Noun = [&'static str; 2];

/// A number that counts nothing but itself.
const NUMBER: Noun = ["", ""];

fn counted(number: f64, [one, many]: Noun) -> String {
    let noun = if number == 1.0 { one } else { many };
    format!("{number} {noun}").trim_end().to_owned()
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::I32(n) => *n == 0,
        Value::I64(n) => *n == 0,
        Value::U32(n) => *n == 0,
        Value::U64(n) => *n == 0,
        Value::F32(n) => *n == 0.0,
        Value::F64(n) => *n == 0.0,
        _ => false,
    }
}

/// What `min` and `max` of a single value speak of.
fn measure(field: &FieldPlan, value: &Value) -> (Option<f64>, Noun) {
    match value {
        Value::I32(n) => (Some(f64::from(*n)), NUMBER),
        Value::U32(n) => (Some(f64::from(*n)), NUMBER),
        Value::I64(n) => (Some(*n as f64), NUMBER),
        Value::U64(n) => (Some(*n as f64), NUMBER),
        Value::F32(n) => (Some(f64::from(*n)), NUMBER),
        Value::F64(n) => (Some(*n), NUMBER),
        Value::String(text) => {
            // Only a text with more bytes than `max` can have more characters.
            let bounded = field.min.is_none() && field.max.is_some_and(|m| text.len() as f64 <= m);
            let length = if bounded {
                text.len()
            } else {
                text.chars().count()
            };
            (Some(length as f64), ["character", "characters"])
        }
        Value::Bytes(bytes) => (Some(bytes.len() as f64), ["byte", "bytes"]),
        Value::Message(m) if is_duration(field) => {
            (Some(duration::nanos(m) as f64 / 1e9), ["second", "seconds"])
        }
        _ => (None, NUMBER),
    }
}

fn is_duration(field: &FieldPlan) -> bool {
    matches!(&field.kind, Kind::Message(m) if m.full_name() == "google.protobuf.Duration")
}

fn range(
    field: &FieldPlan,
    measure: Option<f64>,
    noun: Noun,
    at: &At<'_>,
    out: &mut Vec<Violation>,
) {
    let Some(measure) = measure else { return };
    let low = field.min.filter(|min| measure < *min);
    // A number that is none is never in a range.
    let high = field.max.filter(|max| measure > *max || measure.is_nan());
    let message = match (low, high) {
        (Some(min), _) => format!("must be at least {}, not {measure}", counted(min, noun)),
        (None, Some(max)) => format!("must be at most {}, not {measure}", counted(max, noun)),
        (None, None) => return,
    };
    out.push(at.violation(ViolationKind::Range, message));
}

fn membership(field: &FieldPlan, value: &Value, at: &At<'_>, out: &mut Vec<Violation>) {
    match (value, &field.kind) {
        (Value::String(text), _) => {
            if let Some(pattern) = field.pattern.as_ref().filter(|p| !p.is_match(text)) {
                let shown = shown_pattern(pattern.as_str());
                let message = format!("does not match `{shown}`");
                out.push(at.violation(ViolationKind::Pattern, message));
            }
        }
        (Value::EnumNumber(number), Kind::Enum(of)) if of.get_value(*number).is_none() => {
            let (kind, message) = scalar::no_such_value(of, &number.to_string());
            out.push(at.violation(kind, message));
        }
        _ => {}
    }
}

/// The pattern as the option has it, without the anchors.
fn shown_pattern(pattern: &str) -> &str {
    pattern
        .strip_prefix(r"\A(?:")
        .and_then(|p| p.strip_suffix(r")\z"))
        .unwrap_or(pattern)
}
