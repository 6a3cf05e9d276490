//! Errors about what is not there.

use std::fmt::Write as _;

use serde_json::Value;

use crate::error::{Error, Outcome, RESOLUTION, Span, fail};
use crate::node::{Kind, Node};
use crate::suggest::nearest;
use crate::value::{Val, View};

/// The error for a path that breaks at step `at`, before which it gave `value`.
pub(crate) fn missing(steps: &[Node], at: usize, value: &Val<'_>) -> Error {
    let path = written(steps);
    let step = &steps[at];
    let (Some(name), Some(before)) = (step_name(step), at.checked_sub(1)) else {
        let root = written(&steps[..=at]);
        let message = format!("cannot resolve `{path}`: nothing is called `{root}`");
        return Error::new(RESOLUTION, message, step.span);
    };
    let parent = written(&steps[..=before]);
    let why = match (value.view(), &step.kind) {
        (View::Object(_), Kind::Field(_)) => format!("`{name}` is not in `{parent}`"),
        (View::List(items), Kind::Index(_)) => {
            format!(
                "`{name}` is not in `{parent}`, which has {} items",
                items.len()
            )
        }
        (view, _) => format!(
            "`{name}` is not in `{parent}`, which is {}",
            view.described()
        ),
    };
    let error = Error::new(
        RESOLUTION,
        format!("cannot resolve `{path}`: {why}"),
        step.span,
    );
    match (value.view(), &step.kind) {
        (View::Object(fields), Kind::Field(name)) => match nearest(name, fields.names()) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error,
        },
        _ => error,
    }
}

fn step_name(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Field(name) => Some(name.clone()),
        Kind::Index(index) => Some(format!("[{index}]")),
        _ => None,
    }
}

/// A plain path as text.
fn written(steps: &[Node]) -> String {
    let mut path = String::new();
    for step in steps {
        match &step.kind {
            Kind::Root(name) => push_name(&mut path, name),
            Kind::Field(name) => {
                path.push('.');
                push_name(&mut path, name);
            }
            Kind::Index(index) => {
                // Writing to a string cannot fail.
                let _ = write!(path, "[{index}]");
            }
            _ => {}
        }
    }
    path
}

/// A name as an expression has it: in double quotes where it must.
fn push_name(path: &mut String, name: &str) {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit());
    match plain {
        true => path.push_str(name),
        false => path.push_str(&Value::from(name).to_string()),
    }
}

/// The error for a null inside text.
pub(crate) fn null_in_text<T>(expression: &str, span: Span) -> Outcome<T> {
    fail(
        RESOLUTION,
        format!(
            "`{}` is null and cannot stand inside text",
            expression.trim()
        ),
        span,
    )
}
