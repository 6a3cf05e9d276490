//! The dialect of Ordinaut: a task with a schedule and a pipeline of steps.
//!
//! It becomes a workflow like any other: each step needs the one before, a skipped step does not
//! stop the next, and expressions over `now`, `params`, `steps` and `trigger` are written over in
//! our own names when the document is read, so that nothing behind the reader knows the dialect.

mod arithmetic;
mod expression;
mod head;
mod missing;
mod names;
mod schedule;
mod step;
mod value;

use std::collections::HashMap;

use gearmesh_catalog::Catalog;

pub(crate) use self::expression::{Use, translate, translate_condition};
use self::head::Head;
pub(crate) use self::head::name;
pub use self::names::TASK_PREFIX;
use self::names::root;
pub(crate) use self::names::{Names, Saved, identifier};
use self::step::Steps;
use self::value::{INVALID, wrong};
use crate::diagnostic::{Report, quote};
use crate::graph::Edges;
use crate::input::{InputSpec, compile};
use crate::model::Workflow;
use crate::source::{Dialect, Span, TASKS_MAX};
use crate::spec::INPUTS_MAX;
use crate::tree::{Data, Entry, Tree};

/// The workflow of a document; `None` when it has faults, which are reported then.
pub(crate) fn read(
    report: &mut Report<'_>,
    root: &Tree,
    catalog: Option<&Catalog>,
) -> Option<Workflow> {
    if root.map().is_none() {
        wrong(report, root, "the task", "a map");
        return None;
    }
    let (trees, params) = (pipeline(report, root), params(root));
    let inputs = inputs(report, params);
    let head = Head::read(report, root, params);
    let saved = saved(trees);
    ids(report, &saved, trees);
    let mut edges = Edges::default();
    let steps = Steps {
        catalog,
        head: &head,
        names: Names {
            steps: &saved,
            before: 0,
            params,
            input: identifier,
        },
    };
    let mut tasks = Vec::with_capacity(trees.len());
    for (position, tree) in trees.iter().enumerate() {
        tasks.push(steps.read(report, &mut edges, position, tree));
    }
    warn_of_keys(report, root, trees);
    if report.failed() {
        return None;
    }
    let tasks: Vec<_> = tasks.into_iter().collect::<Option<_>>()?;
    let graph = edges.into_graph(tasks.len()).ok()?;
    Some(Workflow {
        title: head.title,
        description: head.description,
        triggers: head.triggers,
        concurrency: head.concurrency,
        priority: head.priority,
        dedupe: head.dedupe,
        inputs: inputs?,
        ..Workflow::new(head.name, Dialect::Ordinaut, tasks, graph)
    })
}

/// The steps: of `payload`, or of a document that is a payload alone.
pub(crate) fn steps(root: &Tree) -> Option<&Tree> {
    let payload = root
        .get("payload")
        .and_then(|payload| payload.get("pipeline"));
    payload.or_else(|| root.get("pipeline"))
}

fn pipeline<'t>(report: &mut Report<'_>, root: &'t Tree) -> &'t [Tree] {
    let Some(tree) = steps(root) else {
        let place = root
            .get("payload")
            .map_or(Span::new(root.span.start, root.span.start), |payload| {
                payload.span
            });
        report
            .error(INVALID, place, "the task has no `payload.pipeline`")
            .hint("as in `\"payload\": {\"pipeline\": []}`");
        return &[];
    };
    match tree.list() {
        Some(items) if items.len() > TASKS_MAX => {
            let message = format!(
                "`pipeline` has {} steps; the limit is {TASKS_MAX}",
                items.len()
            );
            report.error(INVALID, tree.span, message);
            &[]
        }
        Some(items) => items,
        None => {
            wrong(report, tree, "`pipeline`", "a list of steps");
            &[]
        }
    }
}

/// What `params` in expressions means: names with the values that stand unless a start gives others.
pub(crate) fn params(root: &Tree) -> &[Entry] {
    let payload = root
        .get("payload")
        .and_then(|payload| payload.get("params"));
    let params = payload.or_else(|| root.get("params"));
    params.and_then(Tree::map).unwrap_or_default()
}

