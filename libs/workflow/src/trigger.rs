//! What starts a workflow by itself.

use gearmesh_expr::Expression;
use serde_json::{Map, Value};

use crate::node::Node;

/// One of the `triggers` of a file.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Its name, unique in the file.
    pub id: Option<String>,
    /// The key that says what kind it is: `cron`, `rrule`, `interval`, `once`, `event`,
    /// `webhook`, `file` or `email`.
    pub kind: String,
    /// The value of that key.
    pub value: Value,
    /// A start is left out when this does not hold; sees `trigger`.
    pub when: Option<Expression>,
    /// What it gives the inputs: values, maybe with expressions that see `trigger`.
    pub inputs: Vec<(String, Node)>,
    /// The other keys, as `timezone` and `catchUp`, as the file has them.
    pub settings: Map<String, Value>,
}
