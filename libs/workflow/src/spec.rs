//! The inputs that a file declares.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{Report, quote};
use crate::field;
use crate::graph::Edges;
use crate::input::{InputSpec, compile};
use crate::names::Names;
use crate::nearest::nearest;
use crate::node::Node;
use crate::tree::{Data, Entry, Tree};
use crate::value::{Place, Reader, Used};

/// Most inputs of a workflow: a checker is made for each.
pub const INPUTS_MAX: usize = 1_000;

/// Reads `inputs`; `None` when one of them is wrong, which is reported then.
pub(crate) fn read(report: &mut Report<'_>, entry: &Entry) -> Option<Vec<InputSpec>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(report, entry, "the workflow", "a map of inputs");
        return None;
    };
    if entries.len() > INPUTS_MAX {
        let message = format!(
            "the workflow has {} inputs; the limit is {INPUTS_MAX}",
            entries.len()
        );
        report.error("FILE_TOO_LARGE", entry.key_span, message);
        return None;
    }
    let specs: Vec<Option<InputSpec>> = entries.iter().map(|input| spec(report, input)).collect();
    specs.into_iter().collect()
}

fn spec(report: &mut Report<'_>, input: &Entry) -> Option<InputSpec> {
    let owner = format!("input `{}`", quote(&input.key));
    let named = !input.key.is_empty()
        && input
            .key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !named || input.key.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!(
            "`{}`: an input has letters, digits and `_` only",
            quote(&input.key)
        );
        report.error("INVALID_ID", input.key_span, message);
        return None;
    }
    let Some(entries) = input.value.map() else {
        field::unexpected_value(report, &input.value, &owner, "a schema as `{type: string}`");
        return None;
    };
    if !known_type(report, &input.value, &owner) {
        return None;
    }
    let (mut schema, mut required, mut sensitive, mut whole) = (Map::new(), false, false, true);
    for entry in entries {
        match entry.key.as_str() {
            // A list is the keyword of JSON Schema, for the keys of a map.
            "required" if entry.value.list().is_none() => {
                match field::boolean(report, entry, &owner) {
                    Some(value) => required = value,
                    None => whole = false,
                }
            }
            "sensitive" => match field::boolean(report, entry, &owner) {
                Some(value) => sensitive = value,
                None => whole = false,
            },
            "default" => {}
            key => {
                schema.insert(key.to_owned(), entry.value.value());
            }
        }
    }
    let schema = Value::Object(schema);
    let validator = match compile(&schema) {
        Ok(validator) => Arc::new(validator),
        Err(fault) => {
            report.error(
                "INPUT_INVALID",
                input.value.span,
                format!("{owner} has no valid schema: {fault}"),
            );
            return None;
        }
    };
    let default = input.value.get("default");
    let later = default.filter(|tree| is_computed(tree));
    let default = default.filter(|tree| !is_computed(tree));
    let node = later.map(|tree| computed(report, tree, &owner));
    whole &= !matches!(node, Some(None));
    let spec = InputSpec {
        name: input.key.clone(),
        schema,
        required,
        sensitive,
        default: default.map(Tree::value),
        computed: node.flatten(),
        validator,
    };
    if let (Some(default), Some(tree)) = (&spec.default, default.filter(|_| whole)) {
        for fault in spec.faults(default) {
            report.error("INPUT_INVALID", tree.span, format!("default of {fault}"));
            whole = false;
        }
    }
    whole.then_some(spec)
}

/// The types of JSON Schema, and what people call them.
const TYPES: [(&str, &[&str]); 7] = [
    ("string", &["text", "str"]),
    ("integer", &["int", "whole"]),
    ("number", &["float", "double", "decimal"]),
    ("boolean", &["bool"]),
    ("array", &["list"]),
    ("object", &["map", "dict"]),
    ("null", &[]),
];

/// Whether the `type` of an input is one; another is reported.
fn known_type(report: &mut Report<'_>, input: &Tree, owner: &str) -> bool {
    let Some(tree) = input.get("type") else {
        return true;
    };
    let Some(name) = tree.text() else { return true };
    if TYPES.iter().any(|(known, _)| *known == name) {
        return true;
    }
    let other = TYPES
        .iter()
        .find(|(_, others)| others.contains(&name))
        .map(|(known, _)| *known);
    let near = nearest(name, TYPES.iter().map(|(known, _)| *known)).map(|near| near.name);
    let meant = other.or(near);
    let question = meant
        .map(|meant| format!("; did you mean `{meant}`?"))
        .unwrap_or_default();
    let message = format!("{owner}: no type is called `{}`{question}", quote(name));
    let word = meant.map(|meant| report.word_at(tree.span, meant));
    let diagnostic = report.error("INPUT_INVALID", tree.span, message);
    if let Some(word) = word {
        diagnostic.edit(tree.span, word);
    }
    false
}

/// Whether a value has an expression in it.
fn is_computed(tree: &Tree) -> bool {
    match &tree.data {
        Data::Text(text, _) => text.contains("${"),
        Data::List(items) => items.iter().any(is_computed),
        Data::Map(entries) => entries.iter().any(|entry| is_computed(&entry.value)),
        _ => false,
    }
}

/// A default with expressions, which know `now` only; others are reported.
fn computed(report: &mut Report<'_>, tree: &Tree, owner: &str) -> Option<Node> {
    let names = Names::default();
    let mut reader = Reader {
        report,
        names: &names,
        edges: Edges::default(),
        used: Used::default(),
    };
    let mut place = Place {
        run: false,
        ..Place::before("default")
    };
    let node = reader.node(tree, &mut place)?;
    if let Some(root) = other_root(&node) {
        let message = format!(
            "`default` of {owner} names `{}`; it knows `now` only",
            quote(&root)
        );
        report.error("UNKNOWN_NAME", tree.span, message);
        return None;
    }
    Some(node)
}

/// A name of an expression that is not `now`.
fn other_root(node: &Node) -> Option<String> {
    match node {
        Node::Text(template) => template
            .expressions()
            .flat_map(|(expression, _)| expression.roots())
            .find(|root| root.name != "now")
            .map(|root| root.name.clone()),
        Node::List(items) => items.iter().find_map(other_root),
        Node::Map(entries) => entries.iter().find_map(|(_, node)| other_root(node)),
        _ => None,
    }
}
