//! The `triggers` of a workflow. What needs a clock (a `once` in the past, days that a zone skips)
//! is left to the server.

use std::collections::HashMap;

use serde_json::Map;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::input::InputSpec;
use crate::keys::{TRIGGER, TRIGGER_ANY, TRIGGER_KINDS};
use crate::names::sorted;
use crate::nearest::nearest;
use crate::node::Node;
use crate::source::Span;
use crate::task_kind::words;
use crate::tree::{Entry, Tree};
use crate::trigger::Trigger;
use crate::value::{Place, Reader};
use crate::{field, ids, params, schedule, source_kind};

/// Most triggers of a workflow: each is a schedule or a subscription of its own.
pub const TRIGGERS_MAX: usize = 100;

/// What a trigger takes from around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'w> {
    /// What a start gives; `None` when that is wrong.
    pub(crate) inputs: Option<&'w [InputSpec]>,
    /// Names and references.
    pub(crate) secrets: &'w [(String, String)],
    /// Whether the workflow says itself how many of its runs go at once.
    pub(crate) concurrency: bool,
}

/// Reads the list; `None` when something in it is wrong, which is reported.
pub(crate) fn read(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    around: &Around<'_>,
) -> Option<Vec<Trigger>> {
    let Some(items) = entry.value.list() else {
        field::unexpected(reader.report, entry, "the workflow", "a list of triggers");
        return None;
    };
    if items.len() > TRIGGERS_MAX {
        let message = format!(
            "the workflow has {} triggers; the limit is {TRIGGERS_MAX}",
            items.len()
        );
        reader
            .report
            .error("FILE_TOO_LARGE", entry.key_span, message);
        return None;
    }
    let mut ids: HashMap<&str, Span> = HashMap::new();
    let mut triggers = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        triggers.push(trigger(reader, item, position + 1, around, &mut ids));
    }
    triggers.into_iter().collect()
}

fn trigger<'t>(
    reader: &mut Reader<'_, '_, '_>,
    tree: &'t Tree,
    number: usize,
    around: &Around<'_>,
    ids: &mut HashMap<&'t str, Span>,
) -> Option<Trigger> {
    let owner = &format!("trigger {number}");
    let Some(entries) = tree.map() else {
        let expected = "a map as `{cron: \"30 2 * * *\"}`";
        field::unexpected_value(reader.report, tree, owner, expected);
        return None;
    };
    let fields = TRIGGER.check(reader.report, entries, owner);
    let id = fields
        .get("id")
        .and_then(|entry| id(reader.report, entry, owner, ids));
    let place = |path: &str| Place {
        run: false,
        ..Place::before(&format!("triggers[{}].{path}", number - 1))
    };
    let when = fields
        .get("when")
        .map(|entry| reader.condition(entry, &place("when"), owner));
    let inputs = inputs(reader, tree, &fields, around, owner, place("inputs"));
    let (kind, entry, allowed) = kind(reader.report, tree, &fields, owner)?;
    let mut settings = Map::new();
    for (key, entry) in fields.all() {
        if key == kind || TRIGGER_ANY.contains(&key) || TRIGGER_KINDS.iter().any(|k| k.0 == key) {
            continue;
        }
        if !allowed.contains(&key) {
            let message = format!("`{key}` of {owner} does not go with `{kind}`");
            reader.report.error("UNKNOWN_KEY", entry.key_span, message);
            continue;
        }
        settings.insert(key.to_owned(), entry.value.value());
    }
    let value = if allowed.is_empty() {
        source_kind::read(reader, kind, entry, owner, around.secrets)
    } else {
        schedule::check(
            reader.report,
            kind,
            entry,
            &fields,
            owner,
            around.concurrency,
        );
        fixed(reader.report, &entry.value, owner).then(|| entry.value.value())
    };
    Some(Trigger {
        id,
        kind: kind.to_owned(),
        value: value?,
        when: match when {
            Some(when) => Some(when?),
            None => None,
        },
        inputs: inputs?,
        settings,
    })
}

/// The name of a trigger, which no other of the file has.
fn id<'t>(
    report: &mut Report<'_>,
    entry: &'t Entry,
    owner: &str,
    ids: &mut HashMap<&'t str, Span>,
) -> Option<String> {
    let id = field::text(report, entry, owner)?;
    if let Some((reason, proposal)) = ids::fault(&id) {
        let message = format!("`{}`: {reason}; try `{proposal}`", quote(&id));
        report.error("INVALID_ID", entry.value.span, message);
    }
    if let Some(first) = ids.insert(entry.value.text()?, entry.value.span) {
        let line = report.line(first);
        let message = format!("`id: {}` is used twice (first at line {line})", quote(&id));
        report.error("DUPLICATE_ID", entry.value.span, message);
    }
    Some(id)
}

