//! One task of our own format.

use std::time::Duration;

use gearmesh_catalog::Catalog;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::model::{AS_NAME, Each, ITEMS_MAX, OnItemError, OnUnknown, RunIf, TOOL_TIMEOUT, Task};
use crate::node::Node;
use crate::outline::{Outline, Placed};
use crate::retry::Retry;
use crate::source::Span;
use crate::tree::{Data, Entry};
use crate::value::{Place, Reader};
use crate::{again, field, ids, keys, needs, policy};

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
    outline: &Outline<'_>,
    around: &TaskReader<'_>,
) -> Option<Vec<Task>> {
    let mut tasks = Vec::with_capacity(outline.tasks.len());
    for (position, placed) in outline.tasks.iter().enumerate() {
        let inside = outline.bodies.get(placed.body);
        let number = position - inside.map_or(0, |body| body.first) + 1;
        tasks.push(around.read(reader, position, number, placed));
    }
    tasks.into_iter().collect()
}

impl TaskReader<'_> {
    fn read(
        &self,
        reader: &mut Reader<'_, '_, '_>,
        position: usize,
        number: usize,
        placed: &Placed<'_>,
    ) -> Option<Task> {
        let tree = placed.tree;
        let id = reader.names.ids.get(position).copied().unwrap_or("?");
        let owner = &if id == "?" {
            format!("task {number}")
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
            let message = format!("{owner} has no `id`");
            reader.report.error("MISSING_KEY", start, message);
        }
        needs::read(reader, position, id, fields, owner);
        let each = fields
            .get("each")
            .and_then(|entry| each(reader, position, entry, owner));
        let as_name = fields
            .get("as")
            .and_then(|entry| as_name(reader, entry, owner))
            .unwrap_or_else(|| AS_NAME.to_owned());
        let at = Where {
            position,
            item: fields.get("each").map(|_| as_name.as_str()),
        };
        let kind = self.kind(reader, placed, fields, owner, at);
        let mut text = |key, place| text_node(reader, fields, key, place, owner);
        let connection = text("connection", at.place("connection"));
        let idempotency_key = text("idempotencyKey", at.place("idempotencyKey"));
        let save = text("save", at.own("save"));
        let when = fields
            .get("when")
            .and_then(|entry| reader.condition(entry, &at.outside("when"), owner));
        let expect = fields
            .get("expect")
            .and_then(|entry| reader.condition(entry, &at.own("expect"), owner));
        let repeat = fields
            .get("repeat")
            .and_then(|entry| again::repeat(reader, entry, owner, &at.own("repeat.until")));
        let place = at.own("undo.params");
        let undo = again::undo(reader, self.catalog, fields, owner, place);
        let cache = fields
            .get("cache")
            .and_then(|entry| again::cache(reader, entry, owner, at.place("cache.key")));
        self.reads_only(reader.report, fields, owner);
        let on_error = fields
            .get("onError")
            .and_then(|entry| policy::on_error(reader, entry, owner, at.place("onError.use")));
        let words = Words::read(reader.report, fields, owner);
        let limits = self.limits(reader.report, fields, owner);
        Some(Task {
            connection,
            when,
            run_if: words.run_if.unwrap_or(RunIf::Ready),
            each,
            max_concurrent: limits.max_concurrent,
            on_item_error: words.on_item_error.unwrap_or(OnItemError::Stop),
            retry: limits.retry,
            timeout: limits.timeout,
            on_error,
            expect,
            repeat,
            on_unknown: words.on_unknown.unwrap_or(OnUnknown::Fail),
            undo,
            save,
            sensitive: words.sensitive,
            cache,
            priority: limits.priority,
            idempotency_key,
            as_name,
            ..Task::new(id.to_owned(), kind?)
        })
    }

    /// A result that stands in for a call may only be one that changed nothing.
    fn reads_only(&self, report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) {
        let (Some(cache), Some(tool)) = (fields.get("cache"), fields.get("tool")) else {
            return;
        };
        let found = self
            .catalog
            .and_then(|catalog| catalog.get(tool.value.text()?));
        let Some(found) = found.filter(|f| f.tool.effect != gearmesh_catalog::Effect::Read) else {
            return;
        };
        let message = format!(
            "`cache` of {owner} goes with tools of effect READ only; `{}` has {}",
            found.tool.id,
            found.tool.effect.as_str()
        );
        report.error("TASK_KIND", cache.key_span, message);
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
        let priority = fields
            .get("priority")
            .and_then(|entry| field::whole(report, entry, owner, 0, PRIORITY_MAX));
        Limits {
            retry: retry.or_else(|| self.retry.filter(|_| is_tool).cloned()),
            timeout: timeout.or(is_tool.then_some(TOOL_TIMEOUT)),
            max_concurrent: max.and_then(|max| usize::try_from(max).ok()),
            priority: priority.and_then(|p| i32::try_from(p).ok()).unwrap_or(0),
        }
    }
}

