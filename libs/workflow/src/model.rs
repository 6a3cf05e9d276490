//! A workflow that was checked: what the orchestrator runs.

use std::time::Duration;

use gearmesh_expr::{Expression, Template};

use crate::graph::Graph;
use crate::input::InputSpec;
use crate::kind::Kind;
use crate::node::Node;
use crate::retry::Retry;
use crate::source::Dialect;
use crate::trigger::Trigger;

/// How long an attempt of a tool may take when the file does not say.
pub const TOOL_TIMEOUT: Duration = Duration::from_secs(300);

/// Task attempts at once in a run when the file does not say.
pub const MAX_CONCURRENT: usize = 10;

/// The priority of a workflow's runs when the file does not say.
pub const PRIORITY: u8 = 5;

/// The name of an element when the file does not say.
pub const AS_NAME: &str = "item";

/// Most items of an `each`.
pub const ITEMS_MAX: usize = 10_000;

/// A workflow without faults. Never changed after it was made; share it in an `Arc`.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its name; `oktyv` for that dialect, which has none.
    pub name: String,
    /// A short text for people.
    pub title: Option<String>,
    /// A longer one.
    pub description: Option<String>,
    /// Labels in the order of the file.
    pub labels: Vec<(String, String)>,
    /// Names for the references that a run may use: name and `vault://` reference.
    pub secrets: Vec<(String, String)>,
    /// What starts it by itself.
    pub triggers: Vec<Trigger>,
    /// How many of its runs go at once.
    pub concurrency: Option<Concurrency>,
    /// Of its runs, 1-9: higher first.
    pub priority: u8,
    /// Within the time a start with an equal key is answered with the first run (Ordinaut only).
    pub dedupe: Option<(String, Duration)>,
    /// How the file was written.
    pub dialect: Dialect,
    /// What a start gives it.
    pub inputs: Vec<InputSpec>,
    /// Constants in the order of the file: each may use those before it.
    pub vars: Vec<(String, Node)>,
    /// Most task attempts at once, 1-100.
    pub max_concurrent: usize,
    /// Longest time from admission to the end.
    pub timeout: Option<Duration>,
    /// What a failed task does to the rest.
    pub on_error: OnError,
    /// All tasks, named by position: those of one body stand together, the workflow's own
    /// first, each body in the order of the file.
    pub tasks: Vec<Task>,
    /// The graphs of the file: its own first, then those of groups and handlers.
    pub bodies: Vec<Body>,
    /// Run after a graph that failed.
    pub on_failure: Option<BodyId>,
    /// Run after a graph that succeeded.
    pub on_success: Option<BodyId>,
    /// Run at last, however the graph ended.
    pub finally: Option<BodyId>,
    /// The results of the run.
    pub outputs: Vec<(String, Node)>,
}

/// The position of a body among those of its workflow.
pub type BodyId = usize;

/// A graph of tasks: the workflow's own, a group's or a handler's.
#[derive(Debug, Clone)]
pub struct Body {
    /// The position of its first task; the others follow.
    pub first: usize,
    /// Which task needs which, counted from `first`.
    pub graph: Graph,
}

impl Body {
    /// How many tasks it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.needs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The positions of its tasks.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.len()
    }
}

impl Workflow {
    /// A workflow of one graph with the default of every other key.
    #[must_use]
    pub fn new(name: String, dialect: Dialect, tasks: Vec<Task>, graph: Graph) -> Self {
        Self {
            name,
            title: None,
            description: None,
            labels: Vec::new(),
            secrets: Vec::new(),
            triggers: Vec::new(),
            concurrency: None,
            priority: PRIORITY,
            dedupe: None,
            dialect,
            inputs: Vec::new(),
            vars: Vec::new(),
            max_concurrent: MAX_CONCURRENT,
            timeout: None,
            on_error: OnError::Stop,
            tasks,
            bodies: vec![Body { first: 0, graph }],
            on_failure: None,
            on_success: None,
            finally: None,
            outputs: Vec::new(),
        }
    }

    /// The graph of the workflow itself, without the inner tasks of groups.
    ///
    /// # Panics
    /// Never: each workflow has a body.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.bodies[0].graph
    }

    /// What is inside of a sensitive group is sensitive, however deep.
    pub(crate) fn pass_sensitive_on(&mut self) {
        let inside = |task: &Task| match task.kind {
            Kind::Group { body } if task.sensitive => Some(body),
            _ => None,
        };
        let mut open: Vec<BodyId> = self.tasks.iter().filter_map(inside).collect();
        while let Some(body) = open.pop() {
            let range = self.bodies.get(body).map(Body::range).unwrap_or_default();
            for task in self.tasks.get_mut(range).unwrap_or_default() {
                if !task.sensitive {
                    task.sensitive = true;
                    open.extend(inside(task));
                }
            }
        }
    }

    /// The tasks of a body, in the order of the file.
    #[must_use]
    pub fn tasks_of(&self, body: BodyId) -> &[Task] {
        self.bodies
            .get(body)
            .and_then(|body| self.tasks.get(body.range()))
            .unwrap_or_default()
    }
}

