//! Joins that can never run: a task that wants all its needs to succeed, two of which exclude
//! each other.

use crate::diagnostic::{Report, quote};
use crate::model::{Body, RunIf, Task};
use crate::outline::Outline;

/// How many conditions of one join are compared, each with each.
const COMPARED_MAX: usize = 64;

/// Reports every join of which two needs can never both run.
pub(crate) fn check(
    report: &mut Report<'_>,
    outline: &Outline<'_>,
    tasks: &[Task],
    bodies: &[Body],
) {
    for body in bodies {
        for (at, needs) in body.graph.needs.iter().enumerate() {
            let position = body.first + at;
            let Some(task) = tasks
                .get(position)
                .filter(|t| t.run_if == RunIf::AllSucceeded)
            else {
                continue;
            };
            let conditions: Vec<(&str, Vec<String>)> = needs
                .iter()
                .filter_map(|need| tasks.get(body.first + need))
                .filter_map(|need| Some((need.id.as_str(), parts(need.when.as_ref()?.text()))))
                .take(COMPARED_MAX)
                .collect();
            let pairs = conditions.iter().enumerate().flat_map(|(at, first)| {
                conditions
                    .iter()
                    .skip(at + 1)
                    .map(move |second| (first, second))
            });
            let Some((first, second)) = pairs
                .into_iter()
                .find(|(first, second)| exclude(&first.1, &second.1))
            else {
                continue;
            };
            let message = format!(
                "`{}` and `{}`, needed by `{}`, exclude each other",
                quote(first.0),
                quote(second.0),
                quote(&task.id)
            );
            let tree = outline.tasks.get(position).map(|placed| placed.tree);
            let span = tree
                .and_then(|tree| tree.get("runIf").or_else(|| tree.get("id")))
                .map(|tree| tree.span)
                .unwrap_or_default();
            report
                .error("JOIN_NEVER_RUNS", span, message)
                .hint("leave `runIf` out: the join then runs after the one that did");
        }
    }
}

/// Whether two conditions can never both hold: some part of one is the opposite of one of the other.
fn exclude(a: &[String], b: &[String]) -> bool {
    a.iter().any(|a| b.iter().any(|b| opposite(a, b)))
}

fn opposite(a: &str, b: &str) -> bool {
    if negated(a).as_deref() == Some(b) || negated(b).as_deref() == Some(a) {
        return true;
    }
    let (Some(a), Some(b)) = (comparison(a), comparison(b)) else {
        return false;
    };
    if a.left != b.left {
        return false;
    }
    if a.right == b.right {
        return matches!(
            (a.word, b.word),
            ("==", "!=" | "<" | ">")
                | ("<", "==" | ">" | ">=")
                | (">", "==" | "<" | "<=")
                | ("!=", "==")
                | ("<=", ">")
                | (">=", "<")
        );
    }
    // One value cannot be two.
    (a.word, b.word) == ("==", "==") && is_text(a.right) && is_text(b.right)
}

/// What is behind the `!` of a part.
fn negated(part: &str) -> Option<String> {
    let inner = part.strip_prefix('!')?;
    let whole = operators(inner).is_empty();
    whole.then(|| bare(inner).to_owned())
}

struct Comparison<'p> {
    left: &'p str,
    word: &'static str,
    right: &'p str,
}

/// A part that is one comparison.
fn comparison(part: &str) -> Option<Comparison<'_>> {
    let found = operators(part);
    let [(at, word)] = found.as_slice() else {
        return None;
    };
    if part.starts_with('!') {
        return None;
    }
    Some(Comparison {
        left: part.get(..*at)?,
        word,
        right: part.get(at + word.len()..)?,
    })
}

fn is_text(value: &str) -> bool {
    value.len() > 1 && value.starts_with('\'') && value.ends_with('\'')
}

const OPERATORS: [&str; 9] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "|"];

/// The operators of a text that stand outside of quotes and brackets.
fn operators(text: &str) -> Vec<(usize, &'static str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let (mut depth, mut quoted) = (0_usize, None);
    while let Some(next) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let mut length = next.len_utf8();
        match quoted {
            Some(_) if next == '\\' => length += 1,
            Some(quote) if quote == next => quoted = None,
            Some(_) => {}
            None if matches!(next, '\'' | '"' | '`') => quoted = Some(next),
            None if matches!(next, '(' | '[' | '{') => depth += 1,
            None if matches!(next, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            None => {
                let rest = text.get(at..).unwrap_or_default();
                let here = OPERATORS.into_iter().find(|word| rest.starts_with(word));
                if let Some(word) = here.filter(|_| depth == 0) {
                    found.push((at, word));
                    length = word.len();
                }
            }
        }
        at += length;
    }
    found
}

/// The parts of a condition that must all hold, without spaces and brackets around them.
fn parts(text: &str) -> Vec<String> {
    // An escaped quote is not followed: nothing is said of such a condition.
    if text.contains('\\') {
        return Vec::new();
    }
    let text = squeezed(text);
    let text = bare(&text);
    let found = operators(text);
    if found.iter().any(|(_, word)| matches!(*word, "||" | "|")) {
        return vec![text.to_owned()];
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in found.iter().filter(|(_, word)| *word == "&&") {
        parts.extend(text.get(from..*at));
        from = at + 2;
    }
    parts.extend(text.get(from..));
    parts
        .into_iter()
        .map(|part| bare(part).to_owned())
        .collect()
}

/// Without brackets around the whole.
fn bare(mut text: &str) -> &str {
    while let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        if !balanced(inner) {
            break;
        }
        text = inner;
    }
    text
}

/// Whether no bracket of a text closes one before it.
fn balanced(text: &str) -> bool {
    let (mut depth, mut quoted) = (0_usize, None);
    for next in text.chars() {
        match (quoted, next) {
            (Some(quote), _) if quote == next => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quoted = Some(next),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return false,
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

/// Without spaces outside of quotes.
fn squeezed(text: &str) -> String {
    let mut quoted = None;
    let keep = |c: &char| {
        match quoted {
            Some(quote) if quote == *c => quoted = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => quoted = Some(*c),
            None => return !c.is_whitespace(),
        }
        true
    };
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(a: &str, b: &str) -> bool {
        let one = exclude(&parts(a), &parts(b));
        assert_eq!(one, exclude(&parts(b), &parts(a)), "both ways: {a} | {b}");
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
            ("k == 'a b'", "k == 'a  b'"),
            ("(n > 5) && x", "y && (n <= 5)"),
            ("a || b", "!(a || b)"),
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
            ("f(a, '!b')", "!f(a, 'b')"),
            ("'(' == k", "!('(' == k) || x"),
            ("x[?a == 'b']", "x[?a != 'b']"),
        ] {
            assert!(!excludes(a, b), "{a} | {b}");
        }
    }
}
