//! What is known of a run.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Kind, Task, Workflow};

use crate::plan::frame::{Frame, ROOT};
use crate::plan::task_state::{InstanceStatus, TaskState};
use crate::plan::undo::Undoing;
use crate::render::instant;

/// What is known of a run: its definition and the facts so far.
#[derive(Debug)]
pub(crate) struct State {
    /// The run's id as text.
    pub(crate) run: String,
    pub(crate) workflow: Arc<Workflow>,
    /// Position of each task of the file by its id.
    pub(crate) index: HashMap<String, usize>,
    /// How the run was accepted, less the texts that are kept parsed here.
    pub(crate) accepted: Accepted,
    pub(crate) accepted_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) phase: Phase,
    /// It has had its place: what never had one has nothing to clean up.
    pub(crate) begun: bool,
    /// Nothing is given out; with who wanted it, and why.
    pub(crate) paused: Option<(String, String)>,
    /// The graphs under way; the first is the workflow's own.
    pub(crate) frames: Vec<Frame>,
    /// Frames by their body and the items of the groups around them.
    pub(crate) frame_of: HashMap<(usize, Vec<u32>), usize>,
    pub(crate) tasks: Vec<TaskState>,
    /// Roots of expressions that do not change: `inputs`, `vars`, `run`, `trigger`, `now`.
    pub(crate) constants: Map<String, Value>,
    pub(crate) outputs: Value,
    /// The first failure that counts, and whose it was.
    pub(crate) failed: Option<(String, Problem)>,
    /// The handlers that were begun, with their frames.
    pub(crate) handlers: Vec<(Stage, usize)>,
    /// When the handlers must have ended.
    pub(crate) handlers_due_ms: Option<i64>,
    pub(crate) handlers_timed_out: bool,
    pub(crate) undoing: Undoing,
    /// `all` or `part`, once something was undone.
    pub(crate) undone: String,

    /// The last record's instant, and what the time until then went into.
    pub(crate) seen_ms: i64,
    pub(crate) spent: Spent,

    /// Tasks whose needs have all ended and about which nothing is decided yet.
    pub(crate) unlocked: VecDeque<usize>,
    /// Instances that may start and take a slot, best first.
    pub(crate) ready: BTreeSet<ReadyKey>,
    /// Instances that may start and take none.
    pub(crate) free: BTreeSet<ReadyKey>,
    /// Waits before a further attempt: instant, task, item.
    pub(crate) backoffs: BTreeSet<(i64, usize, usize)>,
    /// Waits that end by themselves: instant, task, item.
    pub(crate) timers: BTreeSet<(i64, usize, usize)>,
    /// Groups whose tasks have all ended.
    pub(crate) drained: VecDeque<usize>,
    /// Attempts that are under way.
    pub(crate) leased: usize,
    /// Instances that wait for people, time, an event or another run.
    pub(crate) waiting: usize,
}

/// What a run was accepted with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted {
    pub(crate) version: u32,
    pub(crate) folder: String,
    /// Who started it.
    pub(crate) principal: String,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
    /// W3C trace context of the start; empty: none.
    pub(crate) trace: String,
    /// When the run must have ended. What `timeout` says counts from its admission, so that a
    /// run that waits for its place has none, unless its start gave one.
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) priority: u32,
    pub(crate) parent: Option<journal::Parent>,
    /// The concurrency key that it needs, and how many may have it.
    pub(crate) place: Option<(String, u32)>,
    pub(crate) inherited: Vec<String>,
    pub(crate) reuses: String,
    pub(crate) pinned: HashMap<String, u32>,
    pub(crate) passes_before: u32,
    pub(crate) mock: bool,
}

/// Where the time of a run went, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) queued_ms: i64,
    pub(crate) working_ms: i64,
    pub(crate) retrying_ms: i64,
    pub(crate) waiting_ms: i64,
}

/// Order among ready instances: higher priority, then file order, then place and item.
pub(crate) type ReadyKey = (std::cmp::Reverse<i32>, usize, usize, usize);

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for its place.
    Queued,
    Running,
    /// Nothing starts any more; it waits for attempts to end.
    Cancelling {
        timed_out: bool,
    },
    /// Its graph has ended so; what follows is under way.
    Finishing {
        stage: Stage,
        end: RunEnd,
    },
    Ended(RunEnd),
}

/// What follows when the graph of a run has ended, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Undo,
    OnFailure,
    OnSuccess,
    Finally,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Undo, Self::OnFailure, Self::OnSuccess, Self::Finally];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::OnFailure => "onFailure",
            Self::OnSuccess => "onSuccess",
            Self::Finally => "finally",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
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

/// Why something failed.
#[derive(Debug, Clone, Default, PartialEq)]
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