/// What a failed task does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing more starts, but for tasks that ask for it.
    Stop,
    /// What does not need it goes on.
    Continue,
    /// As `Stop`; then what had succeeded is undone, the last first.
    Undo,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id, unique in the file.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// The stored connection that it uses.
    pub connection: Option<Node>,
    /// It is skipped when this does not hold.
    pub when: Option<Expression>,
    /// Which ends of its needs let it start.
    pub run_if: RunIf,
    /// What it is done for, one instance each.
    pub each: Option<Each>,
    /// The name of the element in an instance.
    pub as_name: String,
    /// Most instances at once, 1-100; `None`: the workflow's.
    pub max_concurrent: Option<usize>,
    /// What a failed instance does to the others.
    pub on_item_error: OnItemError,
    /// When a failed attempt is made again; `None`: never. The workflow's is filled in.
    pub retry: Option<Retry>,
    /// Longest time of one attempt; filled in for tools.
    pub timeout: Option<Duration>,
    /// What its failure does; `None`: what the workflow says.
    pub on_error: Option<TaskOnError>,
    /// What must hold of its result.
    pub expect: Option<Expression>,
    /// It is done again until this holds.
    pub repeat: Option<Repeat>,
    /// What follows when nobody can say whether an attempt took effect.
    pub on_unknown: OnUnknown,
    /// The call that takes its effect back; `None`: the tool's own, if it has one.
    pub undo: Option<Undo>,
    /// The name under which its result is kept as an artifact: text, maybe with expressions.
    pub save: Option<Node>,
    /// Its result is shown to nobody.
    pub sensitive: bool,
    /// When the result of an earlier run stands in for a call.
    pub cache: Option<Cache>,
    /// The key that the engine gets; `None`: one of the orchestrator's.
    pub idempotency_key: Option<Node>,
    /// Among ready tasks higher goes first, then the order of the file.
    pub priority: i32,
    /// The vault to use where the tool takes a `vaultName` and `params` has none (Oktyv only).
    pub vault: Option<String>,
    /// The name under which the answer's `steps` have its result (Ordinaut only).
    pub save_as: Option<String>,
}

impl Task {
    /// A task of this kind with the default of every other key.
    #[must_use]
    pub fn new(id: String, kind: Kind) -> Self {
        Self {
            id,
            kind,
            connection: None,
            when: None,
            run_if: RunIf::Ready,
            each: None,
            as_name: AS_NAME.to_owned(),
            max_concurrent: None,
            on_item_error: OnItemError::Stop,
            retry: None,
            timeout: None,
            on_error: None,
            expect: None,
            repeat: None,
            on_unknown: OnUnknown::Fail,
            undo: None,
            save: None,
            sensitive: false,
            cache: None,
            idempotency_key: None,
            priority: 0,
            vault: None,
            save_as: None,
        }
    }

    /// The name of its tool as the file has it.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        match &self.kind {
            Kind::Tool { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Which ends of the needs let a task start, once all have ended. "Failed" is
/// failed, cancelled, or skipped because of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunIf {
    /// None failed, and one succeeded or there are no needs.
    Ready,
    /// None failed.
    NoneFailed,
    /// Every one succeeded.
    AllSucceeded,
    /// Any.
    AllDone,
    /// At least one succeeded.
    AnySucceeded,
    /// At least one failed.
    AnyFailed,
}

/// What a task is done for.
#[derive(Debug, Clone)]
pub enum Each {
    /// A list that the file has, at most [`ITEMS_MAX`] long.
    List(Vec<Node>),
    /// An expression that gives one.
    Expression(Template),
}

/// What a failed instance does to the others of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnItemError {
    /// No further one starts, and the task fails.
    Stop,
    /// The task succeeds if any did.
    Continue,
}

/// What the failure of a task does.
#[derive(Debug, Clone)]
pub enum TaskOnError {
    /// As the workflow's `stop`.
    Stop,
    /// As the workflow's `continue`.
    Continue,
    /// It counts as succeeded, with this result.
    Use(Node),
}

/// How many runs with one key go at once.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// At most so many, at least 1.
    pub limit: u32,
    /// Which runs share the limit; `None`: all of the workflow. A text that begins with
    /// `global:` is shared by all workflows.
    pub key: Option<Node>,
    /// What a run does that finds no place.
    pub on_conflict: OnConflict,
}

/// What a run does that finds no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// It waits.
    Queue,
    /// It ends `cancelled`.
    Skip,
    /// It cancels those that have the places.
    CancelRunning,
}

/// A task that is done again until its result is as wanted.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Sees the own result under the task's name.
    pub until: Expression,
    /// The wait before the next round.
    pub delay: Duration,
    /// Most rounds.
    pub max: u32,
    /// Longest time from the first round.
    pub timeout: Option<Duration>,
}

/// What follows when nobody can say whether an attempt took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// The task fails.
    Fail,
    /// It is sent again.
    Retry,
    /// It waits for a person's decision.
    Ask,
}

/// A call that takes an effect back. Its expressions see the own result under the
/// task's name.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The tool.
    pub tool: String,
    /// Its arguments: a map.
    pub params: Node,
}

/// When the result of an earlier run stands in for a call.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Results with an equal key, of the same workflow and task, are the same.
    pub key: Node,
    /// How long one may stand in.
    pub ttl: Duration,
}
