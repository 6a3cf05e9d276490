//! A run as a test case: what it was given, what its calls answered, how it ended.

use std::path::Path;

use gearmesh_workflow::{Kind, Task, Workflow};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::text::field;

/// Writes a test file with one case.
///
/// What a task or input with `sensitive` holds stays out, and so do the values of tools'
/// secret parameters, which no result has.
pub(crate) fn write(
    path: &Path,
    run: &Value,
    inputs: &Value,
    workflow: Option<&Workflow>,
) -> Result<(), Error> {
    let text = case(run, inputs, workflow);
    std::fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// The test file: YAML whose values are written as JSON.
fn case(run: &Value, inputs: &Value, workflow: Option<&Workflow>) -> String {
    let mut left_out = Vec::new();
    let inputs = public_inputs(inputs, workflow, &mut left_out);
    let mut mocks = Map::new();
    for (id, task) in entries(run, "tasks").chain(entries(run, "handlers")) {
        mock(id, task, workflow, &mut mocks, &mut left_out);
    }
    let mut lines = vec![format!(
        "# Recorded from {} of `{}`.",
        field(run, "runId"),
        field(run, "workflow")
    )];
    if !left_out.is_empty() {
        lines.push(format!(
            "# Left out, to be filled in by hand: {}.",
            left_out.join(", ")
        ));
    }
    lines.push("cases:".to_owned());
    lines.push(format!(
        "  - name: {}",
        json!(format!("as in {}", field(run, "runId")))
    ));
    if !field(run, "startTime").is_empty() {
        lines.push(format!("    now: {}", json!(field(run, "startTime"))));
    }
    if !inputs.is_empty() {
        lines.push("    inputs:".to_owned());
        lines.extend(map(&inputs, 6));
    }
    if !mocks.is_empty() {
        lines.push("    mocks:".to_owned());
        lines.extend(map(&mocks, 6));
    }
    lines.push("    expect:".to_owned());
    lines.push(format!("      status: {}", json!(field(run, "status"))));
    let outputs = run.get("outputs").and_then(Value::as_object);
    if let Some(outputs) = outputs.filter(|o| !o.is_empty()) {
        lines.push("      outputs:".to_owned());
        lines.extend(map(outputs, 8));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// One entry a line, with its value as JSON, which is YAML too.
fn map(entries: &Map<String, Value>, indent: usize) -> Vec<String> {
    entries
        .iter()
        .map(|(name, value)| format!("{}{}: {value}", " ".repeat(indent), json!(name)))
        .collect()
}

fn entries<'a>(run: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    run.get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn public_inputs(
    inputs: &Value,
    workflow: Option<&Workflow>,
    left_out: &mut Vec<String>,
) -> Map<String, Value> {
    let mut inputs = inputs.as_object().cloned().unwrap_or_default();
    inputs.retain(|name, _| {
        let specs = workflow.map_or(&[][..], |w| &w.inputs);
        let sensitive = specs
            .iter()
            .any(|spec| spec.name == *name && spec.sensitive);
        if sensitive {
            left_out.push(format!("input `{name}`"));
        }
        !sensitive
    });
    inputs
}

/// What the calls of a task answered. Groups give those of their inner tasks.
fn mock(
    id: &str,
    task: &Value,
    workflow: Option<&Workflow>,
    mocks: &mut Map<String, Value>,
    left_out: &mut Vec<String>,
) {
    let definition = workflow.and_then(|w| w.tasks.iter().find(|t| t.id == id));
    let kind = definition.map(|t| &t.kind);
    if let (Some(Kind::Group { body }), Some(workflow)) = (kind, workflow) {
        let result = task.get("result").unwrap_or(&Value::Null);
        // A list that failed as a whole has no results, and its rounds are nowhere else.
        let is_hidden = definition.is_some_and(|t| t.each.is_some()) && !result.is_array();
        if is_hidden && field(task, "status") == "failed" {
            left_out.push(format!("results of the tasks in `{id}`"));
        }
        for inner in workflow.tasks_of(*body) {
            let own = task.pointer(&format!("/tasks/{}", inner.id));
            match (own, result) {
                (Some(own), _) => mock(&inner.id, own, Some(workflow), mocks, left_out),
                (None, Value::Array(items)) => {
                    rounds(inner, items, Some(workflow), mocks, left_out);
                }
                (None, _) => {}
            }
        }
        return;
    }
    // What calls nothing needs no answer; of an unknown task it is not known.
    if !matches!(kind, None | Some(Kind::Tool { .. } | Kind::Workflow { .. })) {
        return;
    }
    let sensitive = definition.is_some_and(|t| t.sensitive);
    if sensitive || task.get("resultOmitted") == Some(&Value::Bool(true)) {
        left_out.push(format!("result of `{id}`"));
        return;
    }
    let status = field(task, "status");
    let error = task.get("error").filter(|e| e.is_object());
    let is_list = definition.is_some_and(|t| t.each.is_some());
    match (status, task.get("result"), error) {
        ("succeeded" | "success", Some(Value::Array(items)), _) if is_list => {
            let failed = task.get("errors").and_then(Value::as_array);
            let answers = items.iter().enumerate().map(|(index, result)| {
                let of = |e: &&Value| e.get("index").and_then(Value::as_u64) == Some(index as u64);
                let failure = failed.and_then(|all| all.iter().find(of));
                match failure.and_then(|f| f.get("error")) {
                    Some(error) => json!({"error": said(error)}),
                    None => json!({"result": result}),
                }
            });
            mocks.insert(id.to_owned(), answers.collect());
        }
        ("succeeded" | "success", result, _) => {
            let result = result.cloned().unwrap_or_default();
            mocks.insert(id.to_owned(), json!({"result": result}));
        }
        ("failed", _, Some(error)) => {
            mocks.insert(id.to_owned(), json!({"error": said(error)}));
        }
        _ => {}
    }
}

/// The answers of an inner task in each round of its group.
fn rounds(
    inner: &Task,
    items: &[Value],
    workflow: Option<&Workflow>,
    mocks: &mut Map<String, Value>,
    left_out: &mut Vec<String>,
) {
    let mut answers = Vec::new();
    for item in items {
        let Some(result) = item.get(&inner.id) else {
            continue;
        };
        let task = json!({"status": "succeeded", "result": result});
        let mut one = Map::new();
        mock(&inner.id, &task, workflow, &mut one, left_out);
        match one.shift_remove(&inner.id) {
            Some(Value::Array(more)) => answers.extend(more),
            Some(answer) => answers.push(answer),
            None => return,
        }
    }
    if !answers.is_empty() {
        mocks.insert(inner.id.clone(), answers.into());
    }
}

/// An error as a mock gives it.
fn said(error: &Value) -> Value {
    json!({
        "code": field(error, "code"),
        "message": field(error, "message"),
        "retryable": error.get("retryable").and_then(Value::as_bool).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gearmesh_workflow::{Source, check};

    use super::*;

    const FILE: &str = r#"
name: small
inputs:
  n: {type: integer}
tasks:
  - id: get
    tool: state.get
    params: {key: "${inputs.n}"}
  - id: pick
    set: {x: "${get.result.value}"}
  - id: many
    each: [1, 2]
    onItemError: continue
    tool: state.get
    params: {key: "${item}"}
  - id: bad
    tool: state.get
    params: {key: none}
"#;

    #[test]
    fn case_has_the_answers_of_calls_and_the_end_of_the_run() {
        let source = Source {
            text: FILE,
            file_name: "x.yaml",
            dialect: None,
        };
        let checked = check(&source, None);
        assert_eq!(checked.errors, []);
        let run = json!({
            "runId": "run_36zn0sv00pg07", "workflow": "small", "status": "partial",
            "startTime": "2026-01-25T12:00:00.000Z", "outputs": {"x": 5},
            "tasks": {
                "get": {"status": "succeeded", "result": {"value": 5}},
                "pick": {"status": "succeeded", "result": {"x": 5}},
                "many": {"status": "succeeded", "result": [{"value": 1}, null],
                    "errors": [{"index": 1, "item": 2, "error": {"code": "STATE_NOT_FOUND", "message": "no"}}]},
                "bad": {"status": "failed", "error": {"code": "TIMEOUT", "message": "late", "retryable": true}},
            },
        });
        let text = case(&run, &json!({"n": 1}), checked.workflow.as_ref());
        expect![[r##"
            # Recorded from run_36zn0sv00pg07 of `small`.
            cases:
              - name: "as in run_36zn0sv00pg07"
                now: "2026-01-25T12:00:00.000Z"
                inputs:
                  "n": 1
                mocks:
                  "get": {"result":{"value":5}}
                  "many": [{"result":{"value":1}},{"error":{"code":"STATE_NOT_FOUND","message":"no","retryable":false}}]
                  "bad": {"error":{"code":"TIMEOUT","message":"late","retryable":true}}
                expect:
                  status: "partial"
                  outputs:
                    "x": 5
        "##]]
        .assert_eq(&text);
    }

    #[test]
    fn rounds_of_a_group_are_mocks_of_its_tasks_in_order() {
        let text = "name: g\ntasks:\n  - id: all\n    each: [1, 2]\n    tasks:\n      - {id: get, tool: state.get, params: {key: a}}\n      - {id: pick, set: {x: \"${get.result}\"}}\n";
        let source = Source {
            text,
            file_name: "x.yaml",
            dialect: None,
        };
        let workflow = check(&source, None).workflow.unwrap();
        let run = |task: Value| json!({"runId": "run_a", "workflow": "g", "tasks": {"all": task}});
        let rounds = json!([{"get": {"value": 1}, "pick": {"x": 1}}, {"get": {"value": 2}}]);
        let good = run(json!({"status": "succeeded", "result": rounds}));
        let text = case(&good, &Value::Null, Some(&workflow));
        assert!(
            text.contains(r#""get": [{"result":{"value":1}},{"result":{"value":2}}]"#),
            "{text}"
        );
        assert!(
            !text.contains("pick") && !text.contains("Left out"),
            "{text}"
        );
        let failed = run(json!({"status": "failed", "error": {"code": "ITEM_FAILED"}}));
        let text = case(&failed, &Value::Null, Some(&workflow));
        assert!(
            text.contains("by hand: results of the tasks in `all`."),
            "{text}"
        );
    }

    #[test]
    fn what_is_sensitive_stays_out() {
        let text = FILE.replace("n: {type: integer}", "n: {type: integer, sensitive: true}");
        let source = Source {
            text: &text,
            file_name: "x.yaml",
            dialect: None,
        };
        let mut workflow = check(&source, None).workflow.unwrap();
        workflow.tasks[0].sensitive = true;
        let run = json!({"runId": "run_a", "workflow": "small", "status": "succeeded",
            "tasks": {"get": {"status": "succeeded", "result": {"value": "hunter2"}}}});
        let text = case(&run, &json!({"n": 4711}), Some(&workflow));
        assert!(
            !text.contains("hunter2") && !text.contains("4711"),
            "{text}"
        );
        assert!(
            text.contains("by hand: input `n`, result of `get`."),
            "{text}"
        );
    }
}
