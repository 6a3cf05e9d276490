//! A request of Oktyv in our own format.

use std::collections::HashMap;
use std::fmt::Write;

use gearmesh_expr::oktyv::{Reference, Template};
use serde_json::{Map, Value, json};

use super::yaml::Yaml;
use super::{Ids, map_texts};
use crate::diagnostic::Report;
use crate::duration::Text;
use crate::model::{MAX_CONCURRENT, OnError, TOOL_TIMEOUT, Task, Workflow};
use crate::oktyv::{self, Selected};
use crate::ordinaut::{identifier, name};
use crate::retry::{Backoff, Retry, WAIT_MAX};
use crate::tree::{Data, Tree};

/// Highest priority of a task in our own format.
const PRIORITY_MAX: i32 = 100;

/// Tools that try again by themselves when a request has no `retryPolicy`.
const SELF_RETRYING: [&str; 3] = ["api_request", "http_request", "http.request"];

/// What the documents of Oktyv call a result of ours, with the tools that give it.
const FORMER: [(&str, &str); 2] = [("task", "schedule"), ("tasks", "schedules")];

/// What expressions of the document may name.
struct Names<'t> {
    /// Ids here by ids there.
    ids: HashMap<&'t str, String>,
    /// Tasks by their ids there.
    trees: HashMap<&'t str, &'t Tree>,
    selected: Selected<'t>,
}

/// The request in our own format; `None` when it has faults, which are reported then.
pub(super) fn convert(report: &mut Report<'_>, root: &Tree, file_name: &str) -> Option<String> {
    let workflow = oktyv::read(report, root, None)?;
    let trees = root.get("tasks").and_then(Tree::list)?;
    let mut ids = Ids::default();
    let mut names = Names {
        ids: HashMap::with_capacity(trees.len()),
        trees: HashMap::with_capacity(trees.len()),
        selected: oktyv::selected(trees),
    };
    for tree in trees {
        let id = tree.get("id").and_then(Tree::text)?;
        names.ids.insert(id, ids.native(id));
        names.trees.insert(id, tree);
    }
    let mut yaml = Yaml::default();
    yaml.comment(0, "Converted from a request of Oktyv.");
    yaml.comment(
        0,
        "References are JMESPath here; a null inside of a text is an error.",
    );
    head(&mut yaml, &workflow, file_name);
    yaml.open(0, "tasks");
    for (at, (tree, task)) in trees.iter().zip(&workflow.tasks).enumerate() {
        let needed = workflow
            .graph()
            .needs
            .get(at)
            .is_some_and(|needs| !needs.is_empty());
        self::task(&mut yaml, report, &names, tree, task, needed)?;
    }
    Some(yaml.into_text())
}

fn head(yaml: &mut Yaml, workflow: &Workflow, file_name: &str) {
    let file = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let stem = file.split('.').next().unwrap_or(file);
    let stem = if stem.is_empty() { "converted" } else { stem };
    yaml.comment(0, "A request has no name; this one is that of its file.");
    yaml.entry(0, "name", &json!(name(stem)));
    if workflow.max_concurrent != MAX_CONCURRENT {
        yaml.entry(0, "maxConcurrent", &json!(workflow.max_concurrent));
    }
    if let Some(timeout) = workflow.timeout {
        yaml.entry(0, "timeout", &json!(Text(timeout).to_string()));
    }
    if workflow.on_error == OnError::Continue {
        yaml.comment(
            0,
            "continueOnError is true there when nothing is said, here it is not.",
        );
        yaml.entry(0, "onError", &json!("continue"));
    }
}

fn task(
    yaml: &mut Yaml,
    report: &mut Report<'_>,
    names: &Names<'_>,
    tree: &Tree,
    task: &Task,
    needed: bool,
) -> Option<()> {
    let id = names.ids.get(task.id.as_str())?;
    if *id != task.id {
        yaml.comment(2, &format!("`{}` cannot be an id here.", task.id));
    }
    let mut entries = vec![("id".to_owned(), json!(id))];
    let mut add = |key: &str, value: Value| entries.push((key.to_owned(), value));
    let needs = needs(names, tree);
    if !needs.is_empty() {
        add("needs", json!(needs));
    }
    if needed {
        add("runIf", json!("allSucceeded"));
    }
    add("tool", json!(task.tool()));
    let params = params(yaml, report, names, tree, task)?;
    if !params.is_empty() {
        add("params", Value::Object(params));
    }
    if let Some(timeout) = task.timeout.filter(|timeout| *timeout != TOOL_TIMEOUT) {
        add("timeout", json!(Text(timeout).to_string()));
    }
    let by_itself = task
        .tool()
        .is_some_and(|tool| SELF_RETRYING.contains(&tool));
    match &task.retry {
        Some(policy) => {
            yaml.comment(
                2,
                "retryPolicy there retries nearly every failure, `retry` those that may pass:",
            );
            yaml.comment(2, "add the codes of others to `errors`.");
            add("retry", retry(policy));
        }
        None if by_itself => {
            yaml.comment(2, "The tool tries three times more by itself there.");
            add("retry", json!({"attempts": 4, "maxDelay": "30s"}));
        }
        None => {}
    }
    if task.priority != 0 {
        let priority = task.priority.clamp(0, PRIORITY_MAX);
        if priority != task.priority {
            yaml.comment(2, &format!("priority {}: 0 to 100 here.", task.priority));
        }
        add("priority", json!(priority));
    }
    yaml.item(2, &entries);
    Some(())
}

