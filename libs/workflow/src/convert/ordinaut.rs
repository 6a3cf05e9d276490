//! A task of Ordinaut in our own format.

use std::time::Duration;

use serde_json::{Value, json};

use super::yaml::Yaml;
use super::{Ids, map_texts};
use crate::diagnostic::Report;
use crate::duration::Text;
use crate::model::{PRIORITY, Task, Workflow};
use crate::ordinaut::{self, Names, Saved, Use};
use crate::retry::{Backoff, Retry};
use crate::tree::{Data, Entry, Tree};
use crate::trigger::Trigger;

/// The document in our own format; `None` when it has faults, which are reported then.
pub(super) fn convert(report: &mut Report<'_>, root: &Tree) -> Option<String> {
    let workflow = ordinaut::read(report, root, None)?;
    let trees = ordinaut::steps(root).and_then(Tree::list)?;
    if trees.is_empty() {
        let message = "`pipeline` is empty; a workflow has at least one task";
        report.error("INVALID_PARAMETERS", root.span, message);
        return None;
    }
    let mut ids = Ids::default();
    let mut saved = ordinaut::saved(trees);
    for step in &mut saved {
        step.root = ids.native(&step.id);
    }
    let params = ordinaut::params(root);
    let names = Names {
        steps: &saved,
        before: 0,
        params,
        input,
    };
    let mut yaml = Yaml::default();
    yaml.comment(0, "Converted from a task of Ordinaut.");
    head(&mut yaml, &workflow, params);
    yaml.open(0, "tasks");
    let common = common_retry(&workflow);
    for (position, (tree, task)) in trees.iter().zip(&workflow.tasks).enumerate() {
        let names = Names {
            before: position,
            ..names
        };
        step(&mut yaml, &names, tree, task, common.as_ref());
    }
    outputs(&mut yaml, &saved);
    Some(yaml.into_text())
}

