//! What a document's expressions name and nothing has.

use gearmesh_expr::{self as expr, Scope};

use crate::node::Node;

impl Node {
    /// What its texts of Ordinaut name and nothing in `scope` has: it is null in their values, and a
    /// run warns of it. Nothing for other values, whose missing names are errors.
    #[must_use]
    pub fn missing(&self, scope: &dyn Scope) -> Vec<expr::Error> {
        let mut found = Vec::new();
        collect(self, scope, &mut found);
        found
    }
}

fn collect(node: &Node, scope: &dyn Scope, found: &mut Vec<expr::Error>) {
    match node {
        Node::Ordinaut(template) => {
            if let Ok(resolved) = template.evaluate(scope) {
                found.extend(resolved.missing);
            }
        }
        Node::List(items) => items.iter().for_each(|item| collect(item, scope, found)),
        Node::Map(entries) => entries
            .iter()
            .for_each(|(_, node)| collect(node, scope, found)),
        _ => {}
    }
}
