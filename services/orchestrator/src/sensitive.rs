//! Results that are shown to nobody: those of tasks with `sensitive`, also where a group
//! around them shows its own.

use std::borrow::Cow;

use gearmesh_workflow::{Kind, Task, Workflow};
use serde_json::Value;

/// What stands for such a result.
const HIDDEN: &str = "«sensitive»";

/// A task's result as it may be shown.
pub(crate) fn shown<'a>(workflow: &Workflow, task: &Task, result: &'a Value) -> Cow<'a, Value> {
    if task.sensitive {
        return Cow::Owned(HIDDEN.into());
    }
    if !hides(workflow, task) {
        return Cow::Borrowed(result);
    }
    Cow::Owned(masked(workflow, task, result.clone(), task.each.is_some()))
}

/// The result of one item of a task as it may be shown.
pub(crate) fn shown_item<'a>(workflow: &Workflow, task: &Task, item: &'a Value) -> Cow<'a, Value> {
    if hides(workflow, task) {
        return Cow::Owned(masked(workflow, task, item.clone(), false));
    }
    Cow::Borrowed(item)
}

/// Whether a task's result is sensitive, or that of a task inside of it.
pub(crate) fn is_secret(workflow: &Workflow, task: &Task) -> bool {
    task.sensitive || hides(workflow, task)
}

/// Whether something inside of a task is sensitive.
fn hides(workflow: &Workflow, task: &Task) -> bool {
    inside(workflow, task)
        .iter()
        .any(|inner| inner.sensitive || hides(workflow, inner))
}

fn inside<'a>(workflow: &'a Workflow, task: &Task) -> &'a [Task] {
    match task.kind {
        Kind::Group { body } => workflow.tasks_of(body),
        _ => &[],
    }
}

fn masked(workflow: &Workflow, task: &Task, result: Value, each: bool) -> Value {
    match result {
        Value::Array(items) if each => items
            .into_iter()
            .map(|item| masked(workflow, task, item, false))
            .collect(),
        Value::Object(mut results) => {
            for inner in inside(workflow, task) {
                if let Some(value) = results.get_mut(&inner.id).filter(|v| !v.is_null()) {
                    *value = shown(workflow, inner, value).into_owned();
                }
            }
            Value::Object(results)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use gearmesh_workflow::{Source, check};
    use serde_json::json;

    use super::*;

    #[test]
    fn sensitive_result_is_hidden_inside_of_groups() {
        // WF-3.37
        let text = "
name: s
tasks:
  - {id: open, set: {x: 1}}
  - id: outer
    each: [1, 2]
    tasks:
      - id: inner
        tasks:
          - {id: key, sensitive: true, set: {k: s3cret}}
          - {id: name, set: {n: 1}}
";
        let source = Source {
            text,
            file_name: "s.workflow.yaml",
            dialect: None,
        };
        let checked = check(&source, None);
        let workflow = checked.workflow.expect("no faults");
        let one = json!({"inner": {"key": {"k": "s3cret"}, "name": {"n": 1}}});
        let outer = &workflow.tasks[1];
        let all = json!([one, null]);
        let hidden = json!({"inner": {"key": HIDDEN, "name": {"n": 1}}});
        assert_eq!(*shown(&workflow, outer, &all), json!([hidden, null]));
        assert_eq!(*shown_item(&workflow, outer, &one), hidden);
        let open = json!({"x": 1});
        assert_eq!(*shown(&workflow, &workflow.tasks[0], &open), open);
    }
}