fn inputs(report: &mut Report<'_>, params: &[Entry]) -> Option<Vec<InputSpec>> {
    if params.len() > INPUTS_MAX {
        let message = format!(
            "there are {} params; the limit is {INPUTS_MAX}",
            params.len()
        );
        report.error(INVALID, Span::default(), message);
        return None;
    }
    params.iter().map(input).collect()
}

fn input(param: &Entry) -> Option<InputSpec> {
    let schema = schema(&param.value);
    let validator = compile(&schema).ok()?;
    Some(InputSpec {
        name: param.key.clone(),
        schema,
        required: false,
        sensitive: false,
        default: Some(param.value.value()),
        computed: None,
        validator: validator.into(),
    })
}

/// The type of the default, so that a command line reads what it is given as that.
pub(crate) fn schema(default: &Tree) -> serde_json::Value {
    let name = match &default.data {
        Data::Bool(_) => "boolean",
        Data::Number(_) => "number",
        Data::Text(..) => "string",
        Data::List(_) => "array",
        Data::Map(_) => "object",
        Data::Null | Data::Broken => return serde_json::json!({}),
    };
    serde_json::json!({ "type": name })
}

/// Ids of the steps and the names under which they keep their results.
pub(crate) fn saved(steps: &[Tree]) -> Vec<Saved> {
    let text = |step: &Tree, key: &str| {
        let text = step.get(key).and_then(Tree::text);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let saved = steps.iter().enumerate().map(|(position, step)| {
        let id = text(step, "id").unwrap_or_else(|| format!("step_{}", position + 1));
        Saved {
            root: root(&id),
            id,
            save_as: text(step, "save_as"),
            conditional: step
                .get("if")
                .is_some_and(|when| !matches!(when.data, Data::Null)),
        }
    });
    saved.collect()
}

fn ids(report: &mut Report<'_>, saved: &[Saved], steps: &[Tree]) {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(saved.len());
    for (position, (step, tree)) in saved.iter().zip(steps).enumerate() {
        let place = |tree: &Tree| tree.get("id").map_or(tree.span, |id| id.span);
        let Some(&first) = seen.get(step.id.as_str()) else {
            seen.insert(&step.id, position);
            continue;
        };
        let line = report.line(steps.get(first).map_or(tree.span, place));
        let message = format!(
            "`id: {}` is used twice (first at line {line})",
            quote(&step.id)
        );
        report.error("DUPLICATE_ID", place(tree), message);
    }
}

/// Keys of a document, of its payload, and of a step.
const TASK: [&str; 17] = [
    "title",
    "description",
    "schedule_kind",
    "schedule_expr",
    "timezone",
    "payload",
    "pipeline",
    "params",
    "status",
    "priority",
    "dedupe_key",
    "dedupe_window_seconds",
    "max_retries",
    "backoff_strategy",
    "concurrency_key",
    "created_by",
    "id",
];
const PAYLOAD: [&str; 2] = ["pipeline", "params"];
const STEP: [&str; 8] = [
    "id",
    "uses",
    "with",
    "save_as",
    "if",
    "timeout_seconds",
    "timeout",
    "max_retries",
];

/// Whether anyone may use the key for purposes of their own.
fn is_free(key: &str) -> bool {
    key.starts_with("x-") || key == "$schema"
}

/// Warns of every key that has no meaning in a document: it is left out.
fn warn_of_keys(report: &mut Report<'_>, root: &Tree, steps: &[Tree]) {
    let mut unknown = |known: &[&str], tree: Option<&Tree>, owner: &str| {
        for entry in tree.and_then(Tree::map).unwrap_or_default() {
            if known.contains(&entry.key.as_str()) || is_free(&entry.key) {
                continue;
            }
            let message = format!("unknown key `{}` in {owner}", quote(&entry.key));
            report
                .warning("UNKNOWN_KEY", entry.key_span, message)
                .hint("it is ignored");
        }
    };
    unknown(&TASK, Some(root), "the task");
    unknown(&PAYLOAD, root.get("payload"), "`payload`");
    for step in steps {
        unknown(&STEP, Some(step), "a step");
    }
}
