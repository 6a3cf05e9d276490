//! Values during evaluation: borrowed from the scope for as long as nothing new is made of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Number, Value};

use crate::limits::VALUE_DEPTH_MAX;

/// A value, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    Ref(&'a Value),
    Null,
    Bool(bool),
    Number(Number),
    Str(&'a str),
    Text(Rc<str>),
    List(Rc<List<'a>>),
    Object(Rc<Object<'a>>),
}

/// A list that the expression made.
#[derive(Debug)]
pub(crate) struct List<'a> {
    items: Vec<Val<'a>>,
    depth: usize,
}

/// An object that the expression made. Keys keep the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    entries: Vec<(Cow<'a, str>, Val<'a>)>,
    /// From key to entry, once there are more than [`SEARCHED_MAX`] entries.
    index: HashMap<Cow<'a, str>, usize>,
    depth: usize,
}

/// Up to so many entries looking at each is faster than hashing.
const SEARCHED_MAX: usize = 16;

/// What a value is, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'v, 'a> {
    Null,
    Bool(bool),
    Number(&'v Number),
    Text(&'v str),
    List(Items<'v, 'a>),
    Object(Fields<'v, 'a>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Items<'v, 'a> {
    Borrowed(&'a [Value]),
    Made(&'v [Val<'a>]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fields<'v, 'a> {
    Borrowed(&'a Map<String, Value>),
    Made(&'v Object<'a>),
}

impl<'a> Val<'a> {
    /// A list of these, unless it nests too deep.
    pub(crate) fn list(items: Vec<Self>) -> Option<Self> {
        let depth = 1 + items.iter().map(Val::depth).max().unwrap_or(0);
        (depth <= VALUE_DEPTH_MAX).then(|| Self::List(Rc::new(List { items, depth })))
    }

    /// That object, unless it nests too deep.
    pub(crate) fn object(object: Object<'a>) -> Option<Self> {
        (object.depth < VALUE_DEPTH_MAX).then(|| Self::Object(Rc::new(object)))
    }

    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn index_of(number: usize) -> Self {
        Self::Number(Number::from(number as u64))
    }

    /// Takes a value that nobody else holds, unless it nests too deep.
    pub(crate) fn owned(value: Value) -> Option<Self> {
        Self::owned_at(value, VALUE_DEPTH_MAX)
    }

    fn owned_at(value: Value, left: usize) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(is),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::text(text),
            Value::Array(items) => {
                let left = left.checked_sub(1)?;
                let items = items.into_iter().map(|item| Self::owned_at(item, left));
                Self::list(items.collect::<Option<_>>()?)?
            }
            Value::Object(fields) => {
                let left = left.checked_sub(1)?;
                let mut object = Object::default();
                for (key, value) in fields {
                    object.insert(Cow::Owned(key), Self::owned_at(value, left)?);
                }
                Self::object(object)?
            }
        })
    }

    /// How deep what the expression made nests; borrowed values count as flat.
    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Object(object) => 1 + object.depth,
            _ => 0,
        }
    }

    pub(crate) fn view(&self) -> View<'_, 'a> {
        match self {
            Self::Ref(value) => match value {
                Value::Null => View::Null,
                Value::Bool(is) => View::Bool(*is),
                Value::Number(number) => View::Number(number),
                Value::String(text) => View::Text(text),
                Value::Array(items) => View::List(Items::Borrowed(items)),
                Value::Object(fields) => View::Object(Fields::Borrowed(fields)),
            },
            Self::Null => View::Null,
            Self::Bool(is) => View::Bool(*is),
            Self::Number(number) => View::Number(number),
            Self::Str(text) => View::Text(text),
            Self::Text(text) => View::Text(text),
            Self::List(list) => View::List(Items::Made(&list.items)),
            Self::Object(object) => View::Object(Fields::Made(object)),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Ref(Value::Null))
    }

    /// Truth as JMESPath has it: every number is true.
    pub(crate) fn is_true(&self) -> bool {
        match self.view() {
            View::Null => false,
            View::Bool(is) => is,
            View::Number(_) => true,
            View::Text(text) => !text.is_empty(),
            View::List(items) => items.len() > 0,
            View::Object(fields) => fields.len() > 0,
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<Val<'a>> {
        match self.view() {
            View::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    pub(crate) fn element(&self, index: i64) -> Option<Val<'a>> {
        match self.view() {
            View::List(items) => {
                let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                match index {
                    0.. => items.get(from_end),
                    _ => items.get(items.len().checked_sub(from_end)?),
                }
            }
            _ => None,
        }
    }
}

impl View<'_, '_> {
    /// The type for a message.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The type as the function `type` answers it.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl<'v, 'a> Items<'v, 'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Borrowed(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(crate) fn get(self, at: usize) -> Option<Val<'a>> {
        match self {
            Self::Borrowed(items) => items.get(at).map(Val::Ref),
            Self::Made(items) => items.get(at).cloned(),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Val<'a>> + use<'v, 'a> {
        (0..self.len()).filter_map(move |at| self.get(at))
    }
}

impl<'v, 'a> Fields<'v, 'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Borrowed(fields) => fields.len(),
            Self::Made(object) => object.entries.len(),
        }
    }

    pub(crate) fn get(self, name: &str) -> Option<Val<'a>> {
        match self {
            Self::Borrowed(fields) => fields.get(name).map(Val::Ref),
            Self::Made(object) => object.position(name).map(|at| object.entries[at].1.clone()),
        }
    }

    pub(crate) fn names(self) -> Vec<&'v str>
    where
        'a: 'v,
    {
        match self {
            Self::Borrowed(fields) => fields.keys().map(String::as_str).collect(),
            Self::Made(object) => object.entries.iter().map(|(key, _)| &**key).collect(),
        }
    }

    pub(crate) fn entries(self) -> Vec<(Cow<'a, str>, Val<'a>)> {
        match self {
            Self::Borrowed(fields) => fields
                .iter()
                .map(|(key, value)| (Cow::Borrowed(key.as_str()), Val::Ref(value)))
                .collect(),
            Self::Made(object) => object.entries.clone(),
        }
    }
}

