//! What the tasks of a workflow are, for those who watch its run.

use std::collections::HashMap;

use gearmesh_workflow::{Kind, Source, Workflow, check};
use serde_json::Value;

use crate::client::Client;
use crate::text::{field, number};

/// Which task calls what, and which stands in which group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// What each task calls, else its kind.
    pub(crate) tools: HashMap<String, String>,
    /// The inner tasks of each group, in the order of the file.
    pub(crate) inner: HashMap<String, Vec<String>>,
}

impl Outline {
    /// Of a workflow that was read.
    pub(crate) fn of(workflow: &Workflow) -> Self {
        let mut outline = Self::default();
        for task in &workflow.tasks {
            let tool = match &task.kind {
                Kind::Workflow { name, .. } => format!("workflow {name}"),
                Kind::Group { body } => {
                    let inner = workflow.tasks_of(*body).iter();
                    let inner = inner.map(|task| task.id.clone()).collect();
                    outline.inner.insert(task.id.clone(), inner);
                    String::new()
                }
                kind => task.tool().unwrap_or_else(|| kind.as_str()).to_owned(),
            };
            outline.tools.insert(task.id.clone(), tool);
        }
        outline
    }

    /// Of a run that was started before: by its stored workflow, if it has one.
    pub(crate) async fn of_run(client: &Client, run: &str) -> Self {
        let params = serde_json::json!({"runId": run});
        let Ok(run) = client.call("orchestrator.get_run", params).await else {
            return Self::default();
        };
        let run = run.get("run").unwrap_or(&Value::Null);
        let version = number(run, "version");
        if version == 0 {
            return Self::default();
        }
        let params = serde_json::json!({"workflow": field(run, "workflow"), "version": version});
        // A run without its file is still shown, only with less beside its tasks.
        let stored = client.call("orchestrator.get_workflow", params).await;
        let stored = stored.ok().and_then(|s| workflow(s.get("workflow")?));
        stored.as_ref().map(Self::of).unwrap_or_default()
    }
}

/// A stored workflow, read.
pub(crate) fn workflow(stored: &Value) -> Option<Workflow> {
    let source = Source {
        text: field(stored, "source"),
        file_name: field(stored, "fileName"),
        dialect: None,
    };
    check(&source, None).workflow
}
