//! What is known of a run.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Task, Workflow};

use crate::render::instant;

/// What is known of a run: its definition and the facts so far.
#[derive(Debug)]
pub(crate) struct State {
    /// The run's id as text.
    pub(crate) run: String,
    pub(crate) workflow: Arc<Workflow>,
    /// Position of each task by its id.
    pub(crate) index: HashMap<String, usize>,
    pub(crate) version: u32,
    pub(crate) folder: String,
    /// Who started it.
    pub(crate) principal: String,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
    /// W3C trace context of the start; empty: none.
    pub(crate) trace: String,
    pub(crate) accepted_ms: i64,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) phase: Phase,
    pub(crate) tasks: Vec<TaskState>,
    /// Roots of expressions that do not change: `inputs`, `vars`, `run`, `trigger`, `now`.
    pub(crate) constants: Map<String, Value>,
    pub(crate) outputs: Value,
    /// The first failure that counts, and whose it was.
    pub(crate) failed: Option<(String, Problem)>,
    /// A task failed and nothing further may start, but for those that wait for failures.
    pub(crate) stopping: bool,

    /// The last record's instant, and what the time until then went into.
    pub(crate) seen_ms: i64,
    pub(crate) working_ms: i64,
    pub(crate) retrying_ms: i64,

    /// Tasks whose needs have all ended and about which nothing is decided yet.
    pub(crate) unlocked: VecDeque<usize>,
    /// Instances that may start, best first.
    pub(crate) ready: BTreeSet<ReadyKey>,
    /// Waits before a further attempt: instant, task, item.
    pub(crate) backoffs: BTreeSet<(i64, usize, usize)>,
    /// Attempts that are under way.
    pub(crate) leased: usize,
    /// Tasks that have not ended.
    pub(crate) open: usize,
}

/// Order among ready instances: higher priority, then file order, then item.
pub(crate) type ReadyKey = (std::cmp::Reverse<i32>, usize, usize);

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Nothing starts any more; it waits for attempts to end.
    Cancelling {
        timed_out: bool,
    },
    Ended(RunEnd),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Succeeded,
    Partial,
    Failed,
    Cancelled,
    TimedOut,
}

impl RunEnd {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timedOut",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "succeeded" => Self::Succeeded,
            "partial" => Self::Partial,
            "cancelled" => Self::Cancelled,
            "timedOut" => Self::TimedOut,
            _ => Self::Failed,
        }
    }
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running | Self::Cancelling { .. } => "running",
            Self::Ended(end) => end.as_str(),
        }
    }
}

/// A task as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    /// Its needs have not all ended, or nothing is decided yet.
    Blocked,
    /// Its instances are under way.
    Active,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

/// What is known of a task.
#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) status: TaskStatus,
    /// Needs that have not ended.
    pub(crate) open_needs: usize,
    /// One for a plain task, one per element for an `each` task.
    pub(crate) instances: Vec<Instance>,
    /// The elements of an `each` task, once they are known.
    pub(crate) items: Option<Vec<Value>>,
    /// Instances that have not ended.
    pub(crate) open_instances: usize,
    pub(crate) leased: usize,
    /// Under `onItemError: stop`: an instance failed, no further one starts.
    pub(crate) items_stopped: bool,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) reason: String,
    pub(crate) problem: Option<Problem>,
    pub(crate) substituted: bool,
    /// What expressions see under the task's name; `Null` until it has ended.
    pub(crate) view: Value,
}

/// One execution of a task: the task itself, or one element of its `each`.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) status: InstanceStatus,
    /// Attempts given out; the current one while leased.
    pub(crate) attempt: u32,
    /// Attempts that failed and count against `retry`.
    pub(crate) failures: u32,
    /// Attempts that were lost with a process.
    pub(crate) lost: u32,
    pub(crate) pass: u32,
    pub(crate) due_ms: i64,
    pub(crate) class: String,
    pub(crate) key: String,
    pub(crate) tool: String,
    /// The engine's instance that got the last attempt; empty: any.
    pub(crate) served_by: String,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) result: Value,
    pub(crate) problem: Option<Problem>,
    pub(crate) reason: String,
    pub(crate) substituted: bool,
}

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceStatus {
    Ready,
    Leased,
    Backoff,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

impl InstanceStatus {
    pub(crate) fn ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retryable: bool,
    pub(crate) hint: String,
    pub(crate) details: Box<Value>,
}

impl Problem {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retryable: false,
            hint: String::new(),
            details: Box::default(),
        }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            status: InstanceStatus::Ready,
            attempt: 0,
            failures: 0,
            lost: 0,
            pass: 1,
            due_ms: 0,
            class: String::new(),
            key: String::new(),
            tool: String::new(),
            served_by: String::new(),
            start_ms: None,
            end_ms: None,
            result: Value::Null,
            problem: None,
            reason: String::new(),
            substituted: false,
        }
    }
}

