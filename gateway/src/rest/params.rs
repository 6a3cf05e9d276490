//! One object of parameters from the path, the query and the body.
//!
//! Where two of them name one field they must agree: were one to win, what was
//! checked on the path could be undone in the query.

use std::collections::HashSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use gearmesh_catalog::json::{self, ViolationKind};
use gearmesh_fault::Refusal;

use super::convert::convert;

/// What of a request becomes parameters.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The request message.
    pub(crate) input: &'a MessageDescriptor,
    /// The field that the body holds: `*` for all, empty for none.
    pub(crate) body_field: &'a str,
    /// The body; none when it is empty.
    pub(crate) body: Option<Value>,
    /// Field paths and texts of the path's variables.
    pub(crate) path: &'a [(&'a [String], String)],
    /// Names and texts of the query.
    pub(crate) query: &'a [(String, String)],
}

/// JSON path of a field and what is wrong with it.
type Violation = (String, String);

/// Joins the parts.
///
/// # Errors
/// INVALID_PARAMETERS naming every field at fault.
pub(crate) fn join(parts: Parts<'_>) -> Result<Value, Refusal> {
    let mut params = of_body(parts.input, parts.body_field, parts.body)?;
    let mut violations = Vec::new();
    for (path, text) in parts.path {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Err(violation) = set(&mut params, parts.input, &names, text) {
            violations.push(violation);
        }
    }
    let mut seen = HashSet::new();
    for (name, text) in parts.query {
        let added = if parts.body_field == "*" {
            Err((name.clone(), "belongs in the body on this route".to_owned()))
        } else {
            add(&mut params, parts.input, name, text, &mut seen)
        };
        if let Err(violation) = added {
            violations.push(violation);
        }
    }
    if violations.is_empty() {
        return Ok(Value::Object(params));
    }
    Err(Refusal::parameters(violations))
}

fn of_body(
    input: &MessageDescriptor,
    body_field: &str,
    body: Option<Value>,
) -> Result<Map<String, Value>, Refusal> {
    let refuse = |what: &str| Refusal::parameters(vec![(String::new(), what.to_owned())]);
    match (body_field, body) {
        (_, None) => Ok(Map::new()),
        ("", Some(_)) => Err(refuse("this route takes no body")),
        ("*", Some(Value::Object(map))) => Ok(map),
        ("*", Some(_)) => Err(refuse("the body must be an object")),
        (name, Some(value)) => {
            let field = input.get_field_by_name(name);
            let key = field.map_or_else(|| name.to_owned(), |f| f.json_name().to_owned());
            Ok(Map::from_iter([(key, value)]))
        }
    }
}

/// Sets a field of the path: singular, and equal to what the body says of it.
fn set(
    params: &mut Map<String, Value>,
    input: &MessageDescriptor,
    path: &[&str],
    text: &str,
) -> Result<(), Violation> {
    let at = || path.join(".");
    let (map, field, _) = descend(params, input, path)?;
    if field.is_list() || field.is_map() {
        return Err((at(), "cannot be a part of the path".to_owned()));
    }
    let value = convert(&field.kind(), text).map_err(|e| (at(), e))?;
    agree(map, &field, value).map_err(|e| (at(), e))
}