/// The input that stands for a param.
fn input(name: &str) -> String {
    let letters = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let name: String = letters.collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

fn head(yaml: &mut Yaml, workflow: &Workflow, params: &[Entry]) {
    yaml.entry(0, "name", &json!(workflow.name));
    for (key, text) in [
        ("title", &workflow.title),
        ("description", &workflow.description),
    ] {
        if let Some(text) = text {
            yaml.entry(0, key, &json!(text));
        }
    }
    if !params.is_empty() {
        yaml.comment(0, "payload.params: a start may give other values.");
        yaml.open(0, "inputs");
    }
    for param in params {
        let name = input(&param.key);
        if name != param.key {
            yaml.comment(
                2,
                &format!(
                    "`{}`: an input has letters, digits and `_` only.",
                    param.key
                ),
            );
        }
        let mut schema = ordinaut::schema(&param.value);
        if let Value::Object(schema) = &mut schema {
            // A default may compute here; there it is what it is.
            let mut escaped = |_: &Tree, text: &str| text.replace("${", "$${");
            let default = map_texts(&param.value, &mut escaped);
            schema.insert("default".to_owned(), default);
        }
        yaml.entry(2, &name, &schema);
    }
    for trigger in &workflow.triggers {
        self::trigger(yaml, trigger);
    }
    if let Some(key) = workflow.concurrency.as_ref().and_then(|c| c.key.as_ref()) {
        yaml.comment(
            0,
            "concurrency_key: shared by all workflows, so `global:` stands before it.",
        );
        let key = match key {
            crate::node::Node::Constant(key) => key.clone(),
            _ => Value::Null,
        };
        yaml.entry(
            0,
            "concurrency",
            &json!({"limit": 1, "key": key, "onConflict": "queue"}),
        );
    }
    if let Some((key, window)) = &workflow.dedupe {
        let window = Text(*window);
        yaml.comment(
            0,
            &format!("dedupe_key `{key}` for {window}: a file cannot say this; give the key with the start."),
        );
    }
    if workflow.priority != PRIORITY {
        yaml.entry(0, "priority", &json!(workflow.priority));
    }
    if let Some(retry) = common_retry(workflow) {
        yaml.comment(
            0,
            "max_retries counts the tries after the first, attempts counts all.",
        );
        yaml.entry(0, "retry", &self::retry(&retry));
    }
}

fn trigger(yaml: &mut Yaml, trigger: &Trigger) {
    yaml.open(0, "triggers");
    if trigger.when.is_some() {
        yaml.comment(2, "schedule_kind condition: looked at every minute.");
    }
    let mut entries = vec![(trigger.kind.clone(), trigger.value.clone())];
    if let Some(when) = &trigger.when {
        entries.push(("when".to_owned(), json!(when.text())));
    }
    let settings = trigger.settings.iter();
    entries.extend(settings.map(|(key, value)| (key.clone(), value.clone())));
    yaml.item(2, &entries);
}

/// The retry of most tasks: that of the first.
fn common_retry(workflow: &Workflow) -> Option<Retry> {
    workflow.tasks.first()?.retry.clone()
}

fn retry(retry: &Retry) -> Value {
    match retry.backoff {
        Backoff::Exponential => json!({"attempts": retry.attempts}),
        Backoff::Linear => {
            json!({"attempts": retry.attempts, "backoff": "linear", "jitter": false})
        }
        Backoff::Constant => {
            json!({"attempts": retry.attempts, "backoff": "constant", "jitter": false})
        }
    }
}

fn step(yaml: &mut Yaml, names: &Names<'_>, tree: &Tree, task: &Task, common: Option<&Retry>) {
    let Some(saved) = names.steps.get(names.before) else {
        return;
    };
    let uses = tree.get("uses").and_then(Tree::text).unwrap_or_default();
    if saved.root != saved.id {
        yaml.comment(2, &format!("`{}` cannot be an id here.", saved.id));
    }
    if let Some(name) = &saved.save_as {
        yaml.comment(
            2,
            &format!("save_as {name}: `steps.{name}` is `{}.result`.", saved.root),
        );
    }
    if task.tool().is_some_and(|tool| tool != uses) {
        yaml.comment(2, &format!("`{uses}`: no hyphens in names of tools."));
    }
    let mut entries = vec![("id".to_owned(), json!(saved.root))];
    let mut add = |key: &str, value: Value| entries.push((key.to_owned(), value));
    let before = names
        .before
        .checked_sub(1)
        .and_then(|at| names.steps.get(at));
    if let Some(before) = before {
        add("needs", json!([before.root]));
        add("runIf", json!("noneFailed"));
    }
    let condition = tree.get("if").and_then(Tree::text);
    let condition = condition.and_then(|text| ordinaut::translate_condition(text, names).ok());
    match (condition, &task.when) {
        (Some(condition), _) => add("when", json!(condition.text)),
        (None, Some(when)) => add("when", json!(when.text())),
        (None, None) => {}
    }
    add("tool", json!(task.tool()));
    if let Some(with) = tree.get("with").filter(|with| is_filled(with)) {
        let mut over = |_: &Tree, text: &str| {
            let translated = ordinaut::translate(text, names, Use::File);
            translated.map_or_else(|_| text.to_owned(), |translated| translated.text)
        };
        add("params", map_texts(with, &mut over));
    }
    if let Some(timeout) = task.timeout {
        add("timeout", json!(millis(timeout)));
    }
    match (&task.retry, common) {
        (Some(own), common) if common != Some(own) => add("retry", retry(own)),
        (None, Some(_)) => add("retry", json!({"attempts": 1})),
        _ => {}
    }
    yaml.item(2, &entries);
}

fn is_filled(with: &Tree) -> bool {
    match &with.data {
        Data::Map(entries) => !entries.is_empty(),
        _ => false,
    }
}

/// A duration of at least a millisecond: a file has no smaller one.
fn millis(duration: Duration) -> String {
    Text(duration.max(Duration::from_millis(1))).to_string()
}

/// What the answer has under `steps`: of several results with one name the last.
fn outputs(yaml: &mut Yaml, saved: &[Saved]) {
    let mut names: Vec<&str> = Vec::new();
    for name in saved.iter().filter_map(|step| step.save_as.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    yaml.comment(0, "What the answer had under `steps`.");
    yaml.open(0, "outputs");
    for name in names {
        let results: Vec<String> = saved
            .iter()
            .rev()
            .filter(|step| step.save_as.as_deref() == Some(name))
            .map(|step| format!("{}.result", step.root))
            .collect();
        let text = format!("${{not_null({})}}", results.join(", "));
        yaml.entry(2, name, &json!(text));
    }
}
