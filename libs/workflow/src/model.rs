//! A workflow that was checked: what the orchestrator runs.

use std::time::Duration;

use gearmesh_expr::{Expression, Template};

use crate::graph::Graph;
use crate::input::InputSpec;
use crate::node::Node;
use crate::retry::Retry;
use crate::source::Dialect;

/// How long an attempt of a tool may take when the file does not say.
pub const TOOL_TIMEOUT: Duration = Duration::from_secs(300);

/// Task attempts at once in a run when the file does not say.
pub const MAX_CONCURRENT: usize = 10;

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
    /// The tasks, in the order of the file; the graph names them by position.
    pub tasks: Vec<Task>,
    /// The results of the run.
    pub outputs: Vec<(String, Node)>,
    /// Which task needs which.
    pub graph: Graph,
}

/// What a failed task does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing more starts, but for tasks that ask for it.
    Stop,
    /// What does not need it goes on.
    Continue,
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
    /// The key that the engine gets; `None`: one of the orchestrator's.
    pub idempotency_key: Option<Node>,
    /// Among ready tasks higher goes first, then the order of the file.
    pub priority: i32,
    /// The vault to use where the tool takes a `vaultName` and `params` has none (Oktyv only).
    pub vault: Option<String>,
}

impl Task {
    /// The name of its tool as the file has it.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        match &self.kind {
            Kind::Tool { name, .. } => Some(name),
            Kind::Set { .. } => None,
        }
    }
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Calls a tool.
    Tool {
        /// Its id, its MCP spelling or an alias, as the file has it.
        name: String,
        /// The arguments: a map.
        params: Node,
    },
    /// Computes values and calls nothing.
    Set {
        /// The result: a map.
        values: Node,
    },
}

impl Kind {
    /// The word for it: `tool` or `set`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Kind::Tool { .. } => "tool",
            Kind::Set { .. } => "set",
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
