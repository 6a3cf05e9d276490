//! A file as a tree that knows where everything stands.
//!
//! Made from the parser's events, for YAML and JSON alike, so that every later
//! check can point at the key or value that it is about. What is wrong but can
//! be read on is reported; only a syntax error ends the reading.

use serde_json::{Number, Value};

use crate::diagnostic::quote;
use crate::scalar::Style;
use crate::source::Span;

/// Deepest nesting of lists and maps.
pub const NESTING_MAX: usize = 64;

/// What all aliases of a file may expand to, in bytes.
pub const ALIASES_MAX: usize = 4 * 1024 * 1024;

/// What a node costs of [`ALIASES_MAX`] beside its text.
const NODE_WEIGHT: usize = 32;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

#[derive(Debug, Clone)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String, Style),
    List(Vec<Tree>),
    Map(Vec<Entry>),
    /// Reported already: whoever meets it says nothing.
    Broken,
}

/// A key of a map with its value. Of equal keys only the first is kept.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Tree,
}

impl Tree {
    /// What it is, in the words of messages.
    pub(crate) fn kind(&self) -> String {
        match &self.data {
            Data::Null => "null".to_owned(),
            Data::Bool(value) => format!("{value}"),
            Data::Number(number) => format!("number {number}"),
            Data::Text(text, _) => format!("text \"{}\"", quote(text)),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
            Data::Broken => "nothing".to_owned(),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text, _) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Tree]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) const fn is_broken(&self) -> bool {
        matches!(self.data, Data::Broken)
    }

    /// The value without places.
    pub(crate) fn value(&self) -> Value {
        match &self.data {
            Data::Null | Data::Broken => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text, _) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(Tree::value).collect(),
            Data::Map(entries) => entries
                .iter()
                .map(|e| (e.key.clone(), e.value.value()))
                .collect(),
        }
    }

    /// The value of a key; `None` for a map without it and for what is no map.
    pub(crate) fn get(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.map()?.iter().find(|entry| entry.key == key)
    }

    /// What it counts of [`ALIASES_MAX`].
    pub(crate) fn weight(&self) -> usize {
        NODE_WEIGHT
            + match &self.data {
                Data::Text(text, _) => text.len(),
                Data::List(items) => items.iter().map(Tree::weight).sum(),
                Data::Map(entries) => entries.iter().map(|e| e.key.len() + e.value.weight()).sum(),
                _ => 0,
            }
    }
}
