//! What the mapping needs to know of a message, worked out once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use regex::Regex;

use super::duration::Unit;
use crate::options::Options;

/// Index of the message that a plan was made for.
pub(crate) const ROOT: usize = 0;

/// Plans that are kept; at one more all are dropped and made again when needed.
///
/// A mesh of all engines has some hundred messages. The bound keeps the descriptors
/// of engines that have left from piling up.
pub(crate) const PLANS_MAX: usize = 4096;

/// A message and every message that it can contain.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
}

/// One message of a plan.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: MessageDescriptor,
    pub(crate) shape: Shape,
    /// In the order of their numbers.
    pub(crate) fields: Vec<FieldPlan>,
    /// Both spellings of each field.
    pub(crate) names: HashMap<Box<str>, usize>,
    /// Names of the choices, by the index that [`FieldPlan::choice`] holds.
    pub(crate) choices: Vec<Box<str>>,
}

/// How a message looks as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An object of its fields.
    Object,
    /// Any value: `gearmesh.tool.v1.Json`.
    Json,
    /// A Duration.
    Duration,
    /// The one field of a wrapper.
    Wrapper,
    /// A message of a type that it names.
    Any,
    /// A well-known type that prost-reflect converts: Timestamp, FieldMask and the like.
    WellKnown,
    /// `google.protobuf.Value`: converted by prost-reflect, and null is a value.
    Value,
}

/// Whether a message of this name may hold members that no descriptor tells.
pub(crate) fn is_open(full_name: &str) -> bool {
    matches!(
        full_name,
        "gearmesh.tool.v1.Json"
            | "google.protobuf.Struct"
            | "google.protobuf.Value"
            | "google.protobuf.ListValue"
            | "google.protobuf.Any"
    )
}

impl Shape {
    pub(crate) fn of(full_name: &str) -> Self {
        if full_name == "gearmesh.tool.v1.Json" {
            return Self::Json;
        }
        match full_name.strip_prefix("google.protobuf.") {
            Some("Duration") => Self::Duration,
            Some("Any") => Self::Any,
            Some("Value") => Self::Value,
            Some("Timestamp" | "FieldMask" | "Struct" | "ListValue") => Self::WellKnown,
            Some(
                "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
                | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue",
            ) => Self::Wrapper,
            _ => Self::Object,
        }
    }
}

/// How often a field occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Count {
    One,
    List,
    /// A map with keys of this kind.
    Map(Kind),
}

/// One field of a message.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) descriptor: FieldDescriptor,
    pub(crate) json_name: Box<str>,
    pub(crate) count: Count,
    /// Kind of the value, of each element, or of each value of a map.
    pub(crate) kind: Kind,
    /// The node of that kind when it is a message.
    pub(crate) node: Option<usize>,
    pub(crate) presence: bool,
    pub(crate) choice: Option<usize>,
    pub(crate) required: bool,
    pub(crate) secret: bool,
    pub(crate) unit: Option<Unit>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: Option<Regex>,
    /// Whether JSON null is a value of the field.
    pub(crate) takes_null: bool,
}

impl FieldPlan {
    pub(crate) fn constrained(&self) -> bool {
        self.min.is_some()
            || self.max.is_some()
            || self.pattern.is_some()
            || matches!(self.kind, Kind::Enum(_))
    }
}

/// Plans that were made, by the full name of their message. Several pools may hold one name.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    plans: HashMap<Box<str>, Vec<(MessageDescriptor, Arc<Plan>)>>,
    count: usize,
}

impl Memo {
    fn find(&self, message: &MessageDescriptor) -> Option<Arc<Plan>> {
        let of_name = self.plans.get(message.full_name())?;
        let (_, plan) = of_name.iter().find(|(m, _)| m == message)?;
        Some(plan.clone())
    }

    /// Keeps a plan; at the bound all others are dropped first.
    fn keep(&mut self, message: &MessageDescriptor, plan: Arc<Plan>) {
        if self.count >= PLANS_MAX {
            *self = Self::default();
        }
        self.count += 1;
        let of_name = self.plans.entry(message.full_name().into()).or_default();
        of_name.push((message.clone(), plan));
    }
}

