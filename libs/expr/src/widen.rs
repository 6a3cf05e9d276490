//! The widenings of the language: bare numbers, `true`, `false` and `null` to the right of a comparison become JSON
//! literals before the parser sees them. Places are mapped back, so that errors show the writer's own text.

use std::borrow::Cow;

use crate::error::{Error, QUOTED_FIELD, SYNTAX, Span};
use crate::token::{Kind, Token, shown};

/// An expression as the parser gets it.
pub(crate) struct Widened<'t> {
    pub(crate) text: Cow<'t, str>,
    /// Where the inserted backticks are in `text`, ascending.
    backticks: Vec<usize>,
}

impl Widened<'_> {
    /// The place in the original text of an offset in the parser's.
    pub(crate) fn original(&self, offset: usize) -> usize {
        let before = self.backticks.partition_point(|at| *at < offset);
        offset - before
    }
}

pub(crate) fn widen<'t>(text: &'t str, tokens: &[Token]) -> Result<Widened<'t>, Error> {
    let mut inserted = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if let Some(before) = compared_alone(tokens, at) {
            if is_literal(text, *token)? {
                inserted.extend([token.span.start, token.span.end]);
            } else if token.kind == Kind::Quoted && before == Kind::Equality {
                return Err(quoted_field(text, *token));
            }
        }
    }
    if inserted.is_empty() {
        return Ok(Widened {
            text: Cow::Borrowed(text),
            backticks: inserted,
        });
    }
    let mut widened = String::with_capacity(text.len() + inserted.len());
    let mut backticks = Vec::with_capacity(inserted.len());
    let mut from = 0;
    for at in inserted {
        widened.push_str(&text[from..at]);
        backticks.push(widened.len());
        widened.push('`');
        from = at;
    }
    widened.push_str(&text[from..]);
    Ok(Widened {
        text: Cow::Owned(widened),
        backticks,
    })
}

/// The bare literals of an expression that was parsed before.
pub(crate) fn literals(text: &str, tokens: &[Token]) -> Vec<Span> {
    let bare = |at: &usize| {
        compared_alone(tokens, *at).is_some() && is_literal(text, tokens[*at]).unwrap_or(false)
    };
    (0..tokens.len())
        .filter(bare)
        .map(|at| tokens[at].span)
        .collect()
}

/// The comparison whose right side the word at `at` is, when it is all of it.
fn compared_alone(tokens: &[Token], at: usize) -> Option<Kind> {
    let before = tokens[at.checked_sub(1)?].kind;
    let continues = matches!(
        tokens.get(at + 1).map(|next| next.kind),
        Some(Kind::Dot | Kind::OpenBracket | Kind::OpenParen | Kind::Filter | Kind::Flatten)
    );
    (before.compares() && !continues).then_some(before)
}

fn is_literal(text: &str, token: Token) -> Result<bool, Error> {
    let word = token.span.of(text);
    match token.kind {
        Kind::Name => Ok(matches!(word, "true" | "false" | "null")),
        Kind::Number if serde_json::from_str::<serde_json::Number>(word).is_ok() => Ok(true),
        Kind::Number => {
            let message = format!("{} is not a number", shown(word));
            Err(Error::new(SYNTAX, message, token.span))
        }
        _ => Ok(false),
    }
}

fn quoted_field(text: &str, token: Token) -> Error {
    let quoted = token.span.of(text);
    let name: String = serde_json::from_str(quoted).unwrap_or_default();
    let meant = format!("'{}'", name.replace('\'', "\\'"));
    let message = format!("{quoted} in double quotes is a field; text is {meant}");
    Error::new(QUOTED_FIELD, message, token.span).fixed(token.span, meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::scan;

    #[test]
    fn places_are_those_of_the_writer() {
        let text = "a > 5 && b == true && c";
        let tokens = scan(text).unwrap();
        let widened = widen(text, &tokens).unwrap();
        assert_eq!(widened.text, "a > `5` && b == `true` && c");
        for token in &tokens {
            let word = token.span.of(text);
            if let Some(at) = widened.text.find(word) {
                let original = widened.original(at);
                assert!(text[original..].starts_with(word), "{word}");
            }
        }
        assert_eq!(widened.original(widened.text.len()), text.len());
        // The inserted backtick stands for the number itself.
        assert_eq!(widened.original(4), 4);
    }
}
