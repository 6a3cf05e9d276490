//! Rules about fields.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::Lint;
use crate::json;
use crate::options::FieldOptions;

/// Units that a bare number of a Duration may count in.
const DURATION_UNITS: &[&str] = &["ms", "s"];

/// Checks the fields of a message; `sent`: as part of a request.
pub(super) fn of_message(lint: &mut Lint<'_>, message: &MessageDescriptor, sent: bool) {
    let mut connections = 0;
    for field in message.fields() {
        let scope = lint.scope(message.parent_pool());
        let options = scope.options.field(&field);
        if scope.docs.of(&field.parent_file(), field.path()).is_empty() {
            lint.report("text", field.full_name(), "has no comment");
        }
        connections += usize::from(!options.connection.is_empty());
        for fault in faults(&field, &options, sent) {
            lint.report("field", field.full_name(), fault);
        }
    }
    if connections > 1 {
        let text = "more than one field takes a connection";
        lint.report("field", message.full_name(), text);
    }
}

/// What is wrong with the options of a field.
fn faults(field: &FieldDescriptor, options: &FieldOptions, sent: bool) -> Vec<String> {
    let mut out = Vec::new();
    let kind = field.kind();
    let is_text = kind == Kind::String;
    let is_duration =
        matches!(&kind, Kind::Message(m) if m.full_name() == "google.protobuf.Duration");
    if let (Some(min), Some(max)) = (options.min, options.max)
        && min > max
    {
        out.push(format!("`min` {min} is above `max` {max}"));
    }
    let measurable = field.is_list()
        || field.is_map()
        || is_duration
        || !matches!(kind, Kind::Bool | Kind::Enum(_) | Kind::Message(_));
    if (options.min.is_some() || options.max.is_some()) && !measurable {
        out.push("`min` and `max` say nothing of this type".to_owned());
    }
    if !options.pattern.is_empty() {
        if let Err(e) = json::pattern(&options.pattern) {
            out.push(format!("`pattern` does not compile: {e}"));
        }
        if !is_text {
            out.push("`pattern` is only for text".to_owned());
        }
    }
    for (name, kind) in [
        ("path_kind", options.path_kind),
        ("url_kind", options.url_kind),
    ] {
        if kind != 0 && !is_text {
            out.push(format!("`{name}` is only for text"));
        }
    }
    if !options.connection.is_empty() && !is_text {
        out.push("`connection` is only for text".to_owned());
    }
    if !options.artifact.is_empty() && !is_text && kind != Kind::Bytes {
        out.push("`artifact` is only for bytes and text".to_owned());
    }
    if is_duration && !options.unit.is_empty() && !DURATION_UNITS.contains(&options.unit.as_str()) {
        out.push(format!("`{}` is no unit of a Duration", options.unit));
    }
    if !options.example.is_empty()
        && serde_json::from_str::<serde_json::Value>(&options.example).is_err()
    {
        out.push("`example` is no JSON".to_owned());
    }
    if sent && is_text {
        out.extend(missing_option(field.name(), options));
    }
    out
}

/// A text whose name tells what it is, without the option that tells the engine's layer.
fn missing_option(name: &str, options: &FieldOptions) -> Option<String> {
    let (option, given) = match name {
        "path" => ("path_kind", options.path_kind != 0),
        "url" => ("url_kind", options.url_kind != 0),
        "password" | "token" | "key" => ("secret", options.secret),
        _ => return None,
    };
    (!given).then(|| format!("a text named `{name}` needs `{option}`"))
}
