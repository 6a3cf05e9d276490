//! How many arguments each function takes, and of which types.

use crate::error::{Error, SYNTAX, Span};
use crate::function::Function;
use crate::node::{Kind, Node};
use crate::types::Types;
use crate::value::Val;

const NUMBERS_OR_TEXTS: Types = Types::NUMBERS.or(Types::TEXTS);
const TEXT_OR_LIST: Types = Types::TEXT.or(Types::LIST);

/// What a function takes.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) takes: &'static [Types],
    /// How many of `takes` must be there.
    least: usize,
    /// The last of `takes` may come any number of times.
    repeats: bool,
}

const fn sig(name: &'static str, function: Function, takes: &'static [Types]) -> Signature {
    optional(name, function, takes.len(), takes)
}

const fn optional(
    name: &'static str,
    function: Function,
    least: usize,
    takes: &'static [Types],
) -> Signature {
    Signature {
        name,
        function,
        takes,
        least,
        repeats: false,
    }
}

const fn repeating(name: &'static str, function: Function, takes: &'static [Types]) -> Signature {
    Signature {
        name,
        function,
        takes,
        least: takes.len(),
        repeats: true,
    }
}

// In the order of `Function`, which a test holds.
#[rustfmt::skip]
pub(crate) static SIGNATURES: [Signature; 47] = [
    sig("abs", Function::Abs, &[Types::NUMBER]),
    sig("avg", Function::Avg, &[Types::NUMBERS]),
    sig("base64", Function::Base64, &[Types::TEXT]),
    sig("base64_decode", Function::Base64Decode, &[Types::TEXT]),
    sig("ceil", Function::Ceil, &[Types::NUMBER]),
    sig("contains", Function::Contains, &[TEXT_OR_LIST, Types::ANY]),
    sig("date_add", Function::DateAdd, &[Types::TEXT, Types::TEXT]),
    optional("date_format", Function::DateFormat, 2, &[Types::TEXT, Types::TEXT, Types::TEXT]),
    sig("default", Function::Default, &[Types::ANY, Types::ANY]),
    sig("ends_with", Function::EndsWith, &[Types::TEXT, Types::TEXT]),
    sig("floor", Function::Floor, &[Types::NUMBER]),
    sig("group_by", Function::GroupBy, &[Types::LIST, Types::EXPRESSION]),
    sig("if", Function::If, &[Types::ANY, Types::ANY, Types::ANY]),
    optional("iso_week", Function::IsoWeek, 1, &[Types::TEXT, Types::TEXT]),
    sig("join", Function::Join, &[Types::TEXT, Types::TEXTS]),
    sig("keys", Function::Keys, &[Types::OBJECT]),
    sig("length", Function::Length, &[TEXT_OR_LIST.or(Types::OBJECT)]),
    sig("lower", Function::Lower, &[Types::TEXT]),
    sig("map", Function::Map, &[Types::EXPRESSION, Types::LIST]),
    sig("max", Function::Max, &[NUMBERS_OR_TEXTS]),
    sig("max_by", Function::MaxBy, &[Types::LIST, Types::EXPRESSION]),
    repeating("merge", Function::Merge, &[Types::OBJECT]),
    sig("min", Function::Min, &[NUMBERS_OR_TEXTS]),
    sig("min_by", Function::MinBy, &[Types::LIST, Types::EXPRESSION]),
    repeating("not_null", Function::NotNull, &[Types::ANY]),
    sig("parse_json", Function::ParseJson, &[Types::TEXT]),
    optional("range", Function::Range, 1, &[Types::NUMBER, Types::NUMBER, Types::NUMBER]),
    sig("regex_match", Function::RegexMatch, &[Types::TEXT, Types::TEXT]),
    sig("replace", Function::Replace, &[Types::TEXT, Types::TEXT, Types::TEXT]),
    sig("reverse", Function::Reverse, &[TEXT_OR_LIST]),
    sig("sha256", Function::Sha256, &[Types::TEXT]),
    sig("sort", Function::Sort, &[NUMBERS_OR_TEXTS]),
    sig("sort_by", Function::SortBy, &[Types::LIST, Types::EXPRESSION]),
    sig("split", Function::Split, &[Types::TEXT, Types::TEXT]),
    sig("starts_with", Function::StartsWith, &[Types::TEXT, Types::TEXT]),
    sig("sum", Function::Sum, &[Types::NUMBERS]),
    sig("to_array", Function::ToArray, &[Types::ANY]),
    sig("to_json", Function::ToJson, &[Types::ANY]),
    sig("to_number", Function::ToNumber, &[Types::ANY]),
    sig("to_string", Function::ToText, &[Types::ANY]),
    sig("trim", Function::Trim, &[Types::TEXT]),
    sig("type", Function::Type, &[Types::ANY]),
    sig("unique_by", Function::UniqueBy, &[Types::LIST, Types::EXPRESSION]),
    sig("upper", Function::Upper, &[Types::TEXT]),
    sig("url_encode", Function::UrlEncode, &[Types::TEXT]),
    optional("uuid", Function::Uuid, 0, &[Types::TEXT]),
    sig("values", Function::Values, &[Types::OBJECT]),
];

impl Signature {
    pub(crate) fn of(function: Function) -> &'static Self {
        &SIGNATURES[function as usize]
    }

    /// The types of the argument at `position`, which [`Signature::check`] has let pass.
    pub(crate) fn types_at(&self, position: usize) -> Types {
        self.takes[position.min(self.takes.len() - 1)]
    }

    /// Checks what can be checked before anything is evaluated.
    pub(crate) fn check(&self, args: &[Node], span: Span) -> Result<(), Error> {
        let name = self.name;
        if args.len() < self.least || (args.len() > self.takes.len() && !self.repeats) {
            let message = format!("`{name}` takes {}, not {}", self.counts(), args.len());
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

    /// The number of arguments, for a message.
    fn counts(&self) -> String {
        let most = self.takes.len();
        let plural = if most == 1 { "" } else { "s" };
        match self.least {
            least if self.repeats => format!("at least {least} argument{plural}"),
            least if least == most => format!("{most} argument{plural}"),
            0 => format!("at most {most} argument{plural}"),
            least => format!("{least} to {most} argument{plural}"),
        }
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
    }

    /// WF-4.8
    #[test]
    fn every_function_is_described() {
        let page = include_str!("../FUNCTIONS.md");
        for signature in &SIGNATURES {
            let row = format!("| `{}(", signature.name);
            assert!(page.contains(&row), "{} is not described", signature.name);
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, SIGNATURES.len());
    }
}
