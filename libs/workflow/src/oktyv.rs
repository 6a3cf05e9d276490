//! The dialect of Oktyv: a request of `parallel_execute`, read by its own rules.
//!
//! Faults of the request are of four kinds in a fixed order; only those of the first kind that
//! occurs are given. What concerns one task is a warning here and fails that task when it runs.

mod task;
mod value;

use std::collections::HashMap;
use std::time::Duration;

use gearmesh_catalog::Catalog;

use self::task::Parts;
pub(crate) use self::task::Selected;
use self::value::{INVALID, millis, whole, wrong};
use crate::diagnostic::{Report, quote};
use crate::graph::{Edges, Graph};
use crate::keys;
use crate::model::{MAX_CONCURRENT, OnError, Workflow};
use crate::source::{Dialect, EDGES_MAX, Span, TASKS_MAX};
use crate::tree::{Data, Entry, Tree};
use crate::{native, needs};

/// The workflow of a request; `None` when it has faults, which are reported then.
pub(crate) fn read(
    report: &mut Report<'_>,
    root: &Tree,
    catalog: Option<&Catalog>,
) -> Option<Workflow> {
    let trees = tasks(report, root);
    let config = Config::read(report, root.entry("config"));
    let selected = selected(trees);
    let tasks: Vec<Option<Parts<'_>>> = trees
        .iter()
        .enumerate()
        .map(|(position, tree)| Parts::read(report, position, tree, &selected))
        .collect();
    if report.failed() {
        return None;
    }
    let tasks: Vec<Parts<'_>> = tasks.into_iter().flatten().collect();
    let ids = ids(report, &tasks)?;
    let edges = edges(report, &tasks, &ids)?;
    let graph: Graph = native::graph(report, edges, trees)?;
    for parts in &tasks {
        parts.warn(report, &ids, catalog);
    }
    warn_of_keys(report, root, trees);
    let tasks = tasks.into_iter().map(|parts| parts.task).collect();
    let name = Dialect::Oktyv.as_str().to_owned();
    Some(Workflow {
        max_concurrent: config.max_concurrent,
        timeout: config.timeout,
        on_error: config.on_error,
        ..Workflow::new(name, Dialect::Oktyv, tasks, graph)
    })
}

fn tasks<'t>(report: &mut Report<'_>, root: &'t Tree) -> &'t [Tree] {
    let tree = root.get("tasks");
    match tree.and_then(Tree::list) {
        Some(items) if items.len() > TASKS_MAX => {
            let message = format!(
                "`tasks` has {} items; the limit is {TASKS_MAX}",
                items.len()
            );
            report.error(INVALID, root.span, message);
            &[]
        }
        Some(items) if !items.is_empty() => items,
        _ => {
            let span = tree.map_or(Span::new(root.span.start, root.span.start), |tree| {
                tree.span
            });
            report.error(
                INVALID,
                span,
                "`tasks` must be a list with at least one task",
            );
            &[]
        }
    }
}

/// The names that tasks give to what they select, which lies in the `data` of their results.
pub(crate) fn selected(tasks: &[Tree]) -> Selected<'_> {
    let mut selected = Selected::new();
    for task in tasks {
        let names = task
            .get("params")
            .and_then(|params| params.get("selectors"));
        if let (Some(id), Some(names)) = (
            task.get("id").and_then(Tree::text),
            names.and_then(Tree::map),
        ) {
            let names = names.iter().map(|entry| (id, entry.key.as_str()));
            selected.extend(names);
        }
    }
    selected
}

#[derive(Debug)]
struct Config {
    max_concurrent: usize,
    timeout: Option<Duration>,
    on_error: OnError,
}

