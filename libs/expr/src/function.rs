//! The functions of the language: their names, how many arguments they take, and of which types.

use crate::error::{Error, NOT_IMPLEMENTED, SYNTAX, Span, TYPE};
use crate::node::{Kind, Node};
use crate::suggest::nearest;
use crate::value::{Val, View};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Avg,
    Ceil,
    Contains,
    Default,
    EndsWith,
    Floor,
    If,
    Join,
    Keys,
    Length,
    Map,
    Max,
    MaxBy,
    Merge,
    Min,
    MinBy,
    NotNull,
    ParseJson,
    Reverse,
    Sort,
    SortBy,
    StartsWith,
    Sum,
    ToArray,
    ToJson,
    ToNumber,
    ToText,
    Type,
    Values,
}

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

    const fn or(self, other: Self) -> Self {
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

const NUMBERS_OR_TEXTS: Types = Types::NUMBERS.or(Types::TEXTS);
const TEXT_OR_LIST: Types = Types::TEXT.or(Types::LIST);

/// What a function takes.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) takes: &'static [Types],
    /// The last of `takes` may come any number of times.
    repeats: bool,
}

const fn sig(name: &'static str, function: Function, takes: &'static [Types]) -> Signature {
    Signature {
        name,
        function,
        takes,
        repeats: false,
    }
}

const fn repeating(name: &'static str, function: Function, takes: &'static [Types]) -> Signature {
    Signature {
        name,
        function,
        takes,
        repeats: true,
    }
}

// In the order of `Function`, which a test holds.
static SIGNATURES: [Signature; 30] = [
    sig("abs", Function::Abs, &[Types::NUMBER]),
    sig("avg", Function::Avg, &[Types::NUMBERS]),
    sig("ceil", Function::Ceil, &[Types::NUMBER]),
    sig("contains", Function::Contains, &[TEXT_OR_LIST, Types::ANY]),
    sig("default", Function::Default, &[Types::ANY, Types::ANY]),
    sig("ends_with", Function::EndsWith, &[Types::TEXT, Types::TEXT]),
    sig("floor", Function::Floor, &[Types::NUMBER]),
    sig("if", Function::If, &[Types::ANY, Types::ANY, Types::ANY]),
    sig("join", Function::Join, &[Types::TEXT, Types::TEXTS]),
    sig("keys", Function::Keys, &[Types::OBJECT]),
    sig(
        "length",
        Function::Length,
        &[TEXT_OR_LIST.or(Types::OBJECT)],
    ),
    sig("map", Function::Map, &[Types::EXPRESSION, Types::LIST]),
    sig("max", Function::Max, &[NUMBERS_OR_TEXTS]),
    sig("max_by", Function::MaxBy, &[Types::LIST, Types::EXPRESSION]),
    repeating("merge", Function::Merge, &[Types::OBJECT]),
    sig("min", Function::Min, &[NUMBERS_OR_TEXTS]),
    sig("min_by", Function::MinBy, &[Types::LIST, Types::EXPRESSION]),
    repeating("not_null", Function::NotNull, &[Types::ANY]),
    sig("parse_json", Function::ParseJson, &[Types::TEXT]),
    sig("reverse", Function::Reverse, &[TEXT_OR_LIST]),
    sig("sort", Function::Sort, &[NUMBERS_OR_TEXTS]),
    sig(
        "sort_by",
        Function::SortBy,
        &[Types::LIST, Types::EXPRESSION],
    ),
    sig(
        "starts_with",
        Function::StartsWith,
        &[Types::TEXT, Types::TEXT],
    ),
    sig("sum", Function::Sum, &[Types::NUMBERS]),
    sig("to_array", Function::ToArray, &[Types::ANY]),
    sig("to_json", Function::ToJson, &[Types::ANY]),
    sig("to_number", Function::ToNumber, &[Types::ANY]),
    sig("to_string", Function::ToText, &[Types::ANY]),
    sig("type", Function::Type, &[Types::ANY]),
    sig("values", Function::Values, &[Types::OBJECT]),
];

/// Functions of the language that are not built yet.
const PLANNED: [&str; 16] = [
    "base64",
    "date_add",
    "date_format",
    "group_by",
    "iso_week",
    "lower",
    "range",
    "regex_match",
    "replace",
    "sha256",
    "split",
    "trim",
    "unique_by",
    "upper",
    "url_encode",
    "uuid",
];

impl Function {
    /// The function of that name, or why there is none.
    pub(crate) fn named(name: &str, span: Span) -> Result<Self, Error> {
        if let Some(signature) = SIGNATURES.iter().find(|one| one.name == name) {
            return Ok(signature.function);
        }
        if PLANNED.contains(&name) {
            let message = format!("function `{name}` is not built yet");
            return Err(Error::new(NOT_IMPLEMENTED, message, span));
        }
        let known = SIGNATURES.iter().map(|one| one.name).chain(PLANNED);
        Err(match nearest(name, known) {
            Some(meant) => Error::new(
                SYNTAX,
                format!("no function is called `{name}`; did you mean `{meant}`?"),
                span,
            )
            .hint(format!("did you mean `{meant}`?")),
            None => {
                let known: Vec<&str> = SIGNATURES.iter().map(|one| one.name).collect();
                Error::new(SYNTAX, format!("no function is called `{name}`"), span)
                    .hint(format!("the functions are {}", known.join(", ")))
            }
        })
    }
}

impl Signature {
    pub(crate) fn of(function: Function) -> &'static Self {
        &SIGNATURES[function as usize]
    }

    /// The types of the argument at `position`, which [`Signature::check`] has let pass.
    pub(crate) fn types_at(&self, position: usize) -> Types {
        self.takes[position.min(self.takes.len() - 1)]
    }

    /// Checks what can be checked before anything is evaluated.
    pub(crate) fn check(&self, name: &str, args: &[Node], span: Span) -> Result<(), Error> {
        let least = self.takes.len();
        if args.len() < least || (args.len() > least && !self.repeats) {
            let bound = if self.repeats { "at least " } else { "" };
            let plural = if least == 1 { "" } else { "s" };
            let message = format!(
                "`{name}` takes {bound}{least} argument{plural}, not {}",
                args.len()
            );
            return Err(Error::new(SYNTAX, message, span));
        }
        for (position, arg) in args.iter().enumerate() {
            let types = self.types_at(position);
            let refuse = |found: &str| Err(types.refuse(name, position, found, arg.span));
            match &arg.kind {
                Kind::Reference(_) if types.has(Types::EXPRESSION) => {}
                Kind::Reference(_) => return refuse("an expression after `&`"),
                _ if types.has(Types::EXPRESSION) => return refuse("a value"),
                Kind::Literal(value) if !types.takes(&Val::Ref(value)) => {
                    return refuse(&types.found(&Val::Ref(value)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_stands_at_its_function() {
        for (at, signature) in SIGNATURES.iter().enumerate() {
            assert_eq!(signature.function as usize, at, "{}", signature.name);
            assert!(!signature.takes.is_empty(), "{}", signature.name);
        }
        assert!(SIGNATURES.iter().all(|one| !PLANNED.contains(&one.name)));
    }
}
