//! Operators that the parser nests to the left, as lists.

use jmespath::ast::{Ast, Comparator};

use crate::node::{Kind, Node};

/// The right side of an operator.
pub(crate) struct Operand<'a> {
    pub(crate) ast: &'a Ast,
    comparator: Option<&'a Comparator>,
}

/// The operands of `ast` and of what is nested to its left by the same kind of operator: the first, and the others from the
/// last on.
pub(crate) fn operands(ast: &Ast) -> (&Ast, Vec<Operand<'_>>) {
    let mut right = Vec::new();
    let mut left = ast;
    loop {
        let (lhs, rhs, comparator) = match (ast, left) {
            (Ast::Or { .. }, Ast::Or { lhs, rhs, .. })
            | (Ast::And { .. }, Ast::And { lhs, rhs, .. }) => (lhs, rhs, None),
            (
                Ast::Comparison { .. },
                Ast::Comparison {
                    comparator,
                    lhs,
                    rhs,
                    ..
                },
            ) => (lhs, rhs, Some(comparator)),
            _ => return (left, right),
        };
        right.push(Operand {
            ast: rhs,
            comparator,
        });
        left = lhs;
    }
}

/// The node of operator `ast` over the operands in their order, `right` being what [`operands`] gave.
pub(crate) fn joined(ast: &Ast, mut nodes: Vec<Node>, right: Vec<Operand<'_>>) -> Node {
    let span = nodes[0].span.to(nodes[nodes.len() - 1].span);
    match ast {
        Ast::Or { .. } => Node {
            kind: Kind::Any(nodes),
            span,
        },
        Ast::And { .. } => Node {
            kind: Kind::All(nodes),
            span,
        },
        _ => {
            let first = Box::new(nodes.remove(0));
            let comparators = right.iter().rev().filter_map(|one| one.comparator.cloned());
            let kind = Kind::Compare(first, comparators.zip(nodes).collect());
            Node { kind, span }
        }
    }
}