/// The needs that are written, each once.
fn needs(names: &Names<'_>, tree: &Tree) -> Vec<String> {
    let mut needs: Vec<String> = Vec::new();
    let written = tree.get("dependsOn").and_then(Tree::list);
    for need in written.unwrap_or_default().iter().filter_map(Tree::text) {
        if let Some(id) = names.ids.get(need).filter(|id| !needs.contains(id)) {
            needs.push(id.clone());
        }
    }
    needs
}

fn params(
    yaml: &mut Yaml,
    report: &mut Report<'_>,
    names: &Names<'_>,
    tree: &Tree,
    task: &Task,
) -> Option<Map<String, Value>> {
    let mut faults = Vec::new();
    let mut over = |tree: &Tree, text: &str| match references(names, text) {
        Ok(text) => text,
        Err(message) => {
            faults.push((tree.span, message));
            text.to_owned()
        }
    };
    let given = tree
        .get("params")
        .filter(|params| matches!(params.data, Data::Map(_)));
    let given = given.map(|params| map_texts(params, &mut over));
    let mut params = match given {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    for (span, message) in &faults {
        report.error("VARIABLE_RESOLUTION_ERROR", *span, message.as_str());
    }
    if let Some(vault) = &task.vault {
        if params.contains_key("credentialName") && !params.contains_key("vaultName") {
            yaml.comment(2, "`vault` of the task is a parameter here.");
            params.insert("vaultName".to_owned(), json!(vault));
        } else {
            yaml.comment(
                2,
                &format!("`vault: {vault}`: name it in `params` where the tool takes it."),
            );
        }
    }
    faults.is_empty().then_some(params)
}

/// The text with its references as expressions.
fn references(names: &Names<'_>, text: &str) -> Result<String, String> {
    let template = Template::parse(text).map_err(|errors| {
        let first = errors.into_iter().next();
        first.map_or_else(String::new, |error| error.message)
    })?;
    let template = template.with_data(|task, name| names.selected.contains(&(task, name)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for reference in template.references() {
        out.push_str(text.get(at..reference.span.start).unwrap_or_default());
        out.push_str(&expression(names, reference)?);
        at = reference.span.end;
    }
    // Behind a `${` that is never closed everything is text there.
    let rest = text.get(at..).unwrap_or_default();
    let mut opened = rest.match_indices("${").map(|(open, _)| open);
    let open = opened.find(|open| {
        !rest
            .get(..*open)
            .is_some_and(|before| before.ends_with('$'))
    });
    let (before, after) = rest
        .split_at_checked(open.unwrap_or(rest.len()))
        .unwrap_or((rest, ""));
    out.push_str(before);
    out.push_str(&after.replace("${", "$${"));
    Ok(out)
}

/// A reference as JMESPath.
fn expression(names: &Names<'_>, reference: &Reference) -> Result<String, String> {
    let (Some(id), Some(tree)) = (
        names.ids.get(reference.task.as_str()),
        names.trees.get(reference.task.as_str()),
    ) else {
        let task = &reference.task;
        return Err(format!(
            "Cannot resolve a variable: Task '{task}' not found"
        ));
    };
    let mut path = identifier(id);
    let length = reference.path.len();
    for (at, step) in reference.path.iter().enumerate() {
        let of_result = at == 1 && reference.path.first().is_some_and(|root| root == "result");
        let step = if of_result { present(tree, step) } else { step };
        if at + 1 == length && step == "length" {
            return Ok(format!("length({path})"));
        }
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(path, "[{step}]");
        } else {
            let _ = write!(path, ".{}", identifier(step));
        }
    }
    Ok(path)
}

/// The name that a member of a result has today.
fn present<'s>(task: &Tree, name: &'s str) -> &'s str {
    let tool = task.get("tool").and_then(Tree::text).unwrap_or_default();
    let encoding = task.get("params").and_then(|params| params.get("encoding"));
    let binary = encoding.and_then(Tree::text) == Some("binary");
    let former = FORMER.iter().find(|(former, _)| *former == name);
    match former {
        Some((_, present)) if tool.starts_with("cron_") => present,
        _ if binary && name == "content" && tool == "file_read" => "data",
        _ => name,
    }
}

fn retry(retry: &Retry) -> Value {
    let mut map = Map::new();
    map.insert("attempts".to_owned(), json!(retry.attempts));
    map.insert("delay".to_owned(), json!(Text(retry.delay).to_string()));
    if retry.backoff == Backoff::Linear {
        map.insert("backoff".to_owned(), json!("linear"));
    }
    let longest = retry.wait(retry.attempts.saturating_sub(1), 1.0);
    if Retry::default()
        .max_delay
        .is_some_and(|most| longest > most)
    {
        map.insert("maxDelay".to_owned(), json!(Text(WAIT_MAX).to_string()));
    }
    map.insert("jitter".to_owned(), json!(false));
    Value::Object(map)
}
