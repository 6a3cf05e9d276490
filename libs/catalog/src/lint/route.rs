//! Rules about HTTP routes and what queries can reach.

use std::collections::HashSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::Lint;
use crate::catalog::Rpc;
use crate::class::Effect;
use crate::route::Binding;
use crate::tool_options::{field, reachable};

pub(super) fn check(lint: &mut Lint<'_>, rpc: &Rpc) {
    for binding in rpc.routes.iter().filter(|r| !r.derived) {
        fields(lint, rpc, binding);
        query(lint, rpc, binding);
        let reads = rpc.tool.as_ref().is_none_or(|t| t.effect == Effect::Read);
        if binding.method == "GET" && !reads {
            lint.report("route", &rpc.path, "GET is only for READ");
        }
    }
}

fn fields(lint: &mut Lint<'_>, rpc: &Rpc, binding: &Binding) {
    let (request, response) = (rpc.method.input(), rpc.method.output());
    let mut named = vec![
        ("body", binding.body.as_str(), &request),
        ("response_body", binding.response_body.as_str(), &response),
    ];
    named.retain(|(_, name, _)| !name.is_empty() && *name != "*");
    for (what, name, message) in named {
        if field(message, name).is_none() {
            let message = format!(
                "`{what}` names `{name}`, which `{}` does not have",
                message.name()
            );
            lint.report("route", &rpc.path, message);
        }
    }
    for variable in binding.variables() {
        let Some(field) = nested(&request, variable) else {
            let message = format!("`{{{variable}}}` is no field of `{}`", request.name());
            lint.report("route", &rpc.path, message);
            continue;
        };
        let options = lint.scope(request.parent_pool()).options.field(&field);
        if field.is_list() || field.is_map() || is_object(&field) {
            lint.report("route", &rpc.path, format!("`{{{variable}}}` is no scalar"));
        }
        if !options.required {
            lint.report(
                "route",
                &rpc.path,
                format!("`{{{variable}}}` is not REQUIRED"),
            );
        }
        if options.secret {
            lint.report("route", &rpc.path, format!("`{{{variable}}}` is secret"));
        }
    }
}

/// A field by a path such as `a.b.c`.
fn nested(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let mut message = message.clone();
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let found = field(&message, step)?;
        if steps.peek().is_none() {
            return Some(found);
        }
        message = found.kind().as_message()?.clone();
    }
    None
}

/// Whether a field holds a message that is no scalar in JSON either.
fn is_object(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(m) => !m.full_name().starts_with("google.protobuf."),
        _ => false,
    }
}

/// What neither path nor body holds comes from the query.
fn query(lint: &mut Lint<'_>, rpc: &Rpc, binding: &Binding) {
    if binding.body == "*" {
        return;
    }
    let in_path: HashSet<&str> = binding.variables().collect();
    let request = rpc.method.input();
    let free = request
        .fields()
        .filter(|f| f.name() != binding.body && !in_path.contains(f.name()));
    for field in free.collect::<Vec<_>>() {
        let options = &lint.scope(request.parent_pool()).options;
        let mut secrets: Vec<String> = Vec::new();
        let mut recursive = false;
        if options.field(&field).secret {
            secrets.push(field.name().to_owned());
        }
        if let Kind::Message(message) = field.kind() {
            let within = reachable(&message);
            recursive = within.iter().any(is_recursive);
            let below = within.iter().flat_map(|m| m.fields().collect::<Vec<_>>());
            let below = below.filter(|f| options.field(f).secret);
            secrets.extend(below.map(|f| f.full_name().to_owned()));
        }
        for secret in secrets {
            lint.report(
                "query",
                &rpc.path,
                format!("the query can hold the secret `{secret}`"),
            );
        }
        if recursive {
            let message = format!("`{}` of the query holds itself", field.name());
            lint.report("query", &rpc.path, message);
        }
    }
}

/// Whether a message can hold one of its own type. The free-form types of google can,
/// but are text in a query.
pub(super) fn is_recursive(message: &MessageDescriptor) -> bool {
    !message.full_name().starts_with("google.protobuf.")
        && !message.is_map_entry()
        && message.fields().any(|f| match f.kind() {
            Kind::Message(child) => reachable(&child).contains(message),
            _ => false,
        })
}

/// No wildcard of one package covers a literal of another.
pub(super) fn shadows(lint: &mut Lint<'_>, rpcs: &[&Rpc]) {
    let routes: Vec<(&Rpc, &Binding, String)> = rpcs
        .iter()
        .flat_map(|rpc| rpc.routes.iter().map(|r| (*rpc, r, r.shape())))
        .collect();
    let package = |rpc: &Rpc| rpc.method.parent_service().package_name().to_owned();
    let wild: Vec<_> = routes.iter().filter(|(_, _, s)| s.contains('*')).collect();
    for (rpc, binding, shape) in wild {
        for (other, literal, other_shape) in &routes {
            if binding.method == literal.method
                && package(rpc) != package(other)
                && covers(shape, other_shape)
            {
                let message = format!(
                    "`{}` covers `{}` of `{}`",
                    binding.template, literal.template, other.path
                );
                lint.report("route", &rpc.path, message);
            }
        }
    }
}

/// Whether a path of the literal template could match the wildcards of the other.
fn covers(wild: &str, literal: &str) -> bool {
    let (wild, wild_verb) = verb(wild);
    let (literal, literal_verb) = verb(literal);
    if wild_verb != literal_verb {
        return false;
    }
    let mut theirs = literal.split('/');
    let mut by_wildcard = false;
    for segment in wild.split('/') {
        if segment == "**" {
            return true;
        }
        match (segment, theirs.next()) {
            (_, None) => return false,
            ("*", Some(other)) => by_wildcard |= !other.contains('*'),
            (mine, Some(other)) if mine == other => {}
            _ => return false,
        }
    }
    by_wildcard && theirs.next().is_none()
}

/// A template without its verb, and the verb.
fn verb(template: &str) -> (&str, &str) {
    let last = template.rfind('/').unwrap_or_default();
    match template[last..].find(':') {
        Some(at) => template.split_at(last + at),
        None => (template, ""),
    }
}
