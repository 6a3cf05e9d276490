//! `gearmesh run data`.

use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::error::Error;
use crate::follow::document;
use crate::nearest::nearest;
use crate::output::Output;
use crate::text::{field, printable};

/// Shows the results of a run, or of one task.
pub(crate) async fn data(
    output: &mut Output,
    client: &Client,
    run: &str,
    task: Option<&str>,
) -> Result<(), Error> {
    let document = document(client, run).await?;
    output.document(&match task {
        Some(id) => of_task(&document, run, id)?,
        None => of_run(&document),
    })
}

fn of_run(document: &Value) -> Value {
    let mut results = Map::new();
    visit(document, &mut |id, task| {
        results.insert(
            id.to_owned(),
            task.get("result").cloned().unwrap_or_default(),
        );
    });
    json!({
        "runId": field(document, "runId"),
        "outputs": document.get("outputs").cloned().unwrap_or_default(),
        "results": results,
    })
}

fn of_task(document: &Value, run: &str, wanted: &str) -> Result<Value, Error> {
    let mut found = None;
    let mut ids = Vec::new();
    visit(document, &mut |id, task| {
        ids.push(id.to_owned());
        if id == wanted {
            found = Some(task.get("result").cloned().unwrap_or_default());
        }
    });
    found.ok_or_else(|| Error::NotFound {
        code: "TASK_NOT_FOUND",
        message: format!("{run} has no task `{}`", printable(wanted)),
        help: nearest(wanted, ids.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?")),
    })
}

/// Calls `f` for each task, those of groups and handlers too.
fn visit(document: &Value, f: &mut impl FnMut(&str, &Value)) {
    for list in ["tasks", "handlers"] {
        let tasks = document.get(list).and_then(Value::as_object);
        for (id, task) in tasks.into_iter().flatten() {
            f(id, task);
            visit(task, f);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_groups_and_handlers_are_found() {
        let document = json!({"runId": "run_a", "outputs": {"x": 1},
            "tasks": {"g": {"result": {"in": 1}, "tasks": {"in": {"result": 1}}}, "b": {"status": "skipped"}},
            "handlers": {"tell": {"result": "told"}}});
        assert_eq!(
            of_run(&document)["results"],
            json!({"g": {"in": 1}, "in": 1, "b": null, "tell": "told"})
        );
        assert_eq!(of_task(&document, "run_a", "in").unwrap(), json!(1));
        assert_eq!(of_task(&document, "run_a", "b").unwrap(), Value::Null);
        let error = of_task(&document, "run_a", "tel").unwrap_err();
        assert_eq!(error.exit() as u8, 5);
        assert_eq!(error.report().help, ["did you mean `tell`?"]);
    }
}