/// The one kind of a trigger, its value, and the settings that go with it.
fn kind<'t>(
    report: &mut Report<'_>,
    tree: &Tree,
    fields: &Fields<'t>,
    owner: &str,
) -> Option<(&'static str, &'t Entry, &'static [&'static str])> {
    let mut given = TRIGGER_KINDS
        .into_iter()
        .filter_map(|(kind, settings)| Some((kind, fields.get(kind)?, settings)));
    match (given.next(), given.next()) {
        (Some(one), None) => Some(one),
        (Some((first, ..)), Some((second, entry, _))) => {
            let message = format!("{owner} has `{first}` and `{second}`; give exactly one kind");
            report.error("TASK_KIND", entry.key_span, message);
            None
        }
        (None, _) => {
            let kinds = TRIGGER_KINDS.map(|(kind, _)| kind);
            if !kinds.iter().any(|kind| fields.may_have(kind)) {
                let start = Span::new(tree.span.start, tree.span.start);
                let message = format!("{owner} has no kind; give {}", words(&kinds, "or"));
                report.error("TASK_KIND", start, message);
            }
            None
        }
    }
}

/// What a trigger gives the inputs, which must know each of them and get all that they require.
fn inputs(
    reader: &mut Reader<'_, '_, '_>,
    tree: &Tree,
    fields: &Fields<'_>,
    around: &Around<'_>,
    owner: &str,
    mut place: Place<'_>,
) -> Option<Vec<(String, Node)>> {
    let none = Vec::new();
    let entries = match fields.get("inputs") {
        None => &none,
        Some(entry) => match &entry.value.data {
            crate::tree::Data::Map(entries) => entries,
            _ => {
                field::unexpected(reader.report, entry, owner, "a map of inputs");
                return None;
            }
        },
    };
    let nodes = reader.entries(entries, &mut place);
    let specs = around.inputs?;
    for entry in entries {
        let Some(spec) = specs.iter().find(|spec| spec.name == entry.key) else {
            unknown_input(reader.report, entry, specs);
            continue;
        };
        if fixed_value(&entry.value) {
            for fault in spec.faults(&entry.value.value()) {
                reader.report.error(
                    "INPUT_INVALID",
                    entry.value.span,
                    format!("{owner}: {fault}"),
                );
            }
        }
    }
    let given = |name: &str| entries.iter().any(|entry| entry.key == name);
    for spec in specs {
        if spec.required && spec.default.is_none() && spec.computed.is_none() && !given(&spec.name)
        {
            let start = Span::new(tree.span.start, tree.span.start);
            let message = format!(
                "{owner} does not give the input `{}`, which is required",
                spec.name
            );
            reader.report.error("INPUT_INVALID", start, message);
        }
    }
    nodes
}

fn unknown_input(report: &mut Report<'_>, entry: &Entry, specs: &[InputSpec]) {
    let near = if report.may_suggest() {
        nearest(
            &entry.key,
            sorted(specs.iter().map(|spec| spec.name.as_str())),
        )
    } else {
        None
    };
    let question = near.map_or_else(String::new, |near| {
        format!("; did you mean `{}`?", near.name)
    });
    let message = format!("no input is called `{}`{question}", quote(&entry.key));
    report.error("UNKNOWN_NAME", entry.key_span, message);
}

/// Whether nothing in a value is an expression.
fn fixed_value(tree: &Tree) -> bool {
    match &tree.data {
        crate::tree::Data::Text(text, _) => !params::is_dynamic(text),
        crate::tree::Data::List(items) => items.iter().all(fixed_value),
        crate::tree::Data::Map(entries) => entries.iter().all(|entry| fixed_value(&entry.value)),
        _ => true,
    }
}

/// Whether nothing in a value is an expression; one that has is reported: there is no run yet.
pub(crate) fn fixed(report: &mut Report<'_>, tree: &Tree, owner: &str) -> bool {
    let fixed = fixed_value(tree);
    if !fixed {
        let message = format!("{owner}: an expression cannot stand here; there is no run yet");
        report.error("INVALID_VALUE", tree.span, message);
    }
    fixed
}
