//! Joins that can never run: a task that wants all its needs to succeed, two of which exclude
//! each other.

use std::collections::HashMap;

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
    // A task is needed by many, its condition read once.
    let mut read: HashMap<usize, Vec<Part>> = HashMap::new();
    for body in bodies {
        for (at, needs) in body.graph.needs.iter().enumerate() {
            let position = body.first + at;
            let joins = |task: &&Task| task.run_if == RunIf::AllSucceeded;
            let Some(task) = tasks.get(position).filter(joins) else {
                continue;
            };
            let needs: Vec<usize> = needs
                .iter()
                .map(|need| body.first + need)
                .filter(|need| tasks.get(*need).is_some_and(|task| task.when.is_some()))
                .take(COMPARED_MAX)
                .collect();
            for need in &needs {
                let when = tasks.get(*need).and_then(|task| task.when.as_ref());
                let parts = || when.map_or_else(Vec::new, |when| parts(when.text()));
                read.entry(*need).or_insert_with(parts);
            }
            let Some((first, second)) = excluded(&needs, &read) else {
                continue;
            };
            let id = |task: usize| tasks.get(task).map_or("?", |task| task.id.as_str());
            let message = format!(
                "`{}` and `{}`, needed by `{}`, exclude each other",
                quote(id(first)),
                quote(id(second)),
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

/// The first two tasks whose conditions can never both hold.
fn excluded(needs: &[usize], read: &HashMap<usize, Vec<Part>>) -> Option<(usize, usize)> {
    let conditions: Vec<(usize, &[Part])> = needs
        .iter()
        .filter_map(|need| Some((*need, read.get(need)?.as_slice())))
        .collect();
    for (at, (first, one)) in conditions.iter().enumerate() {
        let mut later = conditions.iter().skip(at + 1);
        if let Some((second, _)) = later.find(|(_, other)| exclude(one, other)) {
            return Some((*first, *second));
        }
    }
    None
}

/// A part of a condition that must hold.
#[derive(Debug)]
struct Part {
    text: String,
    /// What is behind its `!`.
    negated: Option<String>,
    comparison: Option<Comparison>,
}

/// What a part compares, when it is one comparison.
#[derive(Debug)]
struct Comparison {
    left: String,
    word: &'static str,
    right: String,
}

impl Part {
    fn read(text: &str) -> Part {
        let found = operators(text);
        let comparison = match found.as_slice() {
            [(at, word)] if !text.starts_with('!') => Some(Comparison {
                left: text.get(..*at).unwrap_or_default().to_owned(),
                word,
                right: text.get(at + word.len()..).unwrap_or_default().to_owned(),
            }),
            _ => None,
        };
        let inner = text.strip_prefix('!').filter(|_| found.is_empty());
        Part {
            text: text.to_owned(),
            negated: inner.map(|inner| bare(inner).to_owned()),
            comparison,
        }
    }

    fn is_opposite_of(&self, other: &Part) -> bool {
        let negates = |a: &Part, b: &Part| a.negated.as_ref() == Some(&b.text);
        if negates(self, other) || negates(other, self) {
            return true;
        }
        let (Some(a), Some(b)) = (&self.comparison, &other.comparison) else {
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
        (a.word, b.word) == ("==", "==") && is_text(&a.right) && is_text(&b.right)
    }
}

/// Whether two conditions can never both hold: some part of one is the opposite of one of the other.
fn exclude(a: &[Part], b: &[Part]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.is_opposite_of(b)))
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
fn parts(text: &str) -> Vec<Part> {
    // An escaped quote is not followed: nothing is said of such a condition.
    if text.contains('\\') {
        return Vec::new();
    }
    let text = squeezed(text);
    let text = bare(&text);
    let found = operators(text);
    if found.iter().any(|(_, word)| matches!(*word, "||" | "|")) {
        return vec![Part::read(text)];
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in found.iter().filter(|(_, word)| *word == "&&") {
        parts.extend(text.get(from..*at));
        from = at + 2;
    }
    parts.extend(text.get(from..));
    parts
        .into_iter()
        .map(|part| Part::read(bare(part)))
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
