//! Whether a path into a tool's result can exist.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::json::is_open;
use crate::nearest::nearest;

/// One step of a path into a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A field of an object, or a key of a map. A number indexes a list, too.
    Field(&'a str),
    /// An index of a list.
    Index,
}

/// What the descriptors say of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathCheck {
    /// Every step is there.
    Known,
    /// From some step on only the value itself tells: behind a free-form value or a map.
    Open,
    /// A step that cannot be.
    Unknown {
        /// Position of the step, from 0.
        at: usize,
        /// The field that may have been meant.
        nearest: Option<String>,
    },
}

/// Where a path has come to.
enum Place {
    Message(MessageDescriptor),
    List(FieldDescriptor),
    Open,
    Leaf,
}

pub(crate) fn check(message: &MessageDescriptor, steps: &[Step<'_>]) -> PathCheck {
    let mut place = of_message(message.clone());
    for (at, step) in steps.iter().enumerate() {
        let next = match (&place, step) {
            (Place::Open, _) => return PathCheck::Open,
            (Place::Message(m), Step::Field(name)) => match field(m, name) {
                Some(f) => of_field(f),
                None => {
                    let fields: Vec<_> = m.fields().collect();
                    let nearest = nearest(name, fields.iter().map(FieldDescriptor::json_name));
                    return PathCheck::Unknown { at, nearest };
                }
            },
            (Place::List(f), Step::Index) => of_kind(f.kind()),
            (Place::List(f), Step::Field(name)) if is_index(name) => of_kind(f.kind()),
            _ => return PathCheck::Unknown { at, nearest: None },
        };
        place = next;
    }
    match place {
        Place::Open => PathCheck::Open,
        _ => PathCheck::Known,
    }
}

fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message
        .get_field_by_json_name(name)
        .or_else(|| message.get_field_by_name(name))
}

fn is_index(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

fn of_field(field: FieldDescriptor) -> Place {
    if field.is_map() {
        Place::Open
    } else if field.is_list() {
        Place::List(field)
    } else {
        of_kind(field.kind())
    }
}

fn of_kind(kind: Kind) -> Place {
    match kind {
        Kind::Message(m) => of_message(m),
        _ => Place::Leaf,
    }
}

fn of_message(message: MessageDescriptor) -> Place {
    if is_open(message.full_name()) {
        Place::Open
    } else if message.full_name().starts_with("google.protobuf.") && message.name() != "Empty" {
        // Timestamp, Duration, FieldMask and the wrappers are text or scalars.
        Place::Leaf
    } else {
        Place::Message(message)
    }
}
