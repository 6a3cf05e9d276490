//! One task of our own format.

use std::time::Duration;

use gearmesh_catalog::Catalog;

use crate::diagnostic::{Report, quote};
use crate::ids;
use crate::keys::{self, Fields};
use crate::kind::Kind;
use crate::model::{Each, ITEMS_MAX, OnItemError, RunIf, TOOL_TIMEOUT, Task};
use crate::native::needed;
use crate::node::Node;
use crate::retry::Retry;
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};
use crate::value::{Place, Reader};
use crate::{field, params, policy};

/// Kinds of tasks, built or not: a task has exactly one.
const KINDS: [&str; 6] = ["tool", "set", "workflow", "approve", "wait", "tasks"];

/// Keys that only a task with a tool has.
const OF_TOOLS: [&str; 3] = ["params", "connection", "idempotencyKey"];

/// What a task takes from around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskReader<'w> {
    pub(crate) catalog: Option<&'w Catalog>,
    /// The workflow's retry.
    pub(crate) retry: Option<&'w Retry>,
}

/// All tasks. What is wrong is reported; a file with faults has no workflow, so that a default in
/// the place of a wrong value is never run.
pub(crate) fn read_all(
    reader: &mut Reader<'_, '_, '_>,
    trees: &[Tree],
    around: &TaskReader<'_>,
) -> Option<Vec<Task>> {
    let mut tasks = Vec::with_capacity(trees.len());
    for (position, tree) in trees.iter().enumerate() {
        tasks.push(around.read(reader, position, tree));
    }
    tasks.into_iter().collect()
}

impl TaskReader<'_> {
    fn read(&self, reader: &mut Reader<'_, '_, '_>, position: usize, tree: &Tree) -> Option<Task> {
        let id = tree.get("id").and_then(Tree::text).unwrap_or_default();
        let owner = &if id.is_empty() {
            format!("task {}", position + 1)
        } else {
            format!("task `{}`", quote(id))
        };
        let Some(entries) = tree.map() else {
            field::unexpected_value(reader.report, tree, owner, "a map");
            return None;
        };
        let fields = &keys::TASK.check(reader.report, entries, owner);
        if !fields.may_have("id") {
            let start = Span::new(tree.span.start, tree.span.start);
            reader
                .report
                .error("MISSING_KEY", start, format!("{owner} has no `id`"));
        }
        needs(reader, position, id, fields, owner);
        let each = fields
            .get("each")
            .and_then(|entry| each(reader, position, entry, owner));
        let as_name = fields
            .get("as")
            .and_then(|entry| as_name(reader, entry, owner))
            .unwrap_or_else(|| "item".to_owned());
        let outside = Where {
            position,
            item: None,
        };
        let at = Where {
            position,
            item: fields.get("each").map(|_| as_name.as_str()),
        };
        let kind = self.kind(reader, tree, fields, owner, at);
        let (connection, idempotency_key) = (
            text_node(reader, fields, "connection", at, owner),
            text_node(reader, fields, "idempotencyKey", at, owner),
        );
        let when = fields
            .get("when")
            .and_then(|entry| reader.condition(entry, &outside.place("when"), owner));
        let own = Place {
            own: true,
            ..at.place("expect")
        };
        let expect = fields
            .get("expect")
            .and_then(|entry| reader.condition(entry, &own, owner));
        let on_error = fields
            .get("onError")
            .and_then(|entry| policy::on_error(reader, entry, owner, at.place("onError.use")));
        let limits = self.limits(reader.report, fields, owner);
        let report = &mut *reader.report;
        let run_if = fields
            .get("runIf")
            .and_then(|entry| field::choice(report, entry, owner, &RUN_IF, &[]));
        let item_error = fields
            .get("onItemError")
            .and_then(|entry| field::choice(report, entry, owner, &ON_ITEM_ERROR, &[]));
        Some(Task {
            connection,
            when,
            run_if: run_if.unwrap_or(RunIf::Ready),
            each,
            max_concurrent: limits.max_concurrent,
            on_item_error: item_error.unwrap_or(OnItemError::Stop),
            retry: limits.retry,
            timeout: limits.timeout,
            on_error,
            expect,
            idempotency_key,
            as_name,
            ..Task::new(id.to_owned(), kind?)
        })
    }

    fn limits(&self, report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) -> Limits {
        let is_tool = fields.get("tool").is_some();
        let retry = fields
            .get("retry")
            .and_then(|entry| policy::retry(report, entry, owner));
        let timeout = fields
            .get("timeout")
            .and_then(|entry| field::duration(report, entry, owner, false));
        let max = fields
            .get("maxConcurrent")
            .and_then(|entry| field::whole(report, entry, owner, 1, 100));
        Limits {
            retry: retry.or_else(|| self.retry.filter(|_| is_tool).cloned()),
            timeout: timeout.or(is_tool.then_some(TOOL_TIMEOUT)),
            max_concurrent: max.and_then(|max| usize::try_from(max).ok()),
        }
    }

    fn kind(
        &self,
        reader: &mut Reader<'_, '_, '_>,
        tree: &Tree,
        fields: &Fields<'_>,
        owner: &str,
        at: Where<'_>,
    ) -> Option<Kind> {
        let given: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| tree.get(kind).is_some())
            .collect();
        let start = tree
            .entry("id")
            .map_or(Span::new(tree.span.start, tree.span.start), |entry| {
                entry.value.span
            });
        match given.as_slice() {
            [] if !KINDS.iter().any(|kind| fields.may_have(kind)) => {
                let message = format!("{owner} has no kind; give `tool` or `set`");
                reader.report.error("TASK_KIND", start, message);
            }
            [] | [_] => {}
            [first, second, ..] => {
                let message =
                    format!("{owner} has `{first}` and `{second}`; give exactly one kind");
                let span = tree.entry(second).map_or(start, |entry| entry.key_span);
                reader.report.error("TASK_KIND", span, message);
                return None;
            }
        }
        if let Some(entry) = fields.get("tool") {
            let params = self.params(reader, fields, owner, at);
            let name = field::text(reader.report, entry, owner)?;
            params::check(reader.report, self.catalog, entry, fields, owner);
            return Some(Kind::Tool {
                name,
                params: params?,
            });
        }
        let entry = fields.get("set")?;
        for key in OF_TOOLS {
            if let Some(other) = fields.get(key) {
                let message = format!("`{key}` of {owner} goes with `tool` only");
                reader.report.error("TASK_KIND", other.key_span, message);
            }
        }
        let Some(entries) = entry.value.map() else {
            field::unexpected(reader.report, entry, owner, "a map");
            return None;
        };
        let values = reader.entries(entries, &mut at.place("set"))?;
        Some(Kind::Set {
            values: Node::map(values),
        })
    }

    fn params(
        &self,
        reader: &mut Reader<'_, '_, '_>,
        fields: &Fields<'_>,
        owner: &str,
        at: Where<'_>,
    ) -> Option<Node> {
        let Some(entry) = fields.get("params") else {
            return Some(Node::map(Vec::new()));
        };
        match &entry.value.data {
            Data::Map(entries) => {
                Some(Node::map(reader.entries(entries, &mut at.place("params"))?))
            }
            Data::Null => Some(Node::map(Vec::new())),
            _ => {
                field::unexpected(reader.report, entry, owner, "a map");
                None
            }
        }
    }
}

