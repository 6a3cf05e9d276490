//! Which versions of other workflows a run uses, as long as it lives.

use std::collections::{BTreeSet, HashMap};

use gearmesh_workflow::{Kind, Source, Workflow, check};

use crate::error::Error;
use crate::run::runs::Runs;
use crate::stored;

/// The versions of all workflows that a run may start, directly or over others: those
/// that were handed down, and the newest of the rest.
pub(crate) async fn pinned(
    runs: &Runs,
    workflow: &Workflow,
    handed_down: HashMap<String, u32>,
) -> Result<HashMap<String, u32>, Error> {
    let mut pinned = handed_down;
    let mut next = names(workflow);
    while let Some(name) = next.pop_last() {
        if pinned.contains_key(&name) {
            continue;
        }
        let text = stored::startable(runs, &name, 0).await?;
        pinned.insert(name, text.version);
        let source = Source {
            text: &text.source,
            file_name: &text.file_name,
            dialect: text.dialect,
        };
        // What is wrong with it by now fails the task that starts it.
        if let Some(inner) = check(&source, None).workflow {
            next.extend(names(&inner));
        }
    }
    Ok(pinned)
}

/// The workflows that the tasks of one start.
fn names(workflow: &Workflow) -> BTreeSet<String> {
    let tasks = workflow.tasks.iter();
    let names = tasks.filter_map(|task| match &task.kind {
        Kind::Workflow { name, .. } => Some(name.clone()),
        _ => None,
    });
    names.collect()
}
