//! Rules about the shape of messages and enums.

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};

use super::{Lint, is_authored, route};
use crate::json::DEPTH_MAX;
use crate::options::number;
use crate::tool::Tool;
use crate::tool_options::reachable;

pub(super) fn of_tool(lint: &mut Lint<'_>, tool: &Tool) {
    for message in [tool.method.input(), tool.method.output()] {
        let within = reachable(&message);
        let recursive: Vec<_> = within.iter().filter(|m| route::is_recursive(m)).collect();
        for message in &recursive {
            let text = format!("`{}` holds itself", message.full_name());
            lint.report("schema", &tool.id, text);
        }
        if recursive.is_empty() {
            let depth = depth(&message);
            if depth > DEPTH_MAX {
                let text = format!(
                    "`{}` is {depth} messages deep, more than {DEPTH_MAX}",
                    message.full_name()
                );
                lint.report("schema", &tool.id, text);
            }
        }
        for message in within.iter().filter(|m| is_authored(m)) {
            free_form(lint, message);
        }
    }
}

/// Messages within messages, with itself; must not be recursive. The depth of a message
/// is looked up when it was reached before, so that a lattice of messages costs no more
/// than its edges.
fn depth(message: &MessageDescriptor) -> usize {
    fn of(
        message: &MessageDescriptor,
        known: &mut std::collections::HashMap<String, usize>,
    ) -> usize {
        if message.full_name().starts_with("google.protobuf.") {
            return 0;
        }
        if let Some(depth) = known.get(message.full_name()) {
            return *depth;
        }
        let deepest = message
            .fields()
            .filter_map(|f| match f.kind() {
                Kind::Message(m) if m.is_map_entry() => match m.map_entry_value_field().kind() {
                    Kind::Message(value) => Some(value),
                    _ => None,
                },
                Kind::Message(m) => Some(m),
                _ => None,
            })
            .map(|child| of(&child, known))
            .max();
        let depth = 1 + deepest.unwrap_or_default();
        known.insert(message.full_name().to_owned(), depth);
        depth
    }
    of(message, &mut std::collections::HashMap::new())
}

fn free_form(lint: &mut Lint<'_>, message: &MessageDescriptor) {
    for field in message.fields() {
        let kind = match field.kind() {
            Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let Kind::Message(of) = kind else { continue };
        match of.full_name() {
            "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => {
                let text = format!(
                    "`{}` loses integers: use `gearmesh.tool.v1.Json`",
                    of.name()
                );
                lint.report("schema", field.full_name(), text);
            }
            "google.protobuf.Any" => {
                let docs = &lint.scope(message.parent_pool()).docs;
                let comment = docs.of(&field.parent_file(), field.path());
                if !comment.contains("because") {
                    let text = "`Any` without a `because` in the comment";
                    lint.report("schema", field.full_name(), text);
                }
            }
            _ => {}
        }
    }
}

pub(super) fn of_enum(lint: &mut Lint<'_>, of: &EnumDescriptor) {
    let zero = of.values().find(|v| v.number() == 0);
    if !zero.is_some_and(|v| v.name().ends_with("_UNSPECIFIED")) {
        let text = "the value 0 does not end in `_UNSPECIFIED`";
        lint.report("enum", of.full_name(), text);
    }
    let is_fault = of.name().ends_with("Fault");
    for value in of.values() {
        let scope = lint.scope(of.parent_pool());
        let fault = scope.options.fault(&value);
        if scope.docs.of(&of.parent_file(), value.path()).is_empty() {
            lint.report("text", value.full_name(), "has no comment");
        }
        let has_code = fault.is_some_and(|f| number(&f, "code") != 0);
        if is_fault && value.number() != 0 && !has_code {
            let text = "a fault needs the option `fault` with a code";
            lint.report("enum", value.full_name(), text);
        }
    }
}