/// A memo of a pure function of the descriptor, shared by all callers.
static PLANS: LazyLock<RwLock<Memo>> = LazyLock::new(RwLock::default);

/// The plan of a message.
pub(crate) fn of(message: &MessageDescriptor) -> Arc<Plan> {
    let memo = PLANS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(plan) = memo.find(message) {
        return plan;
    }
    drop(memo);
    let plan = Arc::new(Plan::new(message));
    let mut memo = PLANS.write().unwrap_or_else(PoisonError::into_inner);
    // Another caller may have made it meanwhile.
    if let Some(first) = memo.find(message) {
        return first;
    }
    memo.keep(message, plan.clone());
    plan
}

/// The pattern of a field, anchored to the whole text.
pub(crate) fn pattern(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

impl Plan {
    fn new(message: &MessageDescriptor) -> Self {
        let options = Options::of(message.parent_pool());
        let mut order = vec![message.clone()];
        let mut indices = HashMap::from([(message.full_name().to_owned(), ROOT)]);
        let mut nodes = Vec::new();
        while let Some(descriptor) = order.get(nodes.len()).cloned() {
            let shape = Shape::of(descriptor.full_name());
            let mut node = Node {
                shape,
                fields: Vec::new(),
                names: HashMap::new(),
                choices: descriptor.oneofs().map(|o| o.name().into()).collect(),
                descriptor: descriptor.clone(),
            };
            for field in descriptor.fields() {
                let mut plan = FieldPlan::new(field, &options);
                if let Kind::Message(child) = &plan.kind {
                    let next = order.len();
                    let index = *indices.entry(child.full_name().to_owned()).or_insert(next);
                    if index == next {
                        order.push(child.clone());
                    }
                    plan.node = Some(index);
                }
                let index = node.fields.len();
                node.names.insert(plan.descriptor.name().into(), index);
                node.names.insert(plan.json_name.clone(), index);
                node.fields.push(plan);
            }
            nodes.push(node);
        }
        Self { nodes }
    }
}

impl FieldPlan {
    fn new(field: FieldDescriptor, options: &Options) -> Self {
        let known = options.field(&field);
        let (count, kind) = match field.kind() {
            Kind::Message(entry) if field.is_map() => (
                Count::Map(entry.map_entry_key_field().kind()),
                entry.map_entry_value_field().kind(),
            ),
            kind if field.is_list() => (Count::List, kind),
            kind => (Count::One, kind),
        };
        let takes_null = match &kind {
            Kind::Message(m) => matches!(Shape::of(m.full_name()), Shape::Json | Shape::Value),
            Kind::Enum(e) => e.full_name() == "google.protobuf.NullValue",
            _ => false,
        };
        Self {
            json_name: field.json_name().into(),
            presence: field.supports_presence(),
            choice: field
                .containing_oneof()
                .filter(|o| !o.is_synthetic())
                .and_then(|o| {
                    let message = field.parent_message();
                    message.oneofs().position(|other| other == o)
                }),
            required: known.required || field.is_required(),
            secret: known.secret,
            unit: Unit::of(&known.unit),
            min: known.min,
            max: known.max,
            pattern: (!known.pattern.is_empty())
                .then(|| pattern(&known.pattern).ok())
                .flatten(),
            node: None,
            takes_null: takes_null && count == Count::One,
            descriptor: field,
            count,
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn plan_is_made_once_per_message_and_pool() {
        let make = || fixture::message("message One { string a = 1; }", "One");
        let one = make();
        let first = of(&one);
        assert!(Arc::ptr_eq(&first, &of(&one)));
        assert!(
            !Arc::ptr_eq(&first, &of(&make())),
            "another pool is another message"
        );
    }

    #[test]
    fn plans_are_dropped_at_their_bound() {
        let one = fixture::message("message One { string a = 1; }", "One");
        let plan = Arc::new(Plan::new(&one));
        let mut memo = Memo::default();
        for _ in 0..PLANS_MAX {
            memo.keep(&one, plan.clone());
        }
        assert_eq!(memo.count, PLANS_MAX);
        memo.keep(&one, plan);
        assert_eq!(memo.count, 1);
        assert!(memo.find(&one).is_some());
    }
}
