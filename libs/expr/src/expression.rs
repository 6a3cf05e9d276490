//! One expression, parsed once and evaluated often.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Fix, Span, TEMPLATE_IN_CONDITION};
use crate::eval::Machine;
use crate::lower::lower;
use crate::node::Node;
use crate::parse::parse;
use crate::scope::Scope;
use crate::strict;
use crate::template::closing_brace;
use crate::token::quoted_length;

/// A JMESPath expression over the names of a [`Scope`].
#[derive(Clone, Debug)]
pub struct Expression {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    text: String,
    node: Node,
    roots: Vec<Root>,
    paths: Vec<Path>,
}

/// A name of the scope that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The name, without quotes.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// A root name with the names and indexes that follow it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The name of the scope that it begins with.
    pub root: String,
    /// What follows, up to the first operator, projection or the end.
    pub steps: Vec<Step>,
    /// From the root to the last step.
    pub span: Span,
    /// One place for each of `steps`; that of an index includes its brackets.
    pub step_spans: Vec<Span>,
    /// Whether the whole expression is this path.
    pub exact: bool,
}

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// An element of a list; below zero it counts from the end.
    Index(i64),
}

impl Expression {
    /// Parses an expression without the `${` and `}` around it.
    ///
    /// # Errors
    /// `EXPRESSION_LIMIT` over [`EXPRESSION_MAX`](crate::EXPRESSION_MAX), [`DEPTH_MAX`](crate::DEPTH_MAX) or
    /// [`CHAIN_MAX`](crate::CHAIN_MAX), `EXPRESSION_SYNTAX`, `QUOTED_FIELD`, `EXPRESSION_TYPE` for a literal that
    /// a function cannot take.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lowered = lower(&parse(text)?, true)?;
        Ok(Self {
            inner: Arc::new(Inner {
                text: text.to_owned(),
                node: lowered.node,
                roots: lowered.roots,
                paths: lowered.paths,
            }),
        })
    }

    /// Parses a condition: an expression that is never written with `${}`.
    ///
    /// # Errors
    /// `TEMPLATE_IN_CONDITION` when the text has `${` in it, with the text without it as the fix where that is plain; else
    /// as [`Expression::parse`].
    pub fn condition(text: &str) -> Result<Self, Error> {
        match text.find("${") {
            Some(at) => Err(template_in_condition(text, at)),
            None => Self::parse(text),
        }
    }

    /// The text that was parsed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// Every name that is read from the scope, in the order of the text, once per place. Names inside projections, filters
    /// and `&` arguments are fields of the elements and not among them.
    #[must_use]
    pub fn roots(&self) -> &[Root] {
        &self.inner.roots
    }

    /// The root names with the steps that follow each, in the order of the text.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.inner.paths
    }

    /// Whether the whole expression is names and indexes, so that a missing one is an error.
    #[must_use]
    pub fn is_plain_path(&self) -> bool {
        self.node().plain_path().is_some()
    }

    /// The value of the expression.
    ///
    /// # Errors
    /// `VARIABLE_RESOLUTION_ERROR` when a plain path meets a missing name or index, `EXPRESSION_TYPE` when a function or an
    /// operator cannot take a value, `EXPRESSION_LIMIT` over [`FUEL_MAX`](crate::FUEL_MAX) or
    /// [`OUTPUT_MAX`](crate::OUTPUT_MAX).
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Error> {
        let mut machine = Machine::new(scope);
        let value = machine.value(self.node())?;
        Ok(machine.answer(&value, self.node().span)?)
    }

    /// Whether the condition holds. What is missing is null, and null, false, empty text, lists and objects do not hold.
    ///
    /// # Errors
    /// `EXPRESSION_TYPE` when the value is a number, since JMESPath takes 0 for true; else as [`Expression::evaluate`], but
    /// for missing names.
    pub fn holds(&self, scope: &dyn Scope) -> Result<bool, Error> {
        Ok(Machine::new(scope).condition(self.node())?)
    }

    /// The expression as any implementation of JMESPath reads it: bare literals in backticks, and `!a.b`, which they read as
    /// `(!a).b`, as `!(a.b)`. The functions that this language adds stay.
    #[must_use]
    pub fn strict(&self) -> String {
        strict::written(self.text())
    }

    pub(crate) fn node(&self) -> &Node {
        &self.inner.node
    }
}

impl Path {
    /// The same path in a text in which ours begins at `by`.
    pub(crate) fn shifted(&self, by: usize) -> Self {
        Self {
            span: self.span.shifted(by),
            step_spans: self
                .step_spans
                .iter()
                .map(|span| span.shifted(by))
                .collect(),
            ..self.clone()
        }
    }
}

fn template_in_condition(text: &str, first: usize) -> Error {
    let end = closing_brace(text, first + 2).map_or(text.len(), |close| close + 1);
    let span = Span::new(first, end);
    let mut error = Error::new(
        TEMPLATE_IN_CONDITION,
        "write the condition without `${}`",
        span,
    );
    error.fix = without_templates(text).map(|text_without| Fix {
        span: Span::new(0, text.len()),
        text: text_without,
    });
    error
}

/// The condition with each `${x}` and `'${x}'` replaced by `x`; nothing when it is not as plain as that.
fn without_templates(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let taken = match next {
            '\'' | '"' | '`' => {
                let length = quoted_length(text, at).ok()?;
                let quoted = &rest[..length];
                match template_alone(quoted) {
                    Some(inner) => out.push_str(&operand(inner, text.len() == length)?),
                    None if quoted.contains("${") => return None,
                    None => out.push_str(quoted),
                }
                length
            }
            '$' if rest.starts_with("${") => {
                let close = closing_brace(text, at + 2).ok()?;
                let alone = at == 0 && close + 1 == text.len();
                out.push_str(&operand(&text[at + 2..close], alone)?);
                close + 1 - at
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        at += taken;
    }
    Expression::parse(&out).is_ok().then_some(out)
}

/// The expression of a text `'${x}'`.
fn template_alone(quoted: &str) -> Option<&str> {
    let inside = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    inside.strip_prefix("${")?.strip_suffix('}')
}

/// An expression as a part of another: in parentheses, unless it is a path or `alone`.
fn operand(inner: &str, alone: bool) -> Option<String> {
    let inner = inner.trim();
    let expression = Expression::parse(inner).ok()?;
    Some(match alone || expression.is_plain_path() {
        true => inner.to_owned(),
        false => format!("({inner})"),
    })
}
