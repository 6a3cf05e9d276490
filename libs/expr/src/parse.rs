//! From text to the parser's tree: the limits first, then the widenings, then the parser, whose complaints are put into
//! our words.

use jmespath::ErrorReason;
use jmespath::ast::Ast;

use crate::error::{Error, LIMIT, SYNTAX, Span};
use crate::limits::EXPRESSION_MAX;
use crate::token::{Kind, Token, scan, shown};
use crate::widen::{Widened, widen};
use crate::{adjacency, nesting};

/// A parsed text with what is needed to find its places.
pub(crate) struct Parsed<'t> {
    pub(crate) text: &'t str,
    pub(crate) tokens: Vec<Token>,
    /// For each bracket the index of the one that closes or opens it; for all else its own.
    partners: Vec<usize>,
    pub(crate) widened: Widened<'t>,
    pub(crate) ast: Ast,
}

pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, Error> {
    if text.len() > EXPRESSION_MAX {
        let message = format!(
            "the expression has {} bytes, more than {EXPRESSION_MAX}",
            text.len()
        );
        let span = Span::new(0, text.len());
        return Err(Error::new(LIMIT, message, span).hint("compute a part of it in a `set` task"));
    }
    let tokens = scan(text)?;
    nesting::check(&tokens)?;
    if tokens.is_empty() {
        let span = Span::new(0, text.len());
        return Err(Error::new(SYNTAX, "the expression is empty", span));
    }
    adjacency::check(text, &tokens)?;
    let widened = widen(text, &tokens)?;
    match jmespath::parse(&widened.text) {
        Ok(ast) => Ok(Parsed {
            text,
            partners: partners(&tokens),
            tokens,
            widened,
            ast,
        }),
        Err(error) => {
            let offset = widened.original(error.offset);
            Err(reworded(text, &tokens, offset, &error.reason))
        }
    }
}

impl Parsed<'_> {
    /// The index of the word at an offset that the parser gave.
    pub(crate) fn token_at(&self, offset: usize) -> Option<usize> {
        let original = self.widened.original(offset);
        self.tokens
            .binary_search_by_key(&original, |token| token.span.start)
            .ok()
    }

    /// The place of the word at an offset that the parser gave.
    pub(crate) fn span_at(&self, offset: usize) -> Span {
        self.token_at(offset).map_or_else(
            || {
                let at = self.widened.original(offset).min(self.text.len());
                Span::new(at, at)
            },
            |index| self.tokens[index].span,
        )
    }

    /// The place from a bracket at an offset that the parser gave to its partner.
    pub(crate) fn bracket_at(&self, offset: usize) -> Span {
        let Some(one) = self.token_at(offset) else {
            return self.span_at(offset);
        };
        let other = self.partners[one];
        let (open, close) = (one.min(other), one.max(other));
        self.tokens[open].span.to(self.tokens[close].span)
    }
}

fn partners(tokens: &[Token]) -> Vec<usize> {
    let mut partners: Vec<usize> = (0..tokens.len()).collect();
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace | Kind::Filter => open.push(at),
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace => {
                if let Some(from) = open.pop() {
                    partners[from] = at;
                    partners[at] = from;
                }
            }
            _ => {}
        }
    }
    partners
}

fn reworded(text: &str, tokens: &[Token], offset: usize, reason: &ErrorReason) -> Error {
    let found = tokens.iter().find(|token| token.span.start >= offset);
    let span = found.map_or(Span::new(text.len(), text.len()), |token| token.span);
    let reason = match reason {
        ErrorReason::Parse(reason) => reason.as_str(),
        ErrorReason::Runtime(_) => "",
    };
    let head = reason.split(" -- found").next().unwrap_or_default();
    if let Some(token) = found
        && let Some(error) = known_mistake(text, *token, head)
    {
        return error;
    }
    let expected = match head {
        "Unexpected nud token" => "a name, a value or a function".to_owned(),
        "Unexpected led token" | "Did not parse the complete expression" => {
            "an operator or the end".to_owned()
        }
        "invalid token after ','" => "one more value after the comma".to_owned(),
        "Invalid function name" => "a function name before the parenthesis".to_owned(),
        "Expected ')' to close '('" => "`)`".to_owned(),
        "Expected Field to start key value pair" => "a key".to_owned(),
        "Expected ':' to follow key" => "`:` after the key".to_owned(),
        "Expected identifier, '*', '{', '[', '&', or '[?'" => "a name after the dot".to_owned(),
        "Too many colons in slice expr" => "at most two colons in a slice".to_owned(),
        other => other
            .strip_prefix("Expected ")
            .map_or_else(|| "something else".to_owned(), quoted_in_backticks),
    };
    let found = match found {
        Some(token) => shown(token.span.of(text)),
        None => "the end".to_owned(),
    };
    Error::new(SYNTAX, format!("expected {expected}, found {found}"), span)
}

/// `']' or ','` as `` `]` or `,` ``.
fn quoted_in_backticks(expected: &str) -> String {
    expected
        .replace('\'', "`")
        .replace(", or", " or")
        .replace("number", "a number")
}

fn known_mistake(text: &str, token: Token, head: &str) -> Option<Error> {
    let word = token.span.of(text);
    match (token.kind, head) {
        (Kind::Number, "Unexpected nud token") => Some(
            Error::new(
                SYNTAX,
                format!("the number {word} stands in backticks here: `{word}`"),
                token.span,
            )
            .hint("only to the right of a comparison may a number stand alone")
            .fixed(token.span, format!("`{word}`")),
        ),
        (Kind::Number, "Expected valid number") => Some(Error::new(
            SYNTAX,
            format!("the index {word} is too large"),
            token.span,
        )),
        (Kind::Number, "'-' must be followed by numbers 1-9") => Some(Error::new(
            SYNTAX,
            format!("{word} is not an index"),
            token.span,
        )),
        (_, "Quoted strings can't be a function name") => Some(Error::new(
            SYNTAX,
            "a function name takes no double quotes",
            token.span,
        )),
        _ => None,
    }
}
