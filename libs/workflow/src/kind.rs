//! What a task does.

use std::time::Duration;

use gearmesh_expr::Expression;

use crate::input::InputSpec;
use crate::model::BodyId;
use crate::node::Node;

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
    /// Runs another workflow and gives its outputs.
    Workflow {
        /// Its name.
        name: String,
        /// Its inputs: a map.
        params: Node,
    },
    /// Waits for the decision of people.
    Approve(Box<Approve>),
    /// Waits for time to pass or for an event.
    Wait(Box<Wait>),
    /// Runs the tasks of a graph of its own and gives their results by id.
    Group {
        /// The graph.
        body: BodyId,
    },
}

impl Kind {
    /// The word for it, as the key of the file.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Kind::Tool { .. } => "tool",
            Kind::Set { .. } => "set",
            Kind::Workflow { .. } => "workflow",
            Kind::Approve(_) => "approve",
            Kind::Wait(_) => "wait",
            Kind::Group { .. } => "tasks",
        }
    }
}

/// A question to people.
#[derive(Debug, Clone)]
pub struct Approve {
    /// What they are asked: text, maybe with expressions.
    pub message: Node,
    /// Who may answer, as `user:x` or `role:x`; each a text, maybe with expressions.
    pub approvers: Vec<Node>,
    /// How many different people must agree, at least 1.
    pub quorum: u32,
    /// How long it waits; `None`: for ever.
    pub timeout: Option<Duration>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// What they fill in.
    pub form: Vec<InputSpec>,
}

/// What a question is worth that nobody answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// It is rejected.
    Reject,
    /// It is approved.
    Approve,
    /// The task fails with `APPROVAL_TIMEOUT`.
    Fail,
}

/// What a task waits for.
#[derive(Debug, Clone)]
pub enum Wait {
    /// For a duration: text, maybe an expression.
    For(Node),
    /// Until an instant: text, maybe an expression.
    Until(Node),
    /// For an event.
    Event {
        /// Its topic; `*` stands for one segment, `**` for the rest.
        topic: Node,
        /// What must hold of it; sees `event`.
        where_: Option<Expression>,
        /// How long; `None`: for ever. Past it the task fails with `WAIT_TIMEOUT`.
        timeout: Option<Duration>,
    },
}
