//! From an RPC and its option to a tool.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value};

use crate::builder::{self, Descriptors};
use crate::class::{Approval, Effect, Keyed, Latency, Narrow};
use crate::docs;
use crate::error::Error;
use crate::fault::FaultInfo;
use crate::json::{self, Direction};
use crate::names;
use crate::options::{Options, duration, flag, messages, number, optional_flag, text, texts};
use crate::route::Binding;
use crate::tool::{Alias, ConnectionField, Example, Tool, Undo};

/// `OnDisconnect.ON_DISCONNECT_DETACH`.
const DETACH: i32 = 2;

/// What a tool is read in.
pub(crate) struct Context<'a> {
    pub(crate) descriptors: &'a Descriptors<'a>,
    pub(crate) engine: &'a str,
    pub(crate) path: &'a str,
    pub(crate) faults: Arc<[FaultInfo]>,
}

/// The tool of an RPC that carries the option.
pub(crate) fn read(
    context: &Context<'_>,
    method: &MethodDescriptor,
    option: &DynamicMessage,
) -> Result<Tool, Error> {
    let request = method.input();
    // An effect that is not said counts as the worst; the lint refuses it.
    let effect = Effect::of(number(option, "effect")).unwrap_or(Effect::Destructive);
    let idempotent = optional_flag(option, "idempotent");
    let keyed = Keyed::of(number(option, "keyed")).unwrap_or_else(|| {
        if effect == Effect::Read || idempotent == Some(true) {
            Keyed::Idempotent
        } else {
            Keyed::AtMostOnce
        }
    });
    let latency = Latency::of(number(option, "latency"));
    let (timeout, timeout_max) = timeouts(latency);
    let timeout = duration(option, "timeout").unwrap_or(timeout);
    let id = format!("{}.{}", context.engine, names::snake_case(method.name()));
    let base = plain(context, method, id);
    Ok(Tool {
        summary: Some(text(option, "summary"))
            .filter(|s| !s.is_empty())
            .unwrap_or_else(|| base.summary.clone()),
        effect,
        keyed,
        idempotent: idempotent.unwrap_or(effect == Effect::Read || keyed == Keyed::Idempotent),
        latency,
        timeout,
        timeout_max: timeout_max.max(timeout),
        detach: number(option, "on_disconnect") == DETACH,
        undo: undo(&text(option, "undo")),
        aliases: aliases(option, &base.id, &request)?,
        approval: Approval::of(number(option, "approval")).unwrap_or(match effect {
            Effect::Read | Effect::Write => Approval::Auto,
            Effect::Destructive => Approval::Confirm,
        }),
        egress: flag(option, "egress"),
        resume_field: Some(text(option, "resume_field"))
            .filter(|f| !f.is_empty())
            .map(|f| field(&request, &f).map_or(f, |d| d.json_name().to_owned())),
        examples: examples(option),
        narrow: narrow(option, &request),
        peers: texts(option, "peers"),
        routes: builder::routes(&context.descriptors.options, context.engine, method),
        foreign: false,
        ..base
    })
}

/// The tool of an RPC of a foreign engine that carries no option: of the weakest class.
/// `ambiguous`: another service of the engine has an RPC of this name.
pub(crate) fn foreign(context: &Context<'_>, method: &MethodDescriptor, ambiguous: bool) -> Tool {
    let mut verb = names::snake_case(method.name());
    let mut route = Binding::derived(context.engine, method);
    if ambiguous {
        let service = method.parent_service().name();
        let service = names::snake_case(service.strip_suffix("Service").unwrap_or(service));
        verb = format!("{service}_{verb}");
        route.template = format!("/v1/{}/{}", context.engine, verb.replace('_', "-"));
    }
    let mut tool = plain(context, method, format!("{}.{verb}", context.engine));
    tool.routes = vec![route];
    tool
}

/// What follows from the RPC alone, with the weakest class.
fn plain(context: &Context<'_>, method: &MethodDescriptor, id: String) -> Tool {
    let Descriptors {
        options, schemas, ..
    } = context.descriptors;
    let (request, response) = (method.input(), method.output());
    let description = schemas.docs.of(&method.parent_file(), method.path());
    let (timeout, timeout_max) = timeouts(Latency::Short);
    Tool {
        engine: context.engine.to_owned(),
        service: method.parent_service().full_name().to_owned(),
        path: context.path.to_owned(),
        summary: docs::summary(&description).to_owned(),
        description,
        effect: Effect::Destructive,
        keyed: Keyed::AtMostOnce,
        idempotent: false,
        latency: Latency::Short,
        timeout,
        timeout_max,
        detach: false,
        undo: None,
        aliases: Vec::new(),
        approval: Approval::Confirm,
        egress: true,
        untrusted: context.is_foreign_response(method) || untrusted(options, &response),
        resume_field: None,
        examples: Vec::new(),
        narrow: Vec::new(),
        peers: Vec::new(),
        routes: Vec::new(),
        streaming: method.is_server_streaming(),
        client_streaming: method.is_client_streaming(),
        connection: connection(options, &request),
        input_schema: schemas.of(&request, Direction::In),
        output_schema: schemas.of(&response, Direction::Out),
        foreign: true,
        deprecated: flag(&method.options(), "deprecated"),
        faults: context.faults.clone(),
        method: method.clone(),
        id,
    }
}

