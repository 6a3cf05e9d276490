//! What a document's expressions name and nothing has.

use gearmesh_expr::{Scope, Step, Template};
use serde_json::Value;

use crate::node::Node;

impl Node {
    /// The paths in it that lead nowhere in `scope`. Expressions of Ordinaut read them as null, of
    /// which a run tells.
    #[must_use]
    pub fn missing(&self, scope: &dyn Scope) -> Vec<String> {
        let mut found = Vec::new();
        collect(self, scope, &mut found);
        found
    }
}

fn collect(node: &Node, scope: &dyn Scope, found: &mut Vec<String>) {
    match node {
        Node::Text(template) => of_template(template, scope, found),
        Node::List(items) => items.iter().for_each(|item| collect(item, scope, found)),
        Node::Map(entries) => entries
            .iter()
            .for_each(|(_, node)| collect(node, scope, found)),
        _ => {}
    }
}

fn of_template(template: &Template, scope: &dyn Scope, found: &mut Vec<String>) {
    for (expression, _) in template.expressions() {
        for path in expression.paths() {
            let text = expression.text().get(path.span.start..path.span.end);
            let Some(text) = text.filter(|text| !found.iter().any(|known| known == text)) else {
                continue;
            };
            let there = scope
                .get(&path.root)
                .is_some_and(|root| leads_somewhere(&root, &path.steps));
            if !there {
                found.push(text.to_owned());
            }
        }
    }
}

fn leads_somewhere(root: &Value, steps: &[Step]) -> bool {
    let mut value = root;
    for step in steps {
        let next = match (step, value) {
            (Step::Field(name), Value::Object(fields)) => fields.get(name),
            (Step::Index(index), Value::Array(items)) => element(items, *index),
            _ => None,
        };
        let Some(next) = next else {
            return false;
        };
        value = next;
    }
    true
}

fn element(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 {
        i64::try_from(items.len()).ok()?.checked_add(index)?
    } else {
        index
    };
    items.get(usize::try_from(index).ok()?)
}