impl Config {
    fn read(report: &mut Report<'_>, entry: Option<&Entry>) -> Config {
        let mut config = Config {
            max_concurrent: MAX_CONCURRENT,
            timeout: None,
            on_error: OnError::Continue,
        };
        let Some(entry) = entry.filter(|entry| !matches!(entry.value.data, Data::Null)) else {
            return config;
        };
        let Some(entries) = entry.value.map() else {
            wrong(report, &entry.value, "`config`", "a map");
            return config;
        };
        for entry in entries {
            let value = &entry.value;
            match entry.key.as_str() {
                "maxConcurrent" => {
                    let max = whole(report, value, "`config.maxConcurrent`", 1, 100);
                    config.max_concurrent = max
                        .and_then(|max| usize::try_from(max).ok())
                        .unwrap_or(MAX_CONCURRENT);
                }
                "timeout" => config.timeout = millis(report, value, "`config.timeout`", 1),
                "continueOnError" => match value.data {
                    Data::Bool(true) => {}
                    Data::Bool(false) => config.on_error = OnError::Stop,
                    _ => wrong(report, value, "`config.continueOnError`", "true or false"),
                },
                "failureMode" => match value.text() {
                    Some("stop") => config.on_error = OnError::Stop,
                    Some("continue") => {}
                    _ => wrong(report, value, "`config.failureMode`", "stop or continue"),
                },
                _ => {}
            }
        }
        config
    }
}

fn ids(report: &mut Report<'_>, tasks: &[Parts<'_>]) -> Option<HashMap<String, usize>> {
    let mut ids: HashMap<String, usize> = HashMap::with_capacity(tasks.len());
    for (position, parts) in tasks.iter().enumerate() {
        if let Some(&first) = ids.get(&parts.task.id) {
            let line = report.line(tasks[first].id_span);
            let message = format!(
                "`id: {}` is used twice (first at line {line})",
                quote(&parts.task.id)
            );
            report.error("DUPLICATE_ID", parts.id_span, message);
        } else {
            ids.insert(parts.task.id.clone(), position);
        }
    }
    (ids.len() == tasks.len()).then_some(ids)
}

fn edges(
    report: &mut Report<'_>,
    tasks: &[Parts<'_>],
    ids: &HashMap<String, usize>,
) -> Option<Edges> {
    let known: HashMap<&str, usize> = ids
        .iter()
        .map(|(id, position)| (id.as_str(), *position))
        .collect();
    let mut edges = Edges::default();
    for (position, parts) in tasks.iter().enumerate() {
        for (need, _) in needs::needed(report, &known, &[], &parts.task.id, &parts.needs) {
            edges.add(need, position, || "dependsOn".to_owned());
        }
        for reference in &parts.references {
            if let Some(&need) = ids.get(&reference.task) {
                edges.add(need, position, || "params".to_owned());
            }
        }
    }
    if edges.len() > EDGES_MAX {
        report.error(
            INVALID,
            Span::default(),
            format!(
                "the tasks have {} needs; the limit is {EDGES_MAX}",
                edges.len()
            ),
        );
    }
    (!report.failed()).then_some(edges)
}

/// Warns of every key that has no meaning in a request: it is left out.
fn warn_of_keys(report: &mut Report<'_>, root: &Tree, tasks: &[Tree]) {
    let mut unknown = |keys: &keys::Keys, tree: Option<&Tree>, owner: &str| {
        for entry in tree
            .and_then(Tree::map)
            .unwrap_or_default()
            .iter()
            .filter(|entry| !keys.has(&entry.key))
        {
            let message = format!("unknown key `{}` in {owner}", quote(&entry.key));
            report
                .warning("UNKNOWN_KEY", entry.key_span, message)
                .hint("it is ignored");
        }
    };
    unknown(&keys::OKTYV, Some(root), "the request");
    unknown(&keys::OKTYV_CONFIG, root.get("config"), "`config`");
    for task in tasks {
        unknown(&keys::OKTYV_TASK, Some(task), "a task");
        unknown(&keys::OKTYV_RETRY, task.get("retryPolicy"), "`retryPolicy`");
    }
}