/// The task, and the name of its element inside of an instance.
#[derive(Debug, Clone, Copy)]
struct Where<'p> {
    position: usize,
    item: Option<&'p str>,
}

impl<'p> Where<'p> {
    fn place(&self, path: &str) -> Place<'p> {
        let path = path.to_owned();
        Place {
            task: Some(self.position),
            own: false,
            item: self.item,
            tasks: true,
            vars: usize::MAX,
            path,
        }
    }
}

const RUN_IF: [(&str, RunIf); 6] = [
    ("ready", RunIf::Ready),
    ("noneFailed", RunIf::NoneFailed),
    ("allSucceeded", RunIf::AllSucceeded),
    ("allDone", RunIf::AllDone),
    ("anySucceeded", RunIf::AnySucceeded),
    ("anyFailed", RunIf::AnyFailed),
];

const ON_ITEM_ERROR: [(&str, OnItemError); 2] = [
    ("stop", OnItemError::Stop),
    ("continue", OnItemError::Continue),
];

#[derive(Debug)]
struct Limits {
    retry: Option<Retry>,
    timeout: Option<Duration>,
    max_concurrent: Option<usize>,
}

fn needs(
    reader: &mut Reader<'_, '_, '_>,
    position: usize,
    id: &str,
    fields: &Fields<'_>,
    owner: &str,
) {
    let Some(entry) = fields.get("needs") else {
        return;
    };
    let Some(list) = field::texts(reader.report, entry, owner) else {
        return;
    };
    for (need, _) in needed(
        reader.report,
        &reader.names.tasks,
        &reader.names.invalid,
        id,
        &list,
    ) {
        reader.edges.add(need, position, || "needs".to_owned());
    }
}

fn each(
    reader: &mut Reader<'_, '_, '_>,
    position: usize,
    entry: &Entry,
    owner: &str,
) -> Option<Each> {
    let mut place = Where {
        position,
        item: None,
    }
    .place("each");
    match &entry.value.data {
        Data::List(items) if items.len() > ITEMS_MAX => {
            let message = format!(
                "`each` of {owner} has {} items; the limit is {ITEMS_MAX}",
                items.len()
            );
            reader
                .report
                .error("INVALID_VALUE", entry.value.span, message);
            None
        }
        Data::List(items) => {
            let nodes: Vec<Option<Node>> = items
                .iter()
                .map(|item| reader.node(item, &mut place))
                .collect();
            nodes
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(Each::List)
        }
        Data::Text(..) => {
            let template = reader.template(&entry.value, &place)?;
            if template.is_whole() {
                return Some(Each::Expression(template));
            }
            field::unexpected(reader.report, entry, owner, "a list or one `${...}`");
            None
        }
        _ => {
            field::unexpected(reader.report, entry, owner, "a list or one `${...}`");
            None
        }
    }
}

fn as_name(reader: &mut Reader<'_, '_, '_>, entry: &Entry, owner: &str) -> Option<String> {
    let name = field::text(reader.report, entry, owner)?;
    if name == "item" {
        return Some(name);
    }
    let message = if reader.names.tasks.contains_key(name.as_str()) {
        format!("`{}`: a task has this name", quote(&name))
    } else if let Some((reason, _)) = ids::fault(&name) {
        format!("`{}`: {reason}", quote(&name))
    } else {
        return Some(name);
    };
    reader.report.error("INVALID_ID", entry.value.span, message);
    None
}

fn text_node(
    reader: &mut Reader<'_, '_, '_>,
    fields: &Fields<'_>,
    key: &str,
    at: Where<'_>,
    owner: &str,
) -> Option<Node> {
    let entry = fields.get(key)?;
    if entry.value.text().is_none_or(str::is_empty) {
        field::unexpected(reader.report, entry, owner, "text");
        return None;
    }
    reader.node(&entry.value, &mut at.place(key))
}
