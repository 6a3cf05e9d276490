//! One task of a request.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gearmesh_catalog::Catalog;
use gearmesh_expr::oktyv::Template;
use serde_json::Value;

use super::value::{INVALID, millis, text, whole, wrong};
use crate::diagnostic::{Report, quote};
use crate::kind::Kind;
use crate::model::{RunIf, TOOL_TIMEOUT, Task};
use crate::node::Node;
use crate::params::{Call, Level, is_dynamic};
use crate::retry::{ATTEMPTS_MAX, Backoff, Retry};
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};
use crate::value::Written;

/// Attempts of a task with a `retryPolicy` that names none.
const ATTEMPTS: u32 = 3;

/// Tasks and the names that they give to what they select.
pub(crate) type Selected<'t> = HashSet<(&'t str, &'t str)>;

/// A task, and what the later checks need of it.
#[derive(Debug)]
pub(super) struct Parts<'t> {
    pub(super) task: Task,
    owner: String,
    pub(super) id_span: Span,
    tool: &'t Entry,
    params: Option<&'t Entry>,
    /// `dependsOn` as written.
    pub(super) needs: Vec<(String, Span)>,
    /// Tasks that references name, with the place and the reference.
    pub(super) references: Vec<Reference>,
}

/// What the texts of one task name, and what that means.
struct References<'s> {
    named: Vec<Reference>,
    selected: &'s Selected<'s>,
}

/// A task that a text names.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) task: String,
    path: String,
    span: Span,
}

impl<'t> Parts<'t> {
    pub(super) fn read(
        report: &mut Report<'_>,
        position: usize,
        tree: &'t Tree,
        selected: &Selected<'_>,
    ) -> Option<Parts<'t>> {
        let mut owner = format!("task {}", position + 1);
        let Some(entries) = tree.map() else {
            wrong(report, tree, &owner, "a map");
            return None;
        };
        let get = |key: &str| entries.iter().find(|entry| entry.key == key);
        let id = required(report, tree, get("id"), &format!("`id` of {owner}"));
        if let Some(id) = &id {
            owner = format!("task `{}`", quote(id));
        }
        let tool = required(report, tree, get("tool"), &format!("`tool` of {owner}"));
        let mut references = References {
            named: Vec::new(),
            selected,
        };
        let params = match get("params").map(|entry| &entry.value) {
            None => Some(Node::map(Vec::new())),
            Some(value) if matches!(value.data, Data::Null) => Some(Node::map(Vec::new())),
            Some(value) if value.map().is_some() => Some(node(report, value, &mut references)),
            Some(value) => {
                wrong(report, value, &format!("`params` of {owner}"), "a map");
                None
            }
        };
        let timeout = get("timeout")
            .map(|entry| millis(report, &entry.value, &format!("`timeout` of {owner}"), 1));
        let retry = get("retryPolicy").and_then(|entry| retry(report, &entry.value, &owner));
        let priority = get("priority").and_then(|entry| priority(report, &entry.value, &owner));
        let vault = get("vault")
            .and_then(|entry| text(report, &entry.value, &format!("`vault` of {owner}")));
        let needs = get("dependsOn")
            .map(|entry| needs(report, &entry.value, &owner))
            .unwrap_or_default();
        let kind = Kind::Tool {
            name: tool?,
            params: params?,
        };
        let task = Task {
            run_if: RunIf::AllSucceeded,
            retry,
            timeout: timeout.flatten().or(Some(TOOL_TIMEOUT)),
            priority: priority.unwrap_or(0),
            vault,
            ..Task::new(id?, kind)
        };
        let (id, tool) = (get("id")?, get("tool")?);
        Some(Parts {
            task,
            owner,
            id_span: id.value.span,
            tool,
            params: get("params"),
            needs,
            references: references.named,
        })
    }

    /// What will fail this task alone.
    pub(super) fn warn(
        &self,
        report: &mut Report<'_>,
        ids: &HashMap<String, usize>,
        catalog: Option<&Catalog>,
    ) {
        for reference in self
            .references
            .iter()
            .filter(|reference| !ids.contains_key(&reference.task))
        {
            let message = format!(
                "Cannot resolve variable ${{{}}}: Task '{}' not found",
                quote(&reference.path),
                quote(&reference.task)
            );
            report.warning("VARIABLE_RESOLUTION_ERROR", reference.span, message);
        }
        let Some(catalog) = catalog else { return };
        let dynamic = is_dynamic;
        let call = Call {
            tool: self.tool,
            params: self.params,
            connection: None,
            vault: self.task.vault.as_deref(),
            owner: &self.owner,
            level: Level::Warning,
            dynamic,
        };
        call.check(report, catalog);
    }
}

