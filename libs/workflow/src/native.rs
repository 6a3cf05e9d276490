//! A workflow in our own format.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gearmesh_catalog::Catalog;

use crate::diagnostic::{Report, quote};
use crate::graph::{Edges, Graph};
use crate::ids::Ids;
use crate::keys::{self, Fields};
use crate::model::{MAX_CONCURRENT, OnError, Workflow};
use crate::names::Names;
use crate::node::Node;
use crate::retry::Retry;
use crate::shape::Shape;
use crate::source::{Dialect, EDGES_MAX, Span, TASKS_MAX};
use crate::task::TaskReader;
use crate::tree::{Data, Entry, Tree};
use crate::value::{Place, Reader};
use crate::{field, policy, spec, task};

/// Longest name of a workflow, in characters.
const NAME_MAX: usize = 63;

const OWNER: &str = "the workflow";

/// The workflow of a file; `None` when it has faults, which are reported then.
pub(crate) fn read(
    report: &mut Report<'_>,
    root: &Tree,
    catalog: Option<&Catalog>,
) -> Option<Workflow> {
    let Some(entries) = root.map() else {
        let nothing = matches!(root.data, Data::Null);
        let message = if nothing {
            "the file is empty".to_owned()
        } else {
            format!("a workflow is a map, not {}", root.kind())
        };
        report.error("INVALID_VALUE", root.span, message);
        return None;
    };
    let fields = keys::WORKFLOW.check(report, entries, OWNER);
    let start = Span::new(root.span.start, root.span.start);
    let head = Head::read(report, &fields, start);
    let trees = tasks(report, &fields, start)?;
    let ids = Ids::read(report, root, trees);
    let inputs = fields
        .get("inputs")
        .map_or(Some(Vec::new()), |entry| spec::read(report, entry));
    let names = Names {
        tasks: ids.tasks,
        shapes: trees.iter().map(|tree| Shape::of(tree, catalog)).collect(),
        inputs: keys_of(&fields, "inputs").into_iter().collect(),
        vars: keys_of(&fields, "vars")
            .into_iter()
            .enumerate()
            .map(|(at, name)| (name, at))
            .collect(),
        invalid: ids.invalid,
    };
    let mut reader = Reader {
        report,
        names: &names,
        edges: Edges::default(),
    };
    let vars = fields
        .get("vars")
        .map_or(Some(Vec::new()), |entry| vars(&mut reader, entry));
    let tasks = task::read_all(
        &mut reader,
        trees,
        &TaskReader {
            catalog,
            retry: head.retry.as_ref(),
        },
    );
    let outputs = fields
        .get("outputs")
        .map_or(Some(Vec::new()), |entry| outputs(&mut reader, entry));
    let edges = reader.edges;
    let graph = graph(report, edges, trees)?;
    Some(Workflow {
        title: head.title,
        description: head.description,
        labels: head.labels,
        inputs: inputs?,
        vars: vars?,
        max_concurrent: head.max_concurrent,
        timeout: head.timeout,
        on_error: head.on_error,
        outputs: outputs?,
        ..Workflow::new(head.name?, Dialect::Native, tasks?, graph)
    })
}

fn keys_of<'t>(fields: &Fields<'t>, key: &str) -> Vec<&'t str> {
    let entries = fields
        .get(key)
        .and_then(|entry| entry.value.map())
        .unwrap_or_default();
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// What stands beside the tasks. Faults are reported; what has one gets its default.
#[derive(Debug)]
struct Head {
    name: Option<String>,
    title: Option<String>,
    description: Option<String>,
    labels: Vec<(String, String)>,
    max_concurrent: usize,
    timeout: Option<Duration>,
    on_error: OnError,
    retry: Option<Retry>,
}

impl Head {
    fn read(report: &mut Report<'_>, fields: &Fields<'_>, start: Span) -> Head {
        let name = match fields.get("name") {
            Some(entry) => name(report, entry),
            None => {
                if !fields.may_have("name") {
                    report
                        .error("MISSING_KEY", start, "the workflow has no `name`")
                        .hint("as in `name: nightly-export`");
                }
                None
            }
        };
        let max = fields
            .get("maxConcurrent")
            .and_then(|entry| field::whole(report, entry, OWNER, 1, 100));
        let words = [("stop", OnError::Stop), ("continue", OnError::Continue)];
        Head {
            name,
            title: fields
                .get("title")
                .and_then(|entry| field::text(report, entry, OWNER)),
            description: fields
                .get("description")
                .and_then(|entry| field::text(report, entry, OWNER)),
            labels: fields
                .get("labels")
                .and_then(|entry| field::labels(report, entry, OWNER))
                .unwrap_or_default(),
            max_concurrent: max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(MAX_CONCURRENT),
            timeout: fields
                .get("timeout")
                .and_then(|entry| field::duration(report, entry, OWNER, false)),
            on_error: fields
                .get("onError")
                .and_then(|entry| field::choice(report, entry, OWNER, &words, &["undo"]))
                .unwrap_or(OnError::Stop),
            retry: fields
                .get("retry")
                .and_then(|entry| policy::retry(report, entry, OWNER)),
        }
    }
}

