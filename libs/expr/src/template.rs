//! Text with expressions in it.

use serde_json::Value;

use crate::error::{Error, Outcome, SYNTAX, Span};
use crate::eval::Machine;
use crate::expression::{Expression, Path};
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
        self.alone().is_some()
    }

    /// The expression that is all of the text, with its place.
    pub(crate) fn alone(&self) -> Option<(&Expression, Span)> {
        match self.parts.as_slice() {
            [Part::Expression(expression, span)] => Some((expression, *span)),
            _ => None,
        }
    }

    /// The expressions in the order of the text, each with the place of its text in the whole.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, Span)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(expression, span) => Some((expression, *span)),
        })
    }

    /// The paths that its expressions read, with places in the whole text. A path is `exact` only when it is all of its
    /// expression.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        self.expressions().flat_map(|(expression, span)| {
            let paths = expression.paths().iter();
            paths.map(move |path| path.shifted(span.start))
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
        if let Some((expression, span)) = self.alone() {
            return expression
                .evaluate(scope)
                .map_err(|error| error.shifted(span.start));
        }
        let mut machine = Machine::new(scope);
        self.write(&mut machine, |machine, expression, _| {
            let node = expression.node();
            let value = machine.value(node)?;
            match value.is_null() {
                true => null_in_text(expression.text(), node.span),
                false => Ok(value),
            }
        })
    }

    /// The text with the values of its expressions, each of which `value` tells.
    pub(crate) fn write<'a>(
        &'a self,
        machine: &mut Machine<'a>,
        mut value: impl FnMut(&mut Machine<'a>, &'a Expression, Span) -> Outcome<Val<'a>>,
    ) -> Result<Value, Error> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    machine.emit(text.len(), Span::default())?;
                    out.push_str(text);
                }
                Part::Expression(expression, span) => {
                    value(machine, expression, *span)
                        .and_then(|value| append(machine, &value, expression.node().span, &mut out))
                        .map_err(|error| error.shifted(span.start))?;
                }
            }
        }
        Ok(Value::String(out))
    }
}

fn append(machine: &mut Machine<'_>, value: &Val<'_>, span: Span, out: &mut String) -> Outcome<()> {
    if let View::Text(text) = value.view() {
        machine.emit(text.len(), span)?;
        out.push_str(text);
        return Ok(());
    }
    match json_within(value, machine.output_left()) {
        Some(json) => {
            machine.emit(json.len(), span)?;
            out.push_str(&json);
            Ok(())
        }
        None => machine.emit(usize::MAX, span),
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
