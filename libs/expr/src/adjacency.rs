//! Two values side by side are never an expression, but the parser lets some of them pass inside brackets, and its message
//! for the others says little. Found here, they get a message that knows the usual mistakes.

use crate::error::{Error, SYNTAX, Span};
use crate::token::{Kind, Token, shown};

pub(crate) fn check(text: &str, tokens: &[Token]) -> Result<(), Error> {
    for pair in tokens.windows(2) {
        if pair[0].kind.ends_value() && starts_value(pair[1].kind) {
            return Err(missing_operator(text, pair[1]));
        }
    }
    Ok(())
}

fn starts_value(kind: Kind) -> bool {
    use Kind::{Current, Literal, Name, Not, Number, OpenBrace, Quoted, Reference, Star, Text};
    matches!(
        kind,
        Name | Quoted | Number | Text | Literal | Current | OpenBrace | Not | Reference | Star
    )
}

fn missing_operator(text: &str, found: Token) -> Error {
    let word = found.span.of(text);
    let error = Error::new(
        SYNTAX,
        format!("expected an operator before {}", shown(word)),
        found.span,
    );
    let instead = |operator: &str, span: Span| {
        error
            .clone()
            .hint(format!("`{word}` is written `{operator}`"))
            .fixed(span, operator)
    };
    match (found.kind, word.to_ascii_lowercase().as_str()) {
        (Kind::Name, "and") | (Kind::Reference, _) => instead("&&", found.span),
        (Kind::Name, "or") => instead("||", found.span),
        (Kind::Name, "is" | "eq") => instead("==", found.span),
        (Kind::Name, "in") => error.hint("`a in b` is written `contains(b, a)`"),
        (Kind::Star | Kind::Number, _) => error.hint("there is no arithmetic in expressions"),
        _ => error,
    }
}