/// Highest priority of a task: finer steps than these mean nothing to a reader.
const PRIORITY_MAX: u64 = 100;

/// The task, and the name of its element inside of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Where<'p> {
    position: usize,
    item: Option<&'p str>,
}

impl<'p> Where<'p> {
    /// A place in an instance, before its attempt.
    pub(crate) fn place(&self, path: &str) -> Place<'p> {
        Place {
            task: Some(self.position),
            item: self.item,
            ..Place::after(path)
        }
    }

    /// A place that looks at the own result.
    pub(crate) fn own(&self, path: &str) -> Place<'p> {
        Place {
            own: true,
            ..self.place(path)
        }
    }

    /// A place outside of the instances.
    fn outside(&self, path: &str) -> Place<'p> {
        Place {
            item: None,
            ..self.place(path)
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

const ON_UNKNOWN: [(&str, OnUnknown); 3] = [
    ("fail", OnUnknown::Fail),
    ("retry", OnUnknown::Retry),
    ("ask", OnUnknown::Ask),
];

/// What is one word.
#[derive(Debug)]
struct Words {
    run_if: Option<RunIf>,
    on_item_error: Option<OnItemError>,
    on_unknown: Option<OnUnknown>,
    sensitive: bool,
}

impl Words {
    fn read(report: &mut Report<'_>, fields: &Fields<'_>, owner: &str) -> Words {
        let sensitive = fields
            .get("sensitive")
            .and_then(|entry| field::boolean(report, entry, owner));
        Words {
            run_if: fields
                .get("runIf")
                .and_then(|entry| field::choice(report, entry, owner, &RUN_IF)),
            on_item_error: fields
                .get("onItemError")
                .and_then(|entry| field::choice(report, entry, owner, &ON_ITEM_ERROR)),
            on_unknown: fields
                .get("onUnknown")
                .and_then(|entry| field::choice(report, entry, owner, &ON_UNKNOWN)),
            sensitive: sensitive.unwrap_or_default(),
        }
    }
}

#[derive(Debug)]
struct Limits {
    retry: Option<Retry>,
    timeout: Option<Duration>,
    max_concurrent: Option<usize>,
    priority: i32,
}

fn each(
    reader: &mut Reader<'_, '_, '_>,
    position: usize,
    entry: &Entry,
    owner: &str,
) -> Option<Each> {
    let at = Where {
        position,
        item: None,
    };
    let mut place = at.place("each");
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
    if name == AS_NAME {
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

/// A key whose value is text, maybe with expressions.
pub(crate) fn text_node(
    reader: &mut Reader<'_, '_, '_>,
    fields: &Fields<'_>,
    key: &str,
    mut place: Place<'_>,
    owner: &str,
) -> Option<Node> {
    let entry = fields.get(key)?;
    if entry.value.text().is_none_or(str::is_empty) {
        field::unexpected(reader.report, entry, owner, "text");
        return None;
    }
    reader.node(&entry.value, &mut place)
}
