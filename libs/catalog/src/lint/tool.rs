//! Rules about what a tool says of itself.

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::Value;

use super::{Lint, is_of};
use crate::class::{Effect, Keyed, Latency, Narrow};
use crate::json::{self, ViolationKind};
use crate::options::{number, optional_flag};
use crate::tool::{Tool, Undo};
use crate::tool_options::{field, reachable};

/// Engines whose answers come from outside of the mesh.
const TAINTED: &[&str] = &["http"];

pub(super) fn check(lint: &mut Lint<'_>, tool: &Tool) {
    said(lint, tool);
    for narrow in &tool.narrow {
        self::narrow(lint, tool, narrow);
    }
    idempotency_level(lint, tool);
    examples(lint, tool);
    if let Some(undo) = &tool.undo {
        self::undo(lint, tool, undo);
    }
    stream(lint, tool);
    taint(lint, tool);
}

/// What must be written, whatever the default.
fn said(lint: &mut Lint<'_>, tool: &Tool) {
    let scope = lint.scope(tool.method.parent_pool());
    let Some(option) = scope.options.tool(&tool.method) else {
        return;
    };
    if number(&option, "effect") == 0 {
        lint.report("tool", &tool.id, "`effect` is not set");
    }
    let idempotent = optional_flag(&option, "idempotent") == Some(true);
    if number(&option, "keyed") == 0 && tool.effect != Effect::Read && !idempotent {
        lint.report("tool", &tool.id, "`keyed` is not set");
    }
    if tool.effect == Effect::Read && tool.undo.is_some() {
        lint.report("tool", &tool.id, "a READ has nothing to undo");
    }
    if tool.latency == Latency::Long && number(&option, "on_disconnect") == 0 {
        lint.report("long", &tool.id, "LONG without `on_disconnect`");
    }
}

fn narrow(lint: &mut Lint<'_>, tool: &Tool, narrow: &Narrow) {
    let mut report = |message: String| lint.report("tool", &tool.id, message);
    let name = &narrow.field;
    if narrow.values.is_empty() {
        report(format!("`narrow` of `{name}` names no values"));
    }
    if narrow.effect.is_none() && narrow.keyed.is_none() {
        report(format!("`narrow` of `{name}` changes nothing"));
    }
    let weaker = narrow.effect.is_some_and(|e| e > tool.effect)
        || narrow.keyed.is_some_and(|k| k > tool.keyed);
    if weaker {
        report(format!("`narrow` of `{name}` is weaker than the tool"));
    }
    let Some(field) = &narrow.descriptor else {
        report(format!(
            "`narrow` names `{name}`, which the request does not have"
        ));
        return;
    };
    let scalar = !field.is_list() && !field.is_map() && field.kind().as_message().is_none();
    if !scalar {
        report(format!("`narrow` names `{name}`, which is no scalar"));
        return;
    }
    for value in &narrow.values {
        let fits = match field.kind() {
            Kind::Enum(e) => e.get_value_by_name(value).is_some(),
            Kind::Bool => value == "true" || value == "false",
            Kind::String | Kind::Bytes => true,
            _ => value.parse::<f64>().is_ok(),
        };
        if !fits {
            report(format!(
                "`narrow` of `{name}` names `{value}`, which is none of its values"
            ));
        }
    }
}

fn idempotency_level(lint: &mut Lint<'_>, tool: &Tool) {
    let agrees = match number(&tool.method.options(), "idempotency_level") {
        1 => tool.effect == Effect::Read,
        2 => tool.idempotent,
        _ => true,
    };
    if !agrees {
        lint.report(
            "tool",
            &tool.id,
            "`idempotency_level` says otherwise than the tool",
        );
    }
}

fn examples(lint: &mut Lint<'_>, tool: &Tool) {
    if tool.examples.is_empty() {
        lint.report("examples", &tool.id, "has no example");
    }
    for example in &tool.examples {
        let title = &example.title;
        if title.is_empty() {
            lint.report("examples", &tool.id, "an example has no title");
        }
        let sides = [
            ("request", &example.request, tool.method.input()),
            ("response", &example.response, tool.method.output()),
        ];
        for (side, value, message) in sides {
            if !value.is_object() {
                lint.report(
                    "examples",
                    &tool.id,
                    format!("`{title}`: the {side} is no JSON object"),
                );
                continue;
            }
            for violation in json::check(&message, value, &|_| false) {
                // An answer is compared only on the keys that it names.
                if side == "request" || violation.kind != ViolationKind::Missing {
                    lint.report(
                        "examples",
                        &tool.id,
                        format!("`{title}`: {side}: {violation}"),
                    );
                }
            }
        }
        if has_secret_literal(lint, &tool.method.input(), &example.request) {
            lint.report(
                "examples",
                &tool.id,
                format!("`{title}`: a secret is written out"),
            );
        }
    }
}

