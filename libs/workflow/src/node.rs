//! A value of a workflow: fixed, or known once its expressions are evaluated.

use gearmesh_expr::{self as expr, Scope, Template};
use serde_json::{Map, Value};

/// A value with the expressions in it parsed.
#[derive(Debug, Clone)]
pub enum Node {
    /// Nothing in it is an expression.
    Constant(Value),
    /// A text with `${..}` in it.
    Text(Template),
    /// A text with references in the way of Oktyv.
    Oktyv(expr::oktyv::Template),
    /// A text with expressions in the way of Ordinaut, in our own names: what is missing is null.
    Ordinaut(expr::ordinaut::Template),
    /// A text of Oktyv whose references cannot be read: it fails the task that needs it, not the request.
    Failing(expr::Error),
    /// A list with an expression somewhere in it.
    List(Vec<Node>),
    /// A map with an expression somewhere in it, in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value, read from `scope` where it is an expression.
    ///
    /// # Errors
    ///
    /// That of the first expression that gives no value.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, expr::Error> {
        match self {
            Node::Constant(value) => Ok(value.clone()),
            Node::Text(template) => template.evaluate(scope),
            Node::Oktyv(template) => template.evaluate(scope),
            Node::Ordinaut(template) => template.evaluate(scope).map(|resolved| resolved.value),
            Node::Failing(error) => Err(error.clone()),
            Node::List(items) => items.iter().map(|item| item.evaluate(scope)).collect(),
            Node::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, node) in entries {
                    map.insert(key.clone(), node.evaluate(scope)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    /// Whether nothing in it is an expression.
    #[must_use]
    pub const fn is_constant(&self) -> bool {
        matches!(self, Node::Constant(_))
    }

    /// A list, constant when its items are.
    pub(crate) fn list(items: Vec<Node>) -> Node {
        if !items.iter().all(Node::is_constant) {
            return Node::List(items);
        }
        Node::Constant(items.into_iter().map(Node::into_constant).collect())
    }

    /// A map, constant when its values are.
    pub(crate) fn map(entries: Vec<(String, Node)>) -> Node {
        if !entries.iter().all(|(_, node)| node.is_constant()) {
            return Node::Map(entries);
        }
        Node::Constant(
            entries
                .into_iter()
                .map(|(key, node)| (key, node.into_constant()))
                .collect(),
        )
    }

    fn into_constant(self) -> Value {
        match self {
            Node::Constant(value) => value,
            _ => Value::Null,
        }
    }
}