/// A value of `params`. References that cannot be read make a text that fails its task.
fn node(report: &mut Report<'_>, tree: &Tree, references: &mut References<'_>) -> Node {
    match &tree.data {
        Data::Text(text, _) if text.contains("${") => template(report, tree, references),
        Data::List(items) => Node::list(
            items
                .iter()
                .map(|item| node(report, item, references))
                .collect(),
        ),
        Data::Map(entries) => Node::map(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), node(report, &entry.value, references)))
                .collect(),
        ),
        _ => Node::Constant(tree.value()),
    }
}

fn template(report: &mut Report<'_>, tree: &Tree, references: &mut References<'_>) -> Node {
    let Some(written) = Written::of(tree) else {
        return Node::Constant(tree.value());
    };
    let file = report.text();
    match Template::parse(written.text) {
        Ok(template) => {
            references
                .named
                .extend(template.references().iter().map(|reference| {
                    Reference {
                        task: reference.task.clone(),
                        path: written
                            .text
                            .get(reference.span.start..reference.span.end)
                            .unwrap_or_default()
                            .trim()
                            .to_owned(),
                        span: written.part(file, reference.span.start, reference.span.end),
                    }
                }));
            match template.constant() {
                Some(text) => Node::Constant(Value::from(text)),
                None => {
                    let is_data =
                        |task: &str, name: &str| references.selected.contains(&(task, name));
                    Node::Oktyv(template.with_data(is_data))
                }
            }
        }
        Err(errors) => {
            let first = errors.first().cloned();
            for error in errors {
                let span = written.part(file, error.span.start, error.span.end);
                report
                    .warning(error.code, span, error.message)
                    .hints
                    .extend(error.hints);
            }
            first.map_or_else(|| Node::Constant(tree.value()), Node::Failing)
        }
    }
}

fn retry(report: &mut Report<'_>, tree: &Tree, owner: &str) -> Option<Retry> {
    if matches!(tree.data, Data::Null) {
        return None;
    }
    let Some(entries) = tree.map() else {
        wrong(report, tree, &format!("`retryPolicy` of {owner}"), "a map");
        return None;
    };
    let get = |key: &str| {
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    };
    let what = |key: &str| format!("`retryPolicy.{key}` of {owner}");
    let attempts = get("maxAttempts").map(|value| {
        whole(
            report,
            value,
            &what("maxAttempts"),
            1,
            u64::from(ATTEMPTS_MAX),
        )
    });
    let delay = get("initialDelay").map(|value| millis(report, value, &what("initialDelay"), 0));
    let backoff = match get("backoff") {
        None => Backoff::Exponential,
        Some(value) => match value.text() {
            Some("exponential") => Backoff::Exponential,
            Some("linear") => Backoff::Linear,
            _ => {
                wrong(report, value, &what("backoff"), "exponential or linear");
                return None;
            }
        },
    };
    Some(Retry {
        attempts: attempts
            .flatten()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(ATTEMPTS),
        delay: delay.flatten().unwrap_or(Duration::from_secs(1)),
        backoff,
        max_delay: None,
        jitter: false,
        errors: Vec::new(),
        except: Vec::new(),
        every_failure: true,
    })
}

fn needs(report: &mut Report<'_>, tree: &Tree, owner: &str) -> Vec<(String, Span)> {
    let what = format!("`dependsOn` of {owner}");
    match &tree.data {
        Data::Null => Vec::new(),
        Data::List(items) => items
            .iter()
            .filter_map(|item| text(report, item, &what).map(|need| (need, item.span)))
            .collect(),
        _ => {
            wrong(report, tree, &what, "a list of ids");
            Vec::new()
        }
    }
}

fn priority(report: &mut Report<'_>, tree: &Tree, owner: &str) -> Option<i32> {
    if let Data::Number(number) = &tree.data
        && let Some(priority) = number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
    {
        return Some(priority);
    }
    wrong(
        report,
        tree,
        &format!("`priority` of {owner}"),
        "a whole number",
    );
    None
}

fn required(
    report: &mut Report<'_>,
    task: &Tree,
    entry: Option<&Entry>,
    what: &str,
) -> Option<String> {
    match entry {
        Some(entry) => text(report, &entry.value, what),
        None => {
            report.error(
                INVALID,
                Span::new(task.span.start, task.span.start),
                format!("{what} is missing"),
            );
            None
        }
    }
}
