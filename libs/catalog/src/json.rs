//! The one function between JSON and messages, and the constraints of fields.
//!
//! One mapping on every surface: lowerCamelCase out and both spellings in, unknown
//! fields refused, 64-bit integers as numbers while they are exact, free-form values
//! (`gearmesh.tool.v1.Json`) as themselves, Durations in the unit of their field.
//! A request is refused with every fault of it at once.
//!
//! What the mapping needs of a message (names, constraints, compiled patterns) is
//! worked out once and kept, since the options of a field are costly to read.

mod constraint;
mod duration;
mod plan;
mod read;
mod reference;
mod scalar;
mod schema;
#[cfg(test)]
mod tests;
mod violation;
mod write;

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage};
use serde_json::Value;

pub(crate) use duration::parts as duration_parts;
pub(crate) use plan::{is_open, pattern};
pub(crate) use schema::{DEPTH_MAX, Direction, Schemas};
pub use violation::{Violation, ViolationKind};

/// Checks a value against a message: every violation at once, in the order of the value.
///
/// Values for which `skip` is true, such as templates that are not resolved yet, count
/// as present and fitting.
#[must_use]
pub fn check(
    message: &MessageDescriptor,
    value: &Value,
    skip: &dyn Fn(&Value) -> bool,
) -> Vec<Violation> {
    read::read(message, value, Some(skip)).1
}

/// Reads a message from JSON.
///
/// # Errors
/// Every violation at once.
pub fn decode(message: &MessageDescriptor, value: Value) -> Result<DynamicMessage, Vec<Violation>> {
    let (decoded, violations) = read::read(message, &value, None);
    if violations.is_empty() {
        Ok(decoded)
    } else {
        Err(violations)
    }
}

/// Checks the constraints of a message that came as bytes: REQUIRED, `min`, `max`,
/// `pattern` and enum membership.
///
/// A required text, list or enum that has its default counts as missing; numbers and
/// bools do not, since their default may be what was sent.
#[must_use]
pub fn validate(message: &DynamicMessage) -> Vec<Violation> {
    let plan = plan::of(&message.descriptor());
    let mut out = Vec::new();
    constraint::message(&plan, plan::ROOT, message, &violation::At::Root, &mut out);
    out
}

/// The path of the first secret field that refers to a secret of the vault; none: the
/// request needs no vault.
#[must_use]
pub fn reference(message: &DynamicMessage) -> Option<String> {
    let plan = plan::of(&message.descriptor());
    reference::first(&plan, plan::ROOT, message, &violation::At::Root)
}

/// Writes a message as JSON: scalar defaults, empty lists and maps included, secret
/// values as `"***"`. Equal messages give equal bytes.
#[must_use]
pub fn encode(message: &DynamicMessage) -> Value {
    write::write(message)
}

/// The JSON Schema (2020-12) of a request.
#[must_use]
pub fn schema_in(message: &MessageDescriptor) -> Value {
    Schemas::new(message.parent_pool()).of(message, Direction::In)
}

/// The JSON Schema (2020-12) of a response, after redaction.
#[must_use]
pub fn schema_out(message: &MessageDescriptor) -> Value {
    Schemas::new(message.parent_pool()).of(message, Direction::Out)
}