impl TaskState {
    fn new(needs: usize) -> Self {
        Self {
            status: TaskStatus::Blocked,
            open_needs: needs,
            instances: Vec::new(),
            items: None,
            open_instances: 0,
            leased: 0,
            items_stopped: false,
            start_ms: None,
            end_ms: None,
            reason: String::new(),
            problem: None,
            substituted: false,
            view: Value::Null,
        }
    }

    pub(crate) fn ended(&self) -> bool {
        !matches!(self.status, TaskStatus::Blocked | TaskStatus::Active)
    }

    /// Failed as the joins see it: also when it did not run because something before it failed.
    pub(crate) fn failed_for_joins(&self) -> bool {
        match self.status {
            TaskStatus::Failed | TaskStatus::Cancelled => true,
            TaskStatus::Skipped => self.reason == NEED_FAILED || self.reason == RUN_STOPPED,
            _ => false,
        }
    }
}

/// Reasons for which a task is skipped.
pub(crate) const CONDITION: &str = "CONDITION";
pub(crate) const NEED_FAILED: &str = "NEED_FAILED";
pub(crate) const NEEDS_SKIPPED: &str = "NEEDS_SKIPPED";
pub(crate) const RUN_STOPPED: &str = "RUN_STOPPED";

impl State {
    /// A run about which nothing but its acceptance is known.
    pub(crate) fn new(
        run: String,
        workflow: Arc<Workflow>,
        accepted: &journal::Accepted,
        accepted_ms: i64,
    ) -> Self {
        let tasks: Vec<TaskState> = workflow
            .graph
            .needs
            .iter()
            .map(|needs| TaskState::new(needs.len()))
            .collect();
        let unlocked = (0..tasks.len())
            .filter(|t| tasks[*t].open_needs == 0)
            .collect();
        let index = workflow
            .tasks
            .iter()
            .enumerate()
            .map(|(i, t)| (t.id.clone(), i))
            .collect();
        Self {
            constants: constants(&run, accepted, accepted_ms),
            run,
            index,
            version: accepted.version,
            folder: accepted.folder.clone(),
            principal: accepted.principal.clone(),
            scopes: accepted.scopes.clone(),
            trace: accepted.trace.clone(),
            accepted_ms,
            deadline_ms: accepted.deadline_ms,
            ended_ms: None,
            phase: Phase::Running,
            open: tasks.len(),
            tasks,
            outputs: Value::Null,
            failed: None,
            stopping: false,
            seen_ms: accepted_ms,
            working_ms: 0,
            retrying_ms: 0,
            unlocked,
            ready: BTreeSet::new(),
            backoffs: BTreeSet::new(),
            leased: 0,
            workflow,
        }
    }

    pub(crate) fn task(&self, index: usize) -> &Task {
        &self.workflow.tasks[index]
    }

    /// The position of a task by its id.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    pub(crate) fn ready_key(&self, task: usize, item: usize) -> ReadyKey {
        (std::cmp::Reverse(self.task(task).priority), task, item)
    }

    /// The earliest instant at which something is due by itself.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        if self.ended() {
            return None;
        }
        let backoff = self.backoffs.first().map(|(due, ..)| *due);
        let deadline = match self.phase {
            Phase::Running => self.deadline_ms,
            _ => None,
        };
        [backoff, deadline].into_iter().flatten().min()
    }
}

/// The roots of expressions that do not change during a run.
pub(crate) fn constants(
    run: &str,
    accepted: &journal::Accepted,
    accepted_ms: i64,
) -> Map<String, Value> {
    let parse = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|_| json!({}));
    let now = instant(accepted_ms);
    let mut roots = Map::new();
    roots.insert("inputs".into(), parse(&accepted.inputs));
    roots.insert(
        "run".into(),
        json!({
            "id": run,
            "workflow": accepted.workflow,
            "version": accepted.version,
            "scheduledAt": now,
            "startTime": now,
            "actor": accepted.principal,
        }),
    );
    roots.insert(
        "trigger".into(),
        json!({"kind": "manual", "id": null, "time": now}),
    );
    roots.insert("now".into(), now.into());
    roots.insert("vars".into(), parse(&accepted.vars));
    roots
}
