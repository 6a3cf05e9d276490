//! Text of a path or a query, as the JSON value that its field takes.

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::Value;

/// The value of a field, of one element of a list or of one value of a map.
///
/// Whether the value is in range, and what an enum or a bytes field takes, is checked
/// where all JSON is.
///
/// # Errors
/// What the field takes instead.
pub(crate) fn convert(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String | Kind::Bytes => Ok(text.into()),
        Kind::Bool => match text {
            "true" | "1" | "t" => Ok(true.into()),
            "false" | "0" | "f" => Ok(false.into()),
            _ => Err("takes `true` or `false`".to_owned()),
        },
        Kind::Double | Kind::Float => float(text),
        Kind::Enum(_) => Ok(text.parse::<i32>().map_or_else(|_| text.into(), Into::into)),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.FieldMask" => Ok(text.into()),
            // A bare number counts in the unit of the field.
            "google.protobuf.Duration" => Ok(whole(text).unwrap_or_else(|_| text.into())),
            "gearmesh.tool.v1.Json"
            | "google.protobuf.Value"
            | "google.protobuf.Struct"
            | "google.protobuf.ListValue"
            | "google.protobuf.Any" => {
                serde_json::from_str(text).map_err(|e| format!("takes JSON text: {e}"))
            }
            name => match wrapped(name, message.get_field_by_name("value")) {
                Some(field) => convert(&field.kind(), text),
                None => Err(
                    "takes an object; give its fields by themselves, as `FIELD.NAME`".to_owned(),
                ),
            },
        },
        _ => whole(text),
    }
}

/// The field of a wrapper.
fn wrapped(name: &str, value: Option<FieldDescriptor>) -> Option<FieldDescriptor> {
    value.filter(|_| name.starts_with("google.protobuf.") && name.ends_with("Value"))
}

fn whole(text: &str) -> Result<Value, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain {
        return Err("takes a whole number".to_owned());
    }
    let signed = text.parse::<i64>().map(Value::from);
    signed
        .or_else(|_| text.parse::<u64>().map(Value::from))
        .map_err(|_| "takes a whole number of at most 64 bits".to_owned())
}

fn float(text: &str) -> Result<Value, String> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Ok(text.into());
    }
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
    number
        .map(Value::from)
        .ok_or_else(|| "takes a number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &Kind, text: &str) -> String {
        convert(kind, text).map_or_else(|e| e, |v| v.to_string())
    }

    #[test]
    fn text_becomes_what_the_field_takes() {
        for (kind, text, expected) in [
            (Kind::Bool, "t", "true"),
            (Kind::Bool, "yes", "takes `true` or `false`"),
            (Kind::Int32, "-7", "-7"),
            (Kind::Int64, "+7", "takes a whole number"),
            (Kind::Int64, "0x7", "takes a whole number"),
            (Kind::Uint64, "18446744073709551615", "18446744073709551615"),
            (
                Kind::Uint64,
                "18446744073709551616",
                "takes a whole number of at most 64 bits",
            ),
            (Kind::Double, "1.5e3", "1500.0"),
            (Kind::Float, "Infinity", "\"Infinity\""),
            (Kind::Float, "inf", "takes a number"),
            (Kind::String, "7", "\"7\""),
        ] {
            assert_eq!(said(&kind, text), expected, "{kind:?} {text}");
        }
    }
}