/// Adds a parameter of the query.
fn add(
    params: &mut Map<String, Value>,
    input: &MessageDescriptor,
    name: &str,
    text: &str,
    seen: &mut HashSet<String>,
) -> Result<(), Violation> {
    let violation = |what: String| (name.to_owned(), what);
    let (path, key) = match name.split_once('[') {
        Some((path, key)) => match key.strip_suffix(']') {
            Some(key) => (path, Some(key)),
            None => return Err(violation("has `[` without `]`".to_owned())),
        },
        None => (name, None),
    };
    let names: Vec<&str> = path.split('.').collect();
    let (map, field, canonical) = descend(params, input, &names)?;
    if field.is_map() != key.is_some() {
        let form = if field.is_map() {
            "is a map; write it as `NAME[key]=value`"
        } else {
            "is no map"
        };
        return Err(violation(form.to_owned()));
    }
    let first = seen.insert(format!("{canonical}[{}", key.unwrap_or_default()));
    if !first && !field.is_list() {
        return Err(violation("is there twice, and takes one value".to_owned()));
    }
    match (key, field.kind()) {
        (Some(key), Kind::Message(entry)) => {
            let value = convert(&entry.map_entry_value_field().kind(), text).map_err(violation)?;
            let values = object(map, &field).map_err(violation)?;
            match values.get(key) {
                Some(there) if !same(there, &value) => {
                    Err(violation("differs from the body".to_owned()))
                }
                _ => {
                    values.insert(key.to_owned(), value);
                    Ok(())
                }
            }
        }
        (_, kind) if field.is_list() => {
            let value = convert(&kind, text).map_err(violation)?;
            match slot(map, &field) {
                Value::Array(list) => {
                    list.push(value);
                    Ok(())
                }
                there if there.is_null() => {
                    *there = Value::Array(vec![value]);
                    Ok(())
                }
                _ => Err(violation("takes a list in the body".to_owned())),
            }
        }
        (_, kind) => {
            let value = convert(&kind, text).map_err(|e| violation(e.replace("FIELD", name)))?;
            agree(map, &field, value).map_err(violation)
        }
    }
}

/// The object that holds the last field of a path, made where it is absent; that field;
/// and the path by JSON names.
fn descend<'m>(
    params: &'m mut Map<String, Value>,
    input: &MessageDescriptor,
    path: &[&str],
) -> Result<(&'m mut Map<String, Value>, FieldDescriptor, String), Violation> {
    let mut canonical = String::new();
    let mut map = params;
    let mut message = input.clone();
    for (depth, name) in path.iter().enumerate() {
        let at = || path[..=depth].join(".");
        let field = message
            .get_field_by_name(name)
            .or_else(|| message.get_field_by_json_name(name))
            .ok_or_else(|| (at(), unknown(&message, name)))?;
        canonical.push_str(field.json_name());
        if depth + 1 == path.len() {
            return Ok((map, field, canonical));
        }
        canonical.push('.');
        let inner = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => inner,
            _ => return Err((at(), "has no fields".to_owned())),
        };
        map = object(map, &field).map_err(|e| (at(), e))?;
        message = inner;
    }
    Err((String::new(), "has no name".to_owned()))
}

/// What the one JSON function says of a field that is not there.
fn unknown(message: &MessageDescriptor, name: &str) -> String {
    let probe = Value::Object(Map::from_iter([(name.to_owned(), Value::Null)]));
    json::check(message, &probe, &|_| false)
        .into_iter()
        .find(|v| matches!(v.kind, ViolationKind::Unknown { .. }))
        .map_or_else(|| "is no field of the request".to_owned(), |v| v.message)
}

/// The value of a field under whichever spelling it has; null when it was absent.
fn slot<'m>(map: &'m mut Map<String, Value>, field: &FieldDescriptor) -> &'m mut Value {
    let key = if map.contains_key(field.name()) {
        field.name()
    } else {
        field.json_name()
    };
    map.entry(key.to_owned()).or_insert(Value::Null)
}

fn object<'m>(
    map: &'m mut Map<String, Value>,
    field: &FieldDescriptor,
) -> Result<&'m mut Map<String, Value>, String> {
    let value = slot(map, field);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value
        .as_object_mut()
        .ok_or_else(|| "takes an object in the body".to_owned())
}

/// Puts a value where none is; else the two must be equal.
fn agree(
    map: &mut Map<String, Value>,
    field: &FieldDescriptor,
    value: Value,
) -> Result<(), String> {
    let there = slot(map, field);
    if there.is_null() {
        *there = value;
        return Ok(());
    }
    match same(there, &value) {
        true => Ok(()),
        false => Err(format!("is given twice, as {there} and {value}")),
    }
}

/// Whether two values of one scalar field are equal: a number may be written as text.
fn same(a: &Value, b: &Value) -> bool {
    let text = |v: &Value| match v {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    a == b || (!a.is_object() && !a.is_array() && text(a) == text(b))
}

#[cfg(test)]
mod tests;
