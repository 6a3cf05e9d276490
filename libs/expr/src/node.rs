//! An expression made ready for evaluation.

use jmespath::ast::Comparator;
use serde_json::Value;

use crate::error::Span;
use crate::function::Function;

/// One step with its place in the text.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a step does with the current value.
///
/// What the parser nests to the left (`a.b.c`, `a || b || c`, `a[][]`) is a list here, so that evaluating it is a loop and
/// the recursion of the evaluator is bounded by the depth of the text.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A name of the scope. Every other step reads the current value.
    Root(String),
    Field(String),
    Index(i64),
    Slice {
        start: Option<i64>,
        stop: Option<i64>,
        step: i64,
    },
    Current,
    Literal(Value),
    /// The first that is true, else the last.
    Any(Vec<Node>),
    /// The first that is not true, else the last.
    All(Vec<Node>),
    Not(Box<Node>),
    /// From left to right.
    Compare(Box<Node>, Vec<(Comparator, Node)>),
    /// Each on the value of the one before.
    Chain(Vec<Node>),
    /// One level of lists taken out of the current list.
    Flatten,
    /// The values of the current object.
    Values,
    /// On each element of the current list; nulls are left out.
    Project(Box<Node>),
    /// Inside a projection: `then` where `test` is true, else null.
    Filter {
        test: Box<Node>,
        then: Box<Node>,
    },
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// An argument that a function evaluates itself.
    Reference(Box<Node>),
    Call(Function, Vec<Node>),
}

impl Node {
    /// The steps when this is nothing but a root name with names and indexes after it.
    pub(crate) fn plain_path(&self) -> Option<&[Node]> {
        let steps = match &self.kind {
            Kind::Chain(steps) => steps.as_slice(),
            Kind::Root(_) => std::slice::from_ref(self),
            _ => return None,
        };
        let (root, rest) = steps.split_first()?;
        let plain = matches!(root.kind, Kind::Root(_)) && rest.iter().all(Node::is_step);
        plain.then_some(steps)
    }

    /// A name or an index.
    pub(crate) fn is_step(&self) -> bool {
        matches!(self.kind, Kind::Field(_) | Kind::Index(_))
    }
}
