//! Scalars between JSON and protobuf.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};
use serde_json::Value as Json;

use super::violation::ViolationKind;

/// Largest integer that every JSON reader keeps exact: 2^53 - 1.
pub(crate) const EXACT_MAX: i128 = (1 << 53) - 1;

/// Padding and unused bits of the last character are not looked at.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A fault without its place.
pub(crate) type Fault = (ViolationKind, String);

/// What was given, in a word.
pub(crate) fn found(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// The fault of a value of another type.
pub(crate) fn wrong_type(expected: &str, value: &Json) -> Fault {
    let found = found(value);
    (
        ViolationKind::Type {
            expected: expected.to_owned(),
            found: found.to_owned(),
        },
        format!("must be {expected}, not {found}"),
    )
}

/// The fault of a value that may have the right type, but cannot be read.
pub(crate) fn malformed(expected: &str, value: &Json) -> Fault {
    let (kind, message) = wrong_type(expected, value);
    if value.is_string() {
        return (kind, format!("must be {expected}"));
    }
    (kind, message)
}

/// Reads a scalar or an enum. Messages are not for here.
pub(crate) fn read(kind: &Kind, value: &Json) -> Result<Value, Fault> {
    Ok(match kind {
        Kind::String => match value {
            Json::String(text) => Value::String(text.clone()),
            other => return Err(wrong_type("text", other)),
        },
        Kind::Bool => match value {
            Json::Bool(b) => Value::Bool(*b),
            other => return Err(wrong_type("true or false", other)),
        },
        Kind::Bytes => match value {
            Json::String(text) => Value::Bytes(bytes(text, value)?.into()),
            other => return Err(wrong_type("base64 text", other)),
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(narrow(value)?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(narrow(value)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(narrow(value)?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(narrow(value)?),
        Kind::Double => Value::F64(float(value)?),
        Kind::Float => Value::F32(single(value)?),
        Kind::Enum(of) => Value::EnumNumber(enumeration(of, value)?),
        Kind::Message(m) => return Err(wrong_type(m.name(), value)),
    })
}

fn bytes(text: &str, value: &Json) -> Result<Vec<u8>, Fault> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    engine
        .decode(text)
        .map_err(|_| malformed("base64 text", value))
}

/// A whole number, or text of one.
fn whole(value: &Json) -> Result<i128, Fault> {
    let number = match value {
        Json::Number(n) => n
            .as_i128()
            .or_else(|| n.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i128)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| match value {
        Json::Number(_) => {
            let (kind, _) = wrong_type("a whole number", value);
            (kind, "must be a whole number, not a fraction".to_owned())
        }
        other => malformed("a whole number", other),
    })
}

fn narrow<T: TryFrom<i128>>(value: &Json) -> Result<T, Fault> {
    T::try_from(whole(value)?).map_err(|_| {
        let bits = 8 * size_of::<T>();
        (
            ViolationKind::Range,
            format!("does not fit into {bits} bits"),
        )
    })
}

fn float(value: &Json) -> Result<f64, Fault> {
    let number = match value {
        Json::Number(n) => n.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // Rust's own words for these are no numbers of JSON.
            text if text.ends_with(|c: char| c.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| malformed("a number", value))
}

fn single(value: &Json) -> Result<f32, Fault> {
    let wide = float(value)?;
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() {
        return Err((ViolationKind::Range, "does not fit into 32 bits".to_owned()));
    }
    Ok(narrow)
}

fn enumeration(of: &EnumDescriptor, value: &Json) -> Result<i32, Fault> {
    match value {
        Json::Null if of.full_name() == "google.protobuf.NullValue" => Ok(0),
        Json::String(name) => match of.get_value_by_name(name) {
            Some(v) => Ok(v.number()),
            None => Err(no_such_value(of, name)),
        },
        Json::Number(_) => {
            let number: i32 = narrow(value)?;
            if of.get_value(number).is_none() {
                return Err(no_such_value(of, &number.to_string()));
            }
            Ok(number)
        }
        other => Err(wrong_type("the name of a value", other)),
    }
}

/// The fault of a value that an enum does not have.
pub(crate) fn no_such_value(of: &EnumDescriptor, value: &str) -> Fault {
    let names: Vec<_> = of
        .values()
        .filter(|v| !v.name().ends_with("_UNSPECIFIED"))
        .map(|v| format!("`{}`", v.name()))
        .collect();
    let message = format!("`{value}` is none of {}", names.join(", "));
    (ViolationKind::Enum, message)
}

/// Reads the key of a map.
pub(crate) fn read_key(kind: &Kind, key: &str) -> Result<MapKey, Fault> {
    let bad = || {
        (
            ViolationKind::Type {
                expected: "another key".to_owned(),
                found: "text".to_owned(),
            },
            format!("`{key}` is no key of this map"),
        )
    };
    Ok(match kind {
        Kind::String => MapKey::String(key.to_owned()),
        Kind::Bool => MapKey::Bool(key.parse().map_err(|_| bad())?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(key.parse().map_err(|_| bad())?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(key.parse().map_err(|_| bad())?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(key.parse().map_err(|_| bad())?),
        _ => MapKey::U64(key.parse().map_err(|_| bad())?),
    })
}

/// The key of a map as text.
pub(crate) fn write_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(b) => b.to_string(),
        MapKey::I32(n) => n.to_string(),
        MapKey::I64(n) => n.to_string(),
        MapKey::U32(n) => n.to_string(),
        MapKey::U64(n) => n.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

/// An integer as a number while every reader keeps it exact, else as text.
pub(crate) fn wide(value: i128) -> Json {
    match i64::try_from(value) {
        Ok(small) if value.abs() <= EXACT_MAX => Json::Number(small.into()),
        _ => Json::String(value.to_string()),
    }
}

/// Writes a scalar or an enum. Messages, lists and maps are not for here.
pub(crate) fn write(kind: &Kind, value: &Value) -> Json {
    match value {
        Value::Bool(b) => Json::Bool(*b),
        Value::I32(n) => Json::Number((*n).into()),
        Value::U32(n) => Json::Number((*n).into()),
        Value::I64(n) => wide((*n).into()),
        Value::U64(n) => wide((*n).into()),
        Value::F64(n) => write_float(*n),
        // The shortest text that reads back as the same 32 bits.
        Value::F32(n) => write_float(n.to_string().parse().unwrap_or(f64::from(*n))),
        Value::String(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => {
            Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::EnumNumber(number) => match kind {
            Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => Json::Null,
            Kind::Enum(of) => of
                .get_value(*number)
                .map_or_else(|| (*number).into(), |v| v.name().into()),
            _ => (*number).into(),
        },
        Value::Message(_) | Value::List(_) | Value::Map(_) => Json::Null,
    }
}

fn write_float(number: f64) -> Json {
    match serde_json::Number::from_f64(number) {
        Some(finite) => Json::Number(finite),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}