impl Context<'_> {
    /// Whatever a foreign engine answers is from outside.
    fn is_foreign_response(&self, method: &MethodDescriptor) -> bool {
        self.descriptors.options.tool(method).is_none()
    }
}

/// Deadline without and longest deadline with the caller's wish.
fn timeouts(latency: Latency) -> (Duration, Duration) {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    match latency {
        Latency::Instant => (Duration::from_secs(5), Duration::from_secs(30)),
        Latency::Short => (Duration::from_secs(30), minutes(10)),
        Latency::Long => (minutes(10), minutes(24 * 60)),
    }
}

/// `file.delete(path=destination)` -> tool and fields.
fn undo(text: &str) -> Option<Undo> {
    if text.is_empty() {
        return None;
    }
    let (tool, fields) = text.split_once('(').unwrap_or((text, ""));
    let fields = fields
        .trim_end()
        .trim_end_matches(')')
        .split(',')
        .filter_map(|pair| {
            let (to, from) = pair.split_once('=')?;
            Some((to.trim().to_owned(), from.trim().to_owned()))
        })
        .collect();
    Some(Undo {
        tool: tool.trim().to_owned(),
        fields,
    })
}

fn aliases(
    option: &DynamicMessage,
    tool: &str,
    request: &MessageDescriptor,
) -> Result<Vec<Alias>, Error> {
    messages(option, "aliases")
        .iter()
        .map(|alias| {
            let name = text(alias, "name");
            let mut preset = Vec::new();
            for (key, value) in preset_texts(alias) {
                let value =
                    preset_value(request, &key, value).map_err(|message| Error::Preset {
                        alias: name.clone(),
                        tool: tool.to_owned(),
                        field: key.clone(),
                        message,
                    })?;
                preset.push(value);
            }
            Ok(Alias {
                name,
                preset,
                listed: flag(alias, "listed"),
            })
        })
        .collect()
}

/// The preset as written, sorted by field.
fn preset_texts(alias: &DynamicMessage) -> Vec<(String, String)> {
    let value = alias.get_field_by_name("preset");
    let map = value.as_deref().and_then(|v| v.as_map());
    let mut out: Vec<_> = map
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.as_str()?.to_owned())))
        .collect();
    out.sort();
    out
}

/// A fixed field by its JSON name, as a value that its type takes.
fn preset_value(
    request: &MessageDescriptor,
    name: &str,
    text: String,
) -> Result<(String, Value), String> {
    let field = field(request, name).ok_or("the request has no such field")?;
    let value = match field.kind() {
        Kind::String | Kind::Bytes | Kind::Enum(_) => Value::String(text),
        Kind::Message(m) if !json::is_open(m.full_name()) => Value::String(text),
        _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    };
    let params = Value::Object(Map::from_iter([(field.json_name().to_owned(), value)]));
    let faults = json::check(request, &params, &|_| false);
    let own = faults
        .iter()
        .find(|f| f.kind != json::ViolationKind::Missing || f.path == field.json_name());
    match (own, params) {
        (None, Value::Object(map)) => map.into_iter().next().ok_or_else(String::new),
        (fault, _) => Err(fault.map(|f| f.message.clone()).unwrap_or_default()),
    }
}

fn examples(option: &DynamicMessage) -> Vec<Example> {
    let parse = |text: String| serde_json::from_str(&text).unwrap_or_default();
    messages(option, "examples")
        .iter()
        .map(|e| Example {
            title: text(e, "title"),
            request: parse(text(e, "request")),
            response: parse(text(e, "response")),
        })
        .collect()
}

fn narrow(option: &DynamicMessage, request: &MessageDescriptor) -> Vec<Narrow> {
    messages(option, "narrow")
        .iter()
        .map(|n| {
            let name = text(n, "field");
            let descriptor = field(request, &name);
            Narrow {
                field: descriptor
                    .as_ref()
                    .map_or(name, |d| d.json_name().to_owned()),
                values: texts(n, "values"),
                effect: Effect::of(number(n, "effect")),
                keyed: Keyed::of(number(n, "keyed")),
                descriptor,
            }
        })
        .collect()
}

/// A field by either spelling.
pub(crate) fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message
        .get_field_by_name(name)
        .or_else(|| message.get_field_by_json_name(name))
}

/// The first field of a request that names a connection.
fn connection(options: &Options, request: &MessageDescriptor) -> Option<ConnectionField> {
    request.fields().find_map(|f| {
        let kind = options.field(&f).connection;
        (!kind.is_empty()).then(|| ConnectionField {
            field: f.json_name().to_owned(),
            kind,
        })
    })
}

/// Whether any field of a response, at any depth, holds text from outside.
fn untrusted(options: &Options, response: &MessageDescriptor) -> bool {
    reachable(response)
        .iter()
        .any(|message| message.fields().any(|f| options.field(&f).untrusted))
}

/// A message and every message within it, each once.
pub(crate) fn reachable(message: &MessageDescriptor) -> Vec<MessageDescriptor> {
    let mut seen = HashSet::from([message.full_name().to_owned()]);
    let mut out = vec![message.clone()];
    let mut at = 0;
    while let Some(message) = out.get(at).cloned() {
        at += 1;
        for field in message.fields() {
            if let Kind::Message(child) = field.kind()
                && seen.insert(child.full_name().to_owned())
            {
                out.push(child);
            }
        }
    }
    out
}