impl<'a> Object<'a> {
    /// Sets a key; one that is there keeps its place.
    pub(crate) fn insert(&mut self, key: Cow<'a, str>, value: Val<'a>) {
        self.depth = self.depth.max(value.depth());
        if let Some(at) = self.position(&key) {
            self.entries[at].1 = value;
            return;
        }
        self.entries.push((key, value));
        let count = self.entries.len();
        if count == SEARCHED_MAX + 1 {
            let keys = self.entries.iter().map(|(key, _)| key.clone());
            self.index = keys.zip(0..).collect();
        } else if count > SEARCHED_MAX {
            self.index
                .insert(self.entries[count - 1].0.clone(), count - 1);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.entries.len() > SEARCHED_MAX {
            return self.index.get(name).copied();
        }
        self.entries.iter().position(|(key, _)| key == name)
    }
}

impl Serialize for Val<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ref(value) => value.serialize(serializer),
            Self::Null => serializer.serialize_unit(),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Number(number) => number.serialize(serializer),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut out = serializer.serialize_seq(Some(list.items.len()))?;
                for item in &list.items {
                    out.serialize_element(item)?;
                }
                out.end()
            }
            Self::Object(object) => {
                let mut out = serializer.serialize_map(Some(object.entries.len()))?;
                for (key, value) in &object.entries {
                    out.serialize_entry(key, value)?;
                }
                out.end()
            }
        }
    }
}

/// Writes compact JSON, unless it has more than `most` bytes.
pub(crate) fn json_within(value: &Val<'_>, most: usize) -> Option<String> {
    json_of(value, most, usize::MAX).ok().map(|(text, _)| text)
}

/// What a value has too many of to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Bytes,
    Pieces,
}

/// Writes compact JSON of at most so many bytes and pieces, and tells how many pieces it has: brackets, numbers, escapes and
/// the texts between them.
pub(crate) fn json_of(
    value: &Val<'_>,
    bytes_max: usize,
    pieces_max: usize,
) -> Result<(String, usize), Over> {
    let mut out = Bounded {
        bytes: Vec::new(),
        bytes_max,
        pieces: 0,
        pieces_max,
    };
    let written = serde_json::to_writer(&mut out, value).is_ok();
    match String::from_utf8(out.bytes) {
        Ok(text) if written => Ok((text, out.pieces)),
        _ if out.pieces > pieces_max => Err(Over::Pieces),
        _ => Err(Over::Bytes),
    }
}

struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    pieces: usize,
    pieces_max: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.pieces += 1;
        if self.bytes.len() + part.len() > self.bytes_max || self.pieces > self.pieces_max {
            return Err(serde_json::Error::custom("over the limit").into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
