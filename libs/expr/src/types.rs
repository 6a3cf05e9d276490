//! The types that arguments of functions may have.

use crate::error::{Error, Span, TYPE};
use crate::value::{Val, View};

/// A set of types that an argument may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NUMBER: Self = Self(1);
    pub(crate) const TEXT: Self = Self(1 << 1);
    pub(crate) const LIST: Self = Self(1 << 2);
    pub(crate) const OBJECT: Self = Self(1 << 3);
    /// A list of numbers alone; an empty list is one too.
    pub(crate) const NUMBERS: Self = Self(1 << 4);
    /// A list of texts alone; an empty list is one too.
    pub(crate) const TEXTS: Self = Self(1 << 5);
    pub(crate) const EXPRESSION: Self = Self(1 << 6);
    pub(crate) const ANY: Self = Self(1 << 7);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn takes(self, value: &Val<'_>) -> bool {
        if self.has(Self::ANY) {
            return true;
        }
        match value.view() {
            View::Number(_) => self.has(Self::NUMBER),
            View::Text(_) => self.has(Self::TEXT),
            View::Object(_) => self.has(Self::OBJECT),
            View::List(items) => {
                let all = |of: fn(&Val<'_>) -> bool| items.iter().all(|item| of(&item));
                self.has(Self::LIST)
                    || self.has(Self::NUMBERS) && all(|v| matches!(v.view(), View::Number(_)))
                    || self.has(Self::TEXTS) && all(|v| matches!(v.view(), View::Text(_)))
            }
            View::Null | View::Bool(_) => false,
        }
    }

    fn names(self) -> String {
        const NAMES: [(Types, &str); 7] = [
            (Types::NUMBER, "a number"),
            (Types::TEXT, "text"),
            (Types::LIST, "a list"),
            (Types::OBJECT, "an object"),
            (Types::NUMBERS, "a list of numbers"),
            (Types::TEXTS, "a list of texts"),
            (Types::EXPRESSION, "an expression after `&`"),
        ];
        let names: Vec<&str> = NAMES
            .iter()
            .filter(|(types, _)| self.has(*types))
            .map(|(_, name)| *name)
            .collect();
        match names.as_slice() {
            [] => "a value".to_owned(),
            [.., last] if names.len() > 1 => {
                format!("{} or {last}", names[..names.len() - 1].join(", "))
            }
            [one, ..] => (*one).to_owned(),
        }
    }

    /// What a value of the wrong type is, for a message.
    pub(crate) fn found(self, value: &Val<'_>) -> String {
        let described = value.view().described().to_owned();
        let View::List(items) = value.view() else {
            return described;
        };
        let wanted = match items.get(0).map(|item| item.view().type_name()) {
            Some("number") if self.has(Self::NUMBERS) => "number",
            Some("string") if self.has(Self::TEXTS) => "string",
            _ if self.has(Self::NUMBERS) || self.has(Self::TEXTS) => "",
            _ => return described,
        };
        let mut items = items.iter().enumerate();
        match items.find(|(_, item)| item.view().type_name() != wanted) {
            Some((at, item)) => {
                let item = item.view().described();
                format!("a list whose item {} is {item}", at + 1)
            }
            None => described,
        }
    }

    /// The error for a value that is not of these types.
    pub(crate) fn refuse(self, name: &str, position: usize, found: &str, span: Span) -> Error {
        let message = format!(
            "argument {} of `{name}` must be {}, not {found}",
            position + 1,
            self.names()
        );
        Error::new(TYPE, message, span)
    }
}
