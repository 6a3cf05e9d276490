//! Text with expressions in it.

use serde_json::Value;

use crate::error::{Error, Outcome, SYNTAX, Span};
use crate::eval::Machine;
use crate::expression::Expression;
use crate::missing::null_in_text;
use crate::scope::Scope;
use crate::token::quoted_length;
use crate::value::{Val, View, json_within};

/// A text with any number of `${..}` in it. `$${` is a literal `${`; what an expression gives is never looked at again.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    /// Text without escapes, never two in a row.
    Text(String),
    /// An expression and the place of its text, without `${` and `}`.
    Expression(Expression, Span),
}

impl Template {
    /// Parses a text. Spans of errors are relative to the whole of it.
    ///
    /// # Errors
    /// Those of [`Expression::parse`], for every expression in the text, and `EXPRESSION_SYNTAX` for a `${` without `}`.
    pub fn parse(text: &str) -> Result<Self, Vec<Error>> {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let open = at + found;
            if text[..open].ends_with('$') && open > at {
                plain.push_str(&text[at..open - 1]);
                plain.push_str("${");
                at = open + 2;
                continue;
            }
            plain.push_str(&text[at..open]);
            let close = match closing_brace(text, open + 2) {
                Ok(close) => close,
                Err(error) => {
                    errors.push(error);
                    at = text.len();
                    break;
                }
            };
            let span = Span::new(open + 2, close);
            match Expression::parse(span.of(text)) {
                Ok(expression) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Expression(expression, span));
                }
                Err(error) => errors.push(error.shifted(span.start)),
            }
            at = close + 1;
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if errors.is_empty() {
            Ok(Self { parts })
        } else {
            Err(errors)
        }
    }

    /// Whether there is no `${..}` in it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.constant().is_some()
    }

    /// The text without escapes, when there is no `${..}` in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is exactly one `${..}`, so that its value keeps its type.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Expression(..)])
    }

    /// The expressions in the order of the text, each with the place of its text in the whole.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, Span)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(expression, span) => Some((expression, *span)),
        })
    }

    /// The value: of the expression's type when it [is whole](Template::is_whole), else text.
    ///
    /// Inside text numbers and booleans are JSON, lists and objects compact JSON. All expressions share one fuel and one
    /// output.
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`], and `VARIABLE_RESOLUTION_ERROR` for a null inside text.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Error> {
        if let Some(text) = self.constant() {
            return Ok(Value::from(text));
        }
        if let [Part::Expression(expression, span)] = self.parts.as_slice() {
            return expression
                .evaluate(scope)
                .map_err(|error| error.shifted(span.start));
        }
        let mut machine = Machine::new(scope);
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    machine.emit(text.len(), Span::default())?;
                    out.push_str(text);
                }
                Part::Expression(expression, span) => {
                    append(&mut machine, expression, &mut out)
                        .map_err(|error| error.shifted(span.start))?;
                }
            }
        }
        Ok(Value::String(out))
    }
}

fn append<'a>(
    machine: &mut Machine<'a>,
    expression: &'a Expression,
    out: &mut String,
) -> Outcome<()> {
    let node = expression.node();
    let value: Val<'a> = machine.value(node)?;
    match value.view() {
        View::Null => null_in_text(expression.text(), node.span),
        View::Text(text) => {
            machine.emit(text.len(), node.span)?;
            out.push_str(text);
            Ok(())
        }
        _ => match json_within(&value, machine.output_left()) {
            Some(json) => {
                machine.emit(json.len(), node.span)?;
                out.push_str(&json);
                Ok(())
            }
            None => machine.emit(usize::MAX, node.span),
        },
    }
}

/// The `}` that ends the expression at `from`: not one inside quotes, nor one that ends an object.
pub(crate) fn closing_brace(text: &str, from: usize) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let (mut at, mut open) = (from, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'}' if open == 0 => return Ok(at),
            b'}' => open -= 1,
            b'{' => open += 1,
            b'\'' | b'"' | b'`' => match quoted_length(text, at) {
                Ok(length) => {
                    at += length;
                    continue;
                }
                Err(error) => {
                    return Err(error.hint("a quote inside `${..}` must be closed before its `}`"));
                }
            },
            _ => {}
        }
        at += 1;
    }
    let message = "`${` is not closed by `}`";
    Err(Error::new(SYNTAX, message, Span::new(from - 2, text.len()))
        .hint("a literal `${` is written `$${`"))
}
