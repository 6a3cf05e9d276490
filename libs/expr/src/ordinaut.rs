//! Templates of Ordinaut pipelines: `${ JMESPath }` over `now`, `params`, `steps` and `trigger`.
//!
//! They differ from the native ones in one thing: what is missing is null and is told beside the value, since a pipeline
//! goes on without it. (`${now+24h}`, which no JMESPath can say, is written as a call before it comes here.)

use serde_json::Value;

use crate::error::{Error, Outcome, RESOLUTION, Span};
use crate::eval::Machine;
use crate::expression::{Expression, Path};
use crate::scope::Scope;
use crate::value::Val;

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
        let inner = crate::Template::parse(text)?;
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