impl State {
    /// A run about which nothing but its acceptance is known.
    pub(crate) fn new(
        run: String,
        workflow: Arc<Workflow>,
        accepted: &journal::Accepted,
        accepted_ms: i64,
    ) -> Self {
        let index = workflow.tasks.iter().enumerate();
        let index = index.map(|(i, t)| (t.id.clone(), i)).collect();
        let mut state = Self {
            constants: constants(&run, accepted, accepted_ms),
            run,
            index,
            accepted: Accepted::of(accepted),
            accepted_ms,
            ended_ms: None,
            phase: if accepted.queued {
                Phase::Queued
            } else {
                Phase::Running
            },
            begun: !accepted.queued,
            paused: None,
            frames: Vec::new(),
            frame_of: HashMap::new(),
            tasks: Vec::new(),
            outputs: Value::Null,
            failed: None,
            handlers: Vec::new(),
            handlers_due_ms: None,
            handlers_timed_out: false,
            undoing: Undoing::default(),
            undone: String::new(),
            seen_ms: accepted_ms,
            spent: Spent::default(),
            unlocked: VecDeque::new(),
            ready: BTreeSet::new(),
            free: BTreeSet::new(),
            backoffs: BTreeSet::new(),
            timers: BTreeSet::new(),
            drained: VecDeque::new(),
            leased: 0,
            waiting: 0,
            workflow,
        };
        let references = (state.workflow.secrets.iter())
            .map(|(name, reference)| (name.clone(), reference.clone().into()));
        let references = Value::Object(references.collect());
        state.constants.insert("secrets".into(), references);
        state.add_frame(ROOT, Vec::new(), None, None);
        state
    }

    pub(crate) fn task(&self, task: usize) -> &Task {
        &self.workflow.tasks[self.tasks[task].definition]
    }

    /// Where a task of the workflow's own graph or of a handler stands.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.at(id, &[])
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Whether all tasks of the workflow's own graph have ended.
    pub(crate) fn graph_ended(&self) -> bool {
        self.frames[ROOT].open == 0
    }

    pub(crate) fn ready_key(&self, task: usize, item: usize) -> ReadyKey {
        let definition = self.tasks[task].definition;
        let priority = self.workflow.tasks[definition].priority;
        (std::cmp::Reverse(priority), definition, task, item)
    }

    /// The set of ready instances to which those of a task belong.
    pub(crate) fn ready_of(&mut self, task: usize) -> &mut BTreeSet<ReadyKey> {
        match self.task(task).kind {
            Kind::Tool { .. } => &mut self.ready,
            _ => &mut self.free,
        }
    }

    /// The earliest instant at which something is due by itself.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        if self.ended() {
            return None;
        }
        let first = |set: &BTreeSet<(i64, usize, usize)>| set.first().map(|(due, ..)| *due);
        let paused = self.paused.is_some();
        let own = match self.phase {
            Phase::Queued | Phase::Running => self.accepted.deadline_ms,
            // Ended already, what is under way answers when it does.
            Phase::Finishing { .. } if self.handlers_timed_out => None,
            Phase::Finishing { .. } => self.handlers_due_ms,
            _ => None,
        };
        let backoff = first(&self.backoffs).filter(|_| !paused);
        let timer = first(&self.timers).filter(|_| !paused);
        let undo = self.undoing.due_ms.filter(|_| !paused);
        [backoff, timer, undo, own].into_iter().flatten().min()
    }

    /// What the run is, as others see it.
    pub(crate) fn status(&self) -> &'static str {
        match self.phase {
            Phase::Ended(end) => end.as_str(),
            Phase::Queued | Phase::Running if self.paused.is_some() => "paused",
            Phase::Queued => "queued",
            Phase::Running | Phase::Finishing { .. } if self.only_waits() => "waiting",
            _ => "running",
        }
    }

    /// Whether nothing but waits is under way.
    fn only_waits(&self) -> bool {
        let leaf = |task: &TaskState| {
            let waits = |s| matches!(s, InstanceStatus::Waiting | InstanceStatus::Unknown);
            let group = matches!(
                self.workflow.tasks[task.definition].kind,
                Kind::Group { .. }
            );
            !group && task.instances.iter().any(|i| waits(i.status))
        };
        self.waiting > 0
            && self.leased == 0
            && self.backoffs.is_empty()
            && self.ready.is_empty()
            && self.tasks.iter().any(leaf)
    }
}

impl Accepted {
    fn of(accepted: &journal::Accepted) -> Self {
        let place = (accepted.place.clone(), accepted.place_limit.max(1));
        Self {
            version: accepted.version,
            folder: accepted.folder.clone(),
            principal: accepted.principal.clone(),
            scopes: accepted.scopes.clone(),
            trace: accepted.trace.clone(),
            deadline_ms: accepted.deadline_ms,
            priority: accepted.priority,
            parent: accepted.parent.clone(),
            place: Some(place).filter(|(key, _)| !key.is_empty()),
            inherited: accepted.inherited.clone(),
            reuses: accepted.reuses.clone(),
            pinned: accepted.pinned.clone().into_iter().collect(),
            passes_before: accepted.passes_before,
            mock: accepted.mock,
        }
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
    let scheduled = accepted.scheduled_ms.map_or_else(|| now.clone(), instant);
    let mut roots = Map::new();
    roots.insert("inputs".into(), parse(&accepted.inputs));
    roots.insert(
        "run".into(),
        json!({
            "id": run,
            "workflow": accepted.workflow,
            "version": accepted.version,
            "scheduledAt": scheduled,
            "startTime": now,
            "actor": accepted.principal,
        }),
    );
    let trigger = match accepted.trigger.as_ref() {
        b"" => json!({"kind": "manual", "id": null, "time": now}),
        bytes => parse(bytes),
    };
    roots.insert("trigger".into(), trigger);
    roots.insert("now".into(), now.into());
    roots.insert("vars".into(), parse(&accepted.vars));
    roots
}
