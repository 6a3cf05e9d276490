//! Whether two conditions can never both hold, as far as their words tell.

use jmespath::ast::Comparator;
use serde_json::Value;

use crate::expression::Expression;
use crate::node::{Kind, Node};

impl Expression {
    /// Whether this condition and the other can never both hold: a part of one is the opposite of a part of the other, as
    /// `n > 5` of `n <= 5` and `!a` of `a`. `false` where that is not plain, and when `steps`, of which each comparison of
    /// two nodes takes one, are used up.
    #[must_use]
    pub fn excludes(&self, other: &Self, steps: &mut usize) -> bool {
        let (ours, theirs) = (parts(self.node()), parts(other.node()));
        ours.iter()
            .any(|a| theirs.iter().any(|b| opposite(a, b, steps)))
    }
}

/// What must hold all at once.
fn parts(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::All(nodes) => nodes.iter().flat_map(parts).collect(),
        _ => vec![node],
    }
}

fn opposite(a: &Node, b: &Node, steps: &mut usize) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Not(inner), _) if same(inner, b, steps) => true,
        (_, Kind::Not(inner)) if same(a, inner, steps) => true,
        (Kind::Compare(left, ours), Kind::Compare(other, theirs)) => {
            let ([(how, right)], [(other_how, other_right)]) = (&ours[..], &theirs[..]) else {
                return false;
            };
            same(left, other, steps)
                && match same(right, other_right, steps) {
                    true => never_both(how, other_how),
                    // One value cannot be two.
                    false => {
                        (how, other_how) == (&Comparator::Equal, &Comparator::Equal)
                            && is_text(right)
                            && is_text(other_right)
                    }
                }
        }
        _ => false,
    }
}

fn is_text(node: &Node) -> bool {
    matches!(node.kind, Kind::Literal(Value::String(_)))
}

/// Whether two comparisons of the same values never hold both.
fn never_both(a: &Comparator, b: &Comparator) -> bool {
    use Comparator::{Equal, GreaterThan, GreaterThanEqual, LessThan, LessThanEqual, NotEqual};
    match a {
        Equal => matches!(b, NotEqual | LessThan | GreaterThan),
        NotEqual => matches!(b, Equal),
        LessThan => matches!(b, Equal | GreaterThan | GreaterThanEqual),
        LessThanEqual => matches!(b, GreaterThan),
        GreaterThan => matches!(b, Equal | LessThan | LessThanEqual),
        GreaterThanEqual => matches!(b, LessThan),
    }
}

/// Whether two nodes are written alike, but for spaces and brackets.
fn same(a: &Node, b: &Node, steps: &mut usize) -> bool {
    match steps.checked_sub(1) {
        Some(left) => *steps = left,
        None => return false,
    }
    let mut all = |a: &[Node], b: &[Node]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, steps))
    };
    match (&a.kind, &b.kind) {
        (Kind::Root(a), Kind::Root(b)) | (Kind::Field(a), Kind::Field(b)) => a == b,
        (Kind::Index(a), Kind::Index(b)) => a == b,
        (
            Kind::Slice { start, stop, step },
            Kind::Slice {
                start: other_start,
                stop: other_stop,
                step: other_step,
            },
        ) => (start, stop, step) == (other_start, other_stop, other_step),
        (Kind::Literal(a), Kind::Literal(b)) => a == b,
        (Kind::Current, Kind::Current)
        | (Kind::Flatten, Kind::Flatten)
        | (Kind::Values, Kind::Values) => true,
        (Kind::Any(a), Kind::Any(b))
        | (Kind::All(a), Kind::All(b))
        | (Kind::Chain(a), Kind::Chain(b))
        | (Kind::List(a), Kind::List(b)) => all(a, b),
        (Kind::Call(f, a), Kind::Call(g, b)) => f == g && all(a, b),
        (Kind::Not(a), Kind::Not(b))
        | (Kind::Project(a), Kind::Project(b))
        | (Kind::Reference(a), Kind::Reference(b)) => same(a, b, steps),
        (
            Kind::Filter { test, then },
            Kind::Filter {
                test: other_test,
                then: other_then,
            },
        ) => same(test, other_test, steps) && same(then, other_then, steps),
        (Kind::Compare(a, ours), Kind::Compare(b, theirs)) => {
            let mut pairs = ours.iter().zip(theirs);
            ours.len() == theirs.len()
                && same(a, b, steps)
                && pairs.all(|((how, a), (other, b))| how == other && same(a, b, steps))
        }
        (Kind::Object(ours), Kind::Object(theirs)) => {
            let mut pairs = ours.iter().zip(theirs);
            ours.len() == theirs.len()
                && pairs.all(|((key, a), (other, b))| key == other && same(a, b, steps))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(a: &str, b: &str) -> bool {
        let parse = |text: &str| Expression::parse(text).expect("an expression");
        let (left, right) = (parse(a), parse(b));
        let one = left.excludes(&right, &mut 1_000);
        let other = right.excludes(&left, &mut 1_000);
        assert_eq!(one, other, "both ways: {a} | {b}");
        one
    }

    #[test]
    fn opposites_exclude_each_other() {
        // WF-5.11
        for (a, b) in [
            ("c.result.ok", "!c.result.ok"),
            ("c.result.ok", "!(c.result.ok)"),
            ("a == 'x' && b", "!(b)"),
            ("n > 5", "n <= 5"),
            ("n >= 5", "n < 5"),
            ("n == 5", "n != 5"),
            ("n < 5", "n > 5"),
            ("n > `5`", "n<=5"),
            ("k == 'a b'", "k == 'a  b'"),
            ("k == 'it\\'s'", "k == 'its'"),
            ("(n > 5) && x", "y && (n <= 5)"),
            ("a || b", "!(a || b)"),
            ("x[?a == 'b'].c | [0]", "!(x[?a=='b'].c | [0])"),
            ("contains(a, 'b')", "!contains( a,'b' )"),
            ("[a, {k: b[1:2]}] == c", "[a,{k: b[1:2]}] != c"),
        ] {
            assert!(excludes(a, b), "{a} | {b}");
        }
    }

    #[test]
    fn what_may_both_hold_is_let_be() {
        for (a, b) in [
            ("c", "c"),
            ("n > 5", "m <= 5"),
            ("n > 5", "n <= 6"),
            ("n <= 5", "n >= 5"),
            ("a || b", "!a"),
            ("!a == b", "a == b"),
            ("k == 'a'", "k != 'b'"),
            ("k == m", "k == n"),
            ("n == 1", "n == `1.0`"),
            ("contains(a, '!b')", "!contains(a, 'b')"),
            ("'(' == k", "!('(' == k) || x"),
            ("x[?a == 'b']", "x[?a != 'b']"),
        ] {
            assert!(!excludes(a, b), "{a} | {b}");
        }
    }

    #[test]
    fn nothing_is_told_when_the_steps_are_used_up() {
        let parse = |text: &str| Expression::parse(text).expect("an expression");
        let (a, b) = (parse("x && y && a.b.c"), parse("!a.b.c"));
        // Two names that are no chain, then the chain with its three steps.
        assert!(a.excludes(&b, &mut 6));
        let mut few = 5;
        assert!(!a.excludes(&b, &mut few));
        assert_eq!(few, 0);
    }
}
