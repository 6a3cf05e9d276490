//! Running a part of a workflow, with the results of an earlier run for the rest.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::Workflow;
use journal::record::Fact;

use crate::error::Error;
use crate::plan::{LEFT_OUT, ROOT, State, TaskStatus};
use crate::run::runs::Runs;
use crate::seal;

/// Which part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The run whose results are reused; empty: none.
    pub(crate) run: String,
    /// Positions of the tasks that run.
    pub(crate) tasks: BTreeSet<usize>,
}

/// How a task of the earlier run ended.
#[derive(Debug, Clone)]
struct Earlier {
    status: TaskStatus,
    result: Value,
    reason: String,
}

/// How tasks of a run's own graph ended, by their ids; `wanted` are those that count.
fn earlier(state: &State, wanted: &HashSet<String>) -> HashMap<String, Earlier> {
    let tasks = state.tasks_of(ROOT);
    let tasks = tasks.filter(|task| wanted.contains(&state.task(*task).id));
    let known = tasks.map(|task| {
        let known = &state.tasks[task];
        let earlier = Earlier {
            status: known.status,
            result: known.view.get("result").cloned().unwrap_or_default(),
            reason: known.reason.clone(),
        };
        (state.task(task).id.clone(), earlier)
    });
    known.collect()
}

/// Whether the results of the earlier run may be reused; how many passes its attempts
/// have used up, since a user's own key must not answer with what was done then.
pub(crate) async fn admitted(
    runs: &Runs,
    part: &Part,
    workflow: &str,
    principal: &str,
    mock: bool,
) -> Result<u32, Error> {
    if part.run.is_empty() {
        return Ok(0);
    }
    let seen = runs.look(&part.run, |state| Seen {
        workflow: state.workflow.name.clone(),
        principal: state.accepted.principal.clone(),
        mock: state.accepted.mock,
        sensitive: seal::has_any(&state.workflow),
        passes: state.accepted.passes_before + highest_pass(state),
    });
    let seen = seen.await?;
    let refused = |text: String| Err(Error::Parameters(text));
    if seen.workflow != workflow {
        let run = &part.run;
        let name = &seen.workflow;
        return refused(format!(
            "{run} ran `{name}`, so its results are none of `{workflow}`"
        ));
    }
    if seen.mock != mock {
        let text =
            "results of a mock run are for mock runs alone, and those of a real one for real ones";
        return refused(format!("{}: {text}", part.run));
    }
    if seen.sensitive && seen.principal != principal {
        let text = "was started by somebody else and has sensitive inputs or results";
        return refused(format!("{} {text}", part.run));
    }
    Ok(seen.passes)
}

/// What decides whether results may be reused.
struct Seen {
    workflow: String,
    principal: String,
    mock: bool,
    sensitive: bool,
    passes: u32,
}

fn highest_pass(state: &State) -> u32 {
    let instances = state.tasks.iter().flat_map(|task| &task.instances);
    instances.map(|i| i.pass).max().unwrap_or(1)
}

/// The task and all that need it.
pub(crate) fn after(workflow: &Workflow, task: usize) -> BTreeSet<usize> {
    closure(task, &workflow.graph().dependents)
}

/// The task and all that it needs.
pub(crate) fn before(workflow: &Workflow, task: usize) -> BTreeSet<usize> {
    closure(task, &workflow.graph().needs)
}

fn closure(task: usize, edges: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut found = BTreeSet::from([task]);
    let mut next = vec![task];
    while let Some(at) = next.pop() {
        for other in edges.get(at).into_iter().flatten() {
            if found.insert(*other) {
                next.push(*other);
            }
        }
    }
    found
}

/// The records that end the tasks that do not run: with their earlier results, else left
/// out. The state takes them in.
pub(crate) async fn records(
    runs: &Runs,
    part: &Part,
    state: &mut State,
    now_ms: i64,
) -> Result<Vec<journal::Record>, Error> {
    let own = state.workflow.tasks_of(0).iter().enumerate();
    let reused = own.filter(|(task, _)| !part.tasks.contains(task));
    let wanted: HashSet<String> = reused.map(|(_, task)| task.id.clone()).collect();
    let known = match part.run.as_str() {
        "" => HashMap::new(),
        run => {
            let wanted = Arc::new(wanted);
            runs.look(run, move |state| earlier(state, &wanted)).await?
        }
    };
    let order: Vec<usize> = state
        .workflow
        .graph()
        .levels
        .iter()
        .flatten()
        .copied()
        .collect();
    let mut records = Vec::new();
    for task in order {
        if part.tasks.contains(&task) {
            continue;
        }
        let id = state.workflow.tasks[task].id.clone();
        let earlier = known.get(&id);
        let mut ended = journal::Ended {
            task: id,
            outcome: journal::Outcome::Skipped.into(),
            reason: LEFT_OUT.to_owned(),
            ..journal::Ended::default()
        };
        match earlier.map(|e| (e.status, e)) {
            Some((TaskStatus::Succeeded, earlier)) => {
                ended.set_outcome(journal::Outcome::Succeeded);
                ended.reason = String::new();
                ended.reused = true;
                ended.result = earlier.result.to_string().into();
            }
            Some((TaskStatus::Skipped, earlier)) => ended.reason.clone_from(&earlier.reason),
            _ => {}
        }
        let record = journal::Record {
            time_ms: now_ms,
            fact: Some(Fact::Ended(ended)),
        };
        state.fold(&record);
        records.push(record);
    }
    Ok(records)
}