/// Whether a request holds a secret that is no reference.
fn has_secret_literal(lint: &Lint<'_>, message: &MessageDescriptor, value: &Value) -> bool {
    let Some(given) = value.as_object() else {
        return false;
    };
    let options = &lint.scope(message.parent_pool()).options;
    given.iter().any(|(name, value)| {
        let Some(field) = field(message, name) else {
            return false;
        };
        if options.field(&field).secret {
            return texts(value).any(|t| !t.starts_with("vault://"));
        }
        match (field.kind(), value) {
            (Kind::Message(m), Value::Array(list)) => {
                list.iter().any(|v| has_secret_literal(lint, &m, v))
            }
            (Kind::Message(m), value) => has_secret_literal(lint, &m, value),
            _ => false,
        }
    })
}

/// The texts of a value and of what it holds directly.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let single = value.as_str().into_iter();
    let list = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let map = value
        .as_object()
        .into_iter()
        .flat_map(|o| o.values())
        .filter_map(Value::as_str);
    single.chain(list).chain(map)
}

fn undo(lint: &mut Lint<'_>, tool: &Tool, undo: &Undo) {
    let Some(found) = lint.catalog.get(&undo.tool) else {
        lint.report(
            "undo",
            &tool.id,
            format!("there is no tool `{}`", undo.tool),
        );
        return;
    };
    let target = found.tool.clone();
    if target.effect == Effect::Read || target.keyed == Keyed::AtMostOnce {
        lint.report(
            "undo",
            &tool.id,
            format!("`{}` cannot undo: READ or AT_MOST_ONCE", target.id),
        );
    }
    let (request, response) = (tool.method.input(), tool.method.output());
    let source = |name: &str| field(&response, name).or_else(|| field(&request, name));
    let wanted = target.method.input();
    for (to, from) in &undo.fields {
        if field(&wanted, to).is_none() {
            lint.report(
                "undo",
                &tool.id,
                format!("`{}` has no field `{to}`", target.id),
            );
        }
        if source(from).is_none() {
            lint.report(
                "undo",
                &tool.id,
                format!("neither answer nor request has `{from}`"),
            );
        }
    }
    for needed in wanted.fields() {
        let options = &lint.scope(wanted.parent_pool()).options;
        let named = |name: &str| name == needed.name() || name == needed.json_name();
        if !options.field(&needed).required || undo.fields.iter().any(|(to, _)| named(to)) {
            continue;
        }
        let fits = source(needed.name()).is_some_and(|f| same_type(&f.kind(), &needed.kind()));
        if !fits {
            let message = format!("nothing fills `{}` of `{}`", needed.name(), target.id);
            lint.report("undo", &tool.id, message);
        }
    }
}

/// Types may come from two pools, so messages are equal by name.
fn same_type(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Message(a), Kind::Message(b)) => a.full_name() == b.full_name(),
        (Kind::Enum(a), Kind::Enum(b)) => a.full_name() == b.full_name(),
        (a, b) => a == b,
    }
}

fn stream(lint: &mut Lint<'_>, tool: &Tool) {
    let (request, response) = (tool.method.input(), tool.method.output());
    let is_text = |message: &MessageDescriptor, name: &str| {
        field(message, name).is_some_and(|f| f.kind() == Kind::String && !f.is_list())
    };
    match &tool.resume_field {
        Some(name) if !is_text(&request, name) => {
            lint.report(
                "stream",
                &tool.id,
                format!("`{name}` is no text field of the request"),
            );
        }
        _ => {}
    }
    let is_bytes = response.full_name() == "google.api.HttpBody";
    if tool.streaming && !is_bytes && (tool.resume_field.is_none() || !is_text(&response, "cursor"))
    {
        lint.report(
            "stream",
            &tool.id,
            "a stream needs `resume_field`, and `cursor` in the answer",
        );
    }
    if tool.streaming && tool.client_streaming && tool.description == tool.summary {
        lint.report(
            "stream",
            &tool.id,
            "streams both ways, and the comment does not say why",
        );
    }
}

fn taint(lint: &mut Lint<'_>, tool: &Tool) {
    let response = tool.method.output();
    let options = &lint.scope(response.parent_pool()).options;
    let secrets: Vec<_> = reachable(&response)
        .iter()
        .flat_map(|m| m.fields().collect::<Vec<_>>())
        .filter(|f| options.field(f).secret)
        .map(|f| f.full_name().to_owned())
        .collect();
    for secret in secrets {
        lint.report(
            "secret",
            &tool.id,
            format!("the answer holds the secret `{secret}`"),
        );
    }
    if !is_of(tool, TAINTED) {
        return;
    }
    if !tool.untrusted {
        lint.report("taint", &tool.id, "no field of the answer is `untrusted`");
    }
    if tool.effect != Effect::Read && !tool.egress {
        lint.report("taint", &tool.id, "`egress` is not set");
    }
}
