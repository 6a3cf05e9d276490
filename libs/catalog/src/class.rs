//! What a call does to the world, and what a second send of it does.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind};
use serde_json::Value;

/// What a call does to the world, from harmless to final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Deletes or overwrites for good.
    Destructive,
}

/// What an engine guarantees for two sends with one idempotency key, from the
/// strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyed {
    /// Effect and key are committed in one transaction.
    Txn,
    /// Repeating gives the same state.
    Idempotent,
    /// The target is asked by key first.
    Queryable,
    /// May take effect twice, which is harmless.
    AtLeastOnce,
    /// Cannot tell: after a doubt the call is not sent again.
    AtMostOnce,
}

/// How long a call usually takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Latency {
    /// Below one second.
    Instant,
    /// Below ten seconds.
    Short,
    /// Longer.
    Long,
}

/// Who must agree before a call, from nobody to two other people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Approval {
    /// Nobody.
    Auto,
    /// Nobody; somebody is told.
    Notify,
    /// The caller, once more.
    Confirm,
    /// Another person.
    Approve,
    /// Two other people.
    TwoPerson,
}

/// The class of one call: the tool's own, or a stronger one that its parameters give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class {
    /// What the call does to the world.
    pub effect: Effect,
    /// What a second send with the same key does.
    pub keyed: Keyed,
}

/// Values of one request field for which a call has a stronger class.
#[derive(Debug, Clone)]
pub struct Narrow {
    /// JSON name of the field; the name as written when the request has no such field.
    pub field: String,
    /// Its values as text; an absent field counts as its default.
    pub values: Vec<String>,
    /// The effect of such a call; none: the tool's.
    pub effect: Option<Effect>,
    /// The class of such a call; none: the tool's.
    pub keyed: Option<Keyed>,
    pub(crate) descriptor: Option<FieldDescriptor>,
}

impl Effect {
    /// The name as the options spell it, without the enum's prefix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Destructive => "DESTRUCTIVE",
        }
    }

    /// The last part of the scope that such a call needs, as `write`.
    #[must_use]
    pub fn scope_word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }

    pub(crate) fn of(number: i32) -> Option<Self> {
        [Self::Read, Self::Write, Self::Destructive]
            .get(usize::try_from(number - 1).ok()?)
            .copied()
    }
}

impl Keyed {
    /// The name as the options spell it, without the enum's prefix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Txn => "TXN",
            Self::Idempotent => "IDEMPOTENT",
            Self::Queryable => "QUERYABLE",
            Self::AtLeastOnce => "AT_LEAST_ONCE",
            Self::AtMostOnce => "AT_MOST_ONCE",
        }
    }

    pub(crate) fn of(number: i32) -> Option<Self> {
        [
            Self::Txn,
            Self::Idempotent,
            Self::Queryable,
            Self::AtLeastOnce,
            Self::AtMostOnce,
        ]
        .get(usize::try_from(number - 1).ok()?)
        .copied()
    }
}

impl Latency {
    /// The name as the options spell it, without the enum's prefix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "INSTANT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
        }
    }

    pub(crate) fn of(number: i32) -> Self {
        match number {
            1 => Self::Instant,
            3 => Self::Long,
            _ => Self::Short,
        }
    }
}

impl Approval {
    /// The name as the options spell it, without the enum's prefix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "AUTO",
            Self::Notify => "NOTIFY",
            Self::Confirm => "CONFIRM",
            Self::Approve => "APPROVE",
            Self::TwoPerson => "TWO_PERSON",
        }
    }

    pub(crate) fn of(number: i32) -> Option<Self> {
        [
            Self::Auto,
            Self::Notify,
            Self::Confirm,
            Self::Approve,
            Self::TwoPerson,
        ]
        .get(usize::try_from(number - 1).ok()?)
        .copied()
    }
}

impl Class {
    /// The stronger of two classes, each part by itself.
    pub(crate) fn strongest(self, narrow: &Narrow) -> Self {
        Self {
            effect: narrow.effect.map_or(self.effect, |e| e.min(self.effect)),
            keyed: narrow.keyed.map_or(self.keyed, |k| k.min(self.keyed)),
        }
    }
}

impl Narrow {
    /// Whether the parameters of a call fall under this rule.
    pub(crate) fn matches(&self, params: &Value) -> bool {
        let Some(field) = &self.descriptor else {
            return false;
        };
        let given = [field.json_name(), field.name()]
            .into_iter()
            .filter_map(|name| params.get(name))
            // Null is absent, and must not hide the other spelling.
            .find(|v| !v.is_null());
        let value = match given {
            Some(value) => scalar_text(field, value),
            None => Some(default_text(field)),
        };
        value.is_some_and(|v| self.values.contains(&v))
    }
}

/// A scalar as the options write it; none for lists and objects.
fn scalar_text(field: &FieldDescriptor, value: &Value) -> Option<String> {
    match (value, field.kind()) {
        (Value::Number(n), Kind::Enum(of)) => {
            let number = i32::try_from(n.as_i64()?).ok()?;
            Some(enum_name(&of, number))
        }
        (Value::String(text), _) => Some(text.clone()),
        (Value::Bool(b), _) => Some(b.to_string()),
        (Value::Number(n), _) => Some(n.to_string()),
        _ => None,
    }
}

fn default_text(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Enum(of) => enum_name(&of, of.default_value().number()),
        Kind::Bool => "false".to_owned(),
        Kind::String | Kind::Bytes | Kind::Message(_) => String::new(),
        _ => "0".to_owned(),
    }
}

fn enum_name(of: &EnumDescriptor, number: i32) -> String {
    of.get_value(number)
        .map_or_else(|| number.to_string(), |v| v.name().to_owned())
}
