//! Templates of Ordinaut pipelines: `${ JMESPath }` over `now`, `params`, `steps` and `trigger`.
//!
//! They differ from the native ones in two things. What is missing is null and is told beside the value, since a pipeline
//! goes on without it; and `${now+24h}` and `${now-30m}` are the start of the run moved by a duration.

use serde_json::Value;

use crate::error::{Error, Outcome, RESOLUTION, SYNTAX, Span};
use crate::eval::Machine;
use crate::expression::{Expression, Path, Root};
use crate::function::Function;
use crate::node::{Kind, Node};
use crate::scope::Scope;
use crate::time_call;
use crate::value::Val;

/// The name of the start of the run.
const NOW: &str = "now";

/// A text with any number of `${..}` in it. `$${` is a literal `${`.
#[derive(Clone, Debug)]
pub struct Template {
    inner: crate::Template,
}

/// What a template gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The value, in which `null` stands for what is missing.
    pub value: Value,
    /// What was missing, in the order of the text: `VARIABLE_RESOLUTION_ERROR` with its place, to be shown as a warning.
    pub missing: Vec<Error>,
}

impl Template {
    /// Parses a text. Spans of errors are relative to the whole of it.
    ///
    /// # Errors
    /// Those of [`Template::parse`](crate::Template::parse).
    pub fn parse(text: &str) -> Result<Self, Vec<Error>> {
        let inner = crate::Template::parse_with(text, expression)?;
        Ok(Self { inner })
    }

    /// Whether there is no `${..}` in it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.inner.is_constant()
    }

    /// The text without escapes, when there is no `${..}` in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        self.inner.constant()
    }

    /// Whether it is exactly one `${..}`, so that its value keeps its type.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.inner.is_whole()
    }

    /// The expressions in the order of the text, each with the place of its text in the whole.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, Span)> {
        self.inner.expressions()
    }

    /// The paths that its expressions read, with places in the whole text.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        self.inner.paths()
    }

    /// The value: of the expression's type when it [is whole](Template::is_whole), else text, in which a null is `null`.
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`], but for names and indexes of a plain path that are missing.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Resolved, Error> {
        let mut missing = Vec::new();
        let mut machine = Machine::new(scope);
        let value = match (self.inner.constant(), self.inner.alone()) {
            (Some(text), _) => Value::from(text),
            (None, Some((expression, span))) => value(&mut machine, expression, span, &mut missing)
                .and_then(|value| machine.answer(&value, expression.node().span))
                .map_err(|error| error.shifted(span.start))?,
            (None, None) => self
                .inner
                .write(&mut machine, |machine, expression, span| {
                    value(machine, expression, span, &mut missing)
                })?,
        };
        Ok(Resolved { value, missing })
    }
}

/// The value of one expression; what is missing is null and noted.
fn value<'a>(
    machine: &mut Machine<'a>,
    expression: &'a Expression,
    span: Span,
    missing: &mut Vec<Error>,
) -> Outcome<Val<'a>> {
    match machine.value(expression.node()) {
        Err(error) if error.code == RESOLUTION && expression.is_plain_path() => {
            missing.push(error.shifted(span.start));
            Ok(Val::Null)
        }
        other => other,
    }
}

fn expression(text: &str) -> Result<Expression, Error> {
    match moved_now(text) {
        Some(moved) => moved,
        None => Expression::parse(text),
    }
}

/// The expression of `now+24h` and `now - 30m`; nothing for a text that is not of this form.
fn moved_now(text: &str) -> Option<Result<Expression, Error>> {
    let start = text.len() - text.trim_start().len();
    let after = text.get(start..)?.strip_prefix(NOW)?;
    let sign = after.trim_start();
    if !sign.starts_with(['+', '-']) {
        return None;
    }
    let name = Span::new(start, start + NOW.len());
    let by = Span::new(text.len() - sign.len(), text.trim_end().len());
    let written: String = by.of(text).split_ascii_whitespace().collect();
    Some(match time_call::length(&written) {
        Err(message) => Err(Error::new(SYNTAX, message, by)),
        Ok(_) => Ok(added(text, name, by, written)),
    })
}

/// `date_add(now, by)`.
fn added(text: &str, name: Span, by: Span, written: String) -> Expression {
    let now = Node {
        kind: Kind::Root(NOW.to_owned()),
        span: name,
    };
    let duration = Node {
        kind: Kind::Literal(Value::String(written)),
        span: by,
    };
    let node = Node {
        kind: Kind::Call(Function::DateAdd, vec![now, duration]),
        span: name.to(by),
    };
    let root = Root {
        name: NOW.to_owned(),
        span: name,
    };
    let path = Path {
        root: NOW.to_owned(),
        steps: Vec::new(),
        span: name,
        step_spans: Vec::new(),
        exact: false,
    };
    Expression::made(text, node, root, path)
}