fn name(report: &mut Report<'_>, entry: &Entry) -> Option<String> {
    let name = field::text(report, entry, OWNER)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(fits)
    {
        return Some(name);
    }
    let spelled = name
        .to_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect::<String>();
    let spelled: String = spelled
        .trim_matches(|c: char| !c.is_ascii_lowercase())
        .chars()
        .take(NAME_MAX)
        .collect();
    let message = format!(
        "`{}`: a name has small letters, digits and hyphens and begins with a letter",
        quote(&name)
    );
    let diagnostic = report.error("INVALID_ID", entry.value.span, message);
    if !spelled.is_empty() {
        diagnostic.hint(format!("as in `{spelled}`"));
    }
    None
}

fn tasks<'t>(report: &mut Report<'_>, fields: &Fields<'t>, start: Span) -> Option<&'t [Tree]> {
    let Some(entry) = fields.get("tasks") else {
        if !fields.may_have("tasks") {
            report.error("MISSING_KEY", start, "the workflow has no `tasks`");
        }
        return None;
    };
    match entry.value.list() {
        Some(items) if items.len() > TASKS_MAX => {
            let message = format!(
                "the workflow has {} tasks; the limit is {TASKS_MAX}",
                items.len()
            );
            report.error("FILE_TOO_LARGE", entry.key_span, message);
            None
        }
        Some(items) if !items.is_empty() => Some(items),
        Some(_) => {
            report.error(
                "INVALID_VALUE",
                entry.value.span,
                "`tasks` of the workflow: expected at least one task",
            );
            None
        }
        None => {
            field::unexpected(report, entry, OWNER, "a list of tasks");
            None
        }
    }
}

fn vars(reader: &mut Reader<'_, '_, '_>, entry: &Entry) -> Option<Vec<(String, Node)>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(reader.report, entry, OWNER, "a map");
        return None;
    };
    let mut vars = Vec::with_capacity(entries.len());
    for (position, var) in entries.iter().enumerate() {
        let path = format!("vars.{}", var.key);
        let mut place = Place {
            task: None,
            own: false,
            item: None,
            tasks: false,
            vars: position,
            path,
        };
        vars.push(
            reader
                .node(&var.value, &mut place)
                .map(|node| (var.key.clone(), node)),
        );
    }
    vars.into_iter().collect()
}

fn outputs(reader: &mut Reader<'_, '_, '_>, entry: &Entry) -> Option<Vec<(String, Node)>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(reader.report, entry, OWNER, "a map");
        return None;
    };
    let path = "outputs".to_owned();
    let mut place = Place {
        task: None,
        own: false,
        item: None,
        tasks: true,
        vars: usize::MAX,
        path,
    };
    reader.entries(entries, &mut place)
}

/// The graph of the tasks; `None` when it has a cycle or too many edges.
pub(crate) fn graph(report: &mut Report<'_>, edges: Edges, tasks: &[Tree]) -> Option<Graph> {
    if edges.len() > EDGES_MAX {
        let message = format!(
            "the tasks have {} needs; the limit is {EDGES_MAX}",
            edges.len()
        );
        report.error("FILE_TOO_LARGE", Span::default(), message);
        return None;
    }
    match edges.into_graph(tasks.len()) {
        Ok(graph) => Some(graph),
        Err(cycles) => {
            for cycle in cycles {
                let id = |task: usize| tasks[task].get("id").and_then(Tree::text).unwrap_or("?");
                let chain = cycle
                    .iter()
                    .map(|task| id(*task))
                    .collect::<Vec<_>>()
                    .join(" -> ");
                let span = tasks[cycle[0]]
                    .get("id")
                    .map_or(tasks[cycle[0]].span, |id| id.span);
                report.error(
                    "CIRCULAR_DEPENDENCY",
                    span,
                    format!("Circular dependency detected: {chain}"),
                );
            }
            None
        }
    }
}

/// Tasks that are named in a list of needs, each once.
pub(crate) fn needed<'t>(
    report: &mut Report<'_>,
    ids: &HashMap<&str, usize>,
    invalid: &[String],
    task: &str,
    needs: &'t [(String, Span)],
) -> Vec<(usize, &'t str)> {
    let mut seen = HashSet::new();
    let mut found = Vec::with_capacity(needs.len());
    for (need, span) in needs {
        match ids.get(need.as_str()) {
            Some(&position) => {
                if seen.insert(position) {
                    found.push((position, need.as_str()));
                }
            }
            None if invalid.contains(need) => {}
            None => missing(report, ids, task, need, *span),
        }
    }
    found
}

fn missing(
    report: &mut Report<'_>,
    ids: &HashMap<&str, usize>,
    task: &str,
    need: &str,
    span: Span,
) {
    let near = if report.may_suggest() {
        let mut names: Vec<&str> = ids.keys().copied().filter(|id| *id != task).collect();
        names.sort_unstable();
        crate::nearest::nearest(need, names).map(|near| (near.name.to_owned(), near.is_sure()))
    } else {
        None
    };
    let message = format!(
        "Task '{}' depends on non-existent task '{}'",
        quote(task),
        quote(need)
    );
    let word = near.as_ref().map(|(name, _)| report.word_at(span, name));
    let diagnostic = report.error("MISSING_DEPENDENCY", span, message);
    if let (Some((name, sure)), Some(word)) = (near, word) {
        diagnostic.hint(format!("did you mean `{name}`?"));
        if sure {
            diagnostic.edit(span, word);
        }
    }
}
