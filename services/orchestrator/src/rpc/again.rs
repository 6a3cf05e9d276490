//! What a run has done, and what a further one may do a second time.

use std::collections::{BTreeSet, HashMap};

use gearmesh_catalog::{Catalog, Effect};
use gearmesh_workflow::{Kind, PlannedTask, Source, Workflow, check, plan};

use crate::error::Error;
use crate::plan::{Instance, InstanceStatus, ROOT, State, TaskState, TaskStatus};
use crate::run::Runs;
use crate::stored;

/// Failures of which nobody can say that the call had no effect, and those that come of
/// looking at its result.
const IN_DOUBT: [&str; 8] = [
    "OUTCOME_UNKNOWN",
    "TASK_TIMEOUT",
    "POISON",
    "EXPECTATION_FAILED",
    "REPEAT_EXHAUSTED",
    "EXPRESSION_TYPE",
    "EXPRESSION_LIMIT",
    "VARIABLE_RESOLUTION_ERROR",
];

/// What became of a task of a run's own graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) status: TaskStatus,
    /// A call of it, or of something inside of it, may have taken effect.
    pub(super) acted: bool,
}

/// What became of the tasks of a run's own graph, by their ids.
pub(super) fn past(state: &State) -> HashMap<String, Past> {
    let mut acted = BTreeSet::new();
    for (task, known) in state.tasks.iter().enumerate() {
        let began = |i: &Instance| i.attempt > 0;
        let may = match state.task(task).kind {
            // What is inside ends before the whole does: that it began counts.
            Kind::Tool { .. } if known.frame != ROOT => known.instances.iter().any(began),
            Kind::Tool { .. } => known.instances.iter().any(|i| may_have_acted(known, i)),
            Kind::Workflow { .. } => known.instances.iter().any(began),
            _ => false,
        };
        if may {
            acted.extend(own(state, task));
        }
    }
    let tasks = state.tasks_of(ROOT).map(|task| {
        let status = state.tasks[task].status;
        let past = Past {
            status,
            acted: status == TaskStatus::Succeeded || acted.contains(&task),
        };
        (state.task(task).id.clone(), past)
    });
    tasks.collect()
}

/// The task of the run's own graph inside of which a task stands; none for handlers.
fn own(state: &State, task: usize) -> Option<usize> {
    let mut task = task;
    while let Some((group, _)) = state.frame(task).parent {
        task = group;
    }
    (state.tasks[task].frame == ROOT).then_some(task)
}

fn may_have_acted(task: &TaskState, instance: &Instance) -> bool {
    // How a task without items ends stands with the task itself.
    let own = task.problem.as_ref().filter(|_| task.items.is_none());
    let problem = own.or(instance.problem.as_ref());
    let doubt = problem.is_some_and(|p| IN_DOUBT.contains(&p.code.as_str()));
    let again = instance.pass > 1 || instance.rounds > 0 || instance.lost > 0;
    let cancelled =
        task.status == TaskStatus::Cancelled || instance.status == InstanceStatus::Cancelled;
    // What fails before it is sent makes no attempt.
    instance.status == InstanceStatus::Succeeded
        || (instance.attempt > 0 && (cancelled || again || doubt))
}

/// The highest effect of each task of a workflow's own graph with all that is inside of it;
/// none: it calls nothing. `pinned` are versions of other workflows; of the rest the newest
/// counts.
pub(super) async fn effects(
    runs: &Runs,
    workflow: &Workflow,
    pinned: &HashMap<String, u32>,
) -> Result<Vec<Option<Effect>>, Error> {
    let catalog = runs.context().catalog();
    let mut others = HashMap::new();
    let mut next = named(workflow);
    while let Some(name) = next.pop() {
        if others.contains_key(&name) {
            continue;
        }
        let found = definition(runs, &catalog, &name, pinned.get(&name).copied()).await?;
        next.extend(found.iter().flat_map(named));
        others.insert(name, found.map(|found| Other::of(&found, &catalog)));
    }
    let planned = plan(workflow, &catalog).tasks;
    let planned = planned.iter().map(|task| (task.id.as_str(), task));
    let all = All {
        workflow,
        planned: planned.collect(),
        others: &others,
    };
    let tasks = 0..workflow.tasks_of(0).len();
    Ok(tasks.map(|task| all.effect(task)).collect())
}

/// The definition of a stored workflow; none when it cannot be looked through.
async fn definition(
    runs: &Runs,
    catalog: &Catalog,
    name: &str,
    version: Option<u32>,
) -> Result<Option<Workflow>, Error> {
    let text = match version {
        Some(version) => stored::pinned(runs, name, version).await,
        None => stored::startable(runs, name, 0).await,
    };
    let text = match text {
        Ok(text) => text,
        Err(error @ (Error::Store(_) | Error::Open(_))) => return Err(error),
        // The start says why it cannot be; here it is only unknown.
        Err(_) => return Ok(None),
    };
    let source = Source {
        text: &text.source,
        file_name: &text.file_name,
        dialect: text.dialect,
    };
    let checked = check(&source, Some(catalog));
    Ok(checked.workflow.filter(|_| checked.errors.is_empty()))
}

/// The names of the workflows that the tasks of one start.
fn named(workflow: &Workflow) -> Vec<String> {
    let names = workflow.tasks.iter().filter_map(|task| match &task.kind {
        Kind::Workflow { name, .. } => Some(name.clone()),
        _ => None,
    });
    names.collect()
}

/// What counts of another workflow.
#[derive(Debug)]
struct Other {
    /// The highest effect of its own calls.
    effect: Option<Effect>,
    /// The workflows that it starts.
    starts: Vec<String>,
}

impl Other {
    fn of(workflow: &Workflow, catalog: &Catalog) -> Self {
        let tasks = plan(workflow, catalog).tasks;
        Self {
            effect: tasks.iter().filter_map(call).max(),
            starts: named(workflow),
        }
    }
}

/// The effect of a task's own call. A tool that nobody knows may do anything.
fn call(task: &PlannedTask) -> Option<Effect> {
    task.tool.as_ref()?;
    Some(task.effect.unwrap_or(Effect::Destructive))
}

struct All<'a> {
    workflow: &'a Workflow,
    planned: HashMap<&'a str, &'a PlannedTask>,
    /// By name; none: not to be looked through.
    others: &'a HashMap<String, Option<Other>>,
}

impl All<'_> {
    fn effect(&self, task: usize) -> Option<Effect> {
        let task = self.workflow.tasks.get(task)?;
        match &task.kind {
            Kind::Workflow { name, .. } => self.effect_of(name),
            Kind::Group { body } => {
                let inner = self.workflow.bodies.get(*body)?.range();
                inner.filter_map(|task| self.effect(task)).max()
            }
            _ => call(self.planned.get(task.id.as_str())?),
        }
    }

    /// Of another workflow with all that it starts. Workflows may start each other in a ring.
    fn effect_of(&self, name: &str) -> Option<Effect> {
        let (mut seen, mut next) = (BTreeSet::from([name]), vec![name]);
        let mut highest = None;
        while let Some(name) = next.pop() {
            let Some(Some(other)) = self.others.get(name) else {
                return Some(Effect::Destructive);
            };
            highest = highest.max(other.effect);
            let starts = other.starts.iter().map(String::as_str);
            next.extend(starts.filter(|name| seen.insert(name)));
        }
        highest
    }
}
