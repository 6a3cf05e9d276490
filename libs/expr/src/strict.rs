//! Expressions as other implementations of JMESPath read them, written off the words of texts that were parsed before.

use crate::token::{Kind, Token, scan};
use crate::widen::literals;

/// The pure form of an expression.
pub(crate) fn written(text: &str) -> String {
    let Ok(tokens) = scan(text) else {
        return text.to_owned();
    };
    let mut inserts: Vec<(usize, char)> = Vec::new();
    for literal in literals(text, &tokens) {
        inserts.push((literal.start, '`'));
        inserts.push((literal.end, '`'));
    }
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Not
            && let Some(end) = negated_path(&tokens, at + 1)
        {
            inserts.push((tokens[at + 1].span.start, '('));
            inserts.push((end, ')'));
        }
    }
    // Stable, and no two different insertions stand at one place: a bare literal is never negated, and where brackets meet
    // they are equal.
    inserts.sort_by_key(|(at, _)| *at);
    let mut out = String::with_capacity(text.len() + inserts.len());
    let mut from = 0;
    for (at, character) in inserts {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push(character);
        from = at;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Where what is negated from `from` on ends, when it is a value with steps after it.
fn negated_path(tokens: &[Token], from: usize) -> Option<usize> {
    let first = tokens.get(from)?;
    let mut at = match first.kind {
        // What the inner one negates is in brackets of its own.
        Kind::Not => return None,
        Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace | Kind::Filter => {
            after_bracket(tokens, from)
        }
        _ => from + 1,
    };
    if first.kind == Kind::Name && kind_at(tokens, at) == Some(Kind::OpenParen) {
        at = after_bracket(tokens, at);
    }
    let whole = at;
    loop {
        match kind_at(tokens, at) {
            Some(Kind::Dot) => at = after_step(tokens, at + 1),
            Some(Kind::Flatten) => at += 1,
            Some(Kind::OpenBracket | Kind::Filter) => at = after_bracket(tokens, at),
            _ => break,
        }
    }
    (at > whole).then(|| tokens[at - 1].span.end)
}

/// What follows the step after a dot.
fn after_step(tokens: &[Token], at: usize) -> usize {
    match kind_at(tokens, at) {
        Some(Kind::OpenBracket | Kind::OpenBrace) => after_bracket(tokens, at),
        Some(Kind::Name) if kind_at(tokens, at + 1) == Some(Kind::OpenParen) => {
            after_bracket(tokens, at + 1)
        }
        _ => (at + 1).min(tokens.len()),
    }
}

/// What follows the bracket that closes the one at `at`.
fn after_bracket(tokens: &[Token], at: usize) -> usize {
    let mut open = 0_usize;
    for (offset, token) in tokens[at..].iter().enumerate() {
        match token.kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace | Kind::Filter => open += 1,
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace => {
                open = open.saturating_sub(1);
            }
            _ => {}
        }
        if open == 0 {
            return at + offset + 1;
        }
    }
    tokens.len()
}

fn kind_at(tokens: &[Token], at: usize) -> Option<Kind> {
    tokens.get(at).map(|token| token.kind)
}
