//! The functions on numbers, lists and objects: every loop pays for its steps.

use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::Number;

use crate::by_call::{first_extreme, in_order, rounds};
use crate::error::{Error, Outcome, Span, TYPE};
use crate::eval::Machine;
use crate::function::Function;
use crate::node::Node;
use crate::number;
use crate::order;
use crate::signature::Signature;
use crate::types::Types;
use crate::value::{Object, Val, View};

/// Fuel of a field of `merge`: its key is hashed, and perhaps kept in two tables.
const MERGED_UNITS: usize = 20;

impl<'a> Machine<'a> {
    /// Calls a function whose number of arguments the lowering has checked.
    pub(crate) fn call(
        &mut self,
        function: Function,
        args: &'a [Node],
        current: &Val<'a>,
        span: Span,
    ) -> Outcome<Val<'a>> {
        match function {
            Function::If => {
                let condition = self.eval(&args[0], current)?;
                let which = if self.truth(&condition, "the condition of `if`", args[0].span)? {
                    1
                } else {
                    2
                };
                self.eval(&args[which], current)
            }
            Function::Default | Function::NotNull => {
                for arg in args {
                    let value = self.eval(arg, current)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Val::Null)
            }
            Function::GroupBy
            | Function::Map
            | Function::MaxBy
            | Function::MinBy
            | Function::SortBy
            | Function::UniqueBy => self.call_by(function, args, current, span),
            _ => {
                let mut values = Vec::with_capacity(args.len());
                for (position, arg) in args.iter().enumerate() {
                    let value = self.eval(arg, current)?;
                    self.check(function, position, &value, arg.span)?;
                    values.push(value);
                }
                self.call_on(function, &values, span)
            }
        }
    }

    pub(crate) fn check(
        &mut self,
        function: Function,
        position: usize,
        value: &Val<'a>,
        span: Span,
    ) -> Outcome<()> {
        let signature = Signature::of(function);
        let types = signature.types_at(position);
        if let View::List(items) = value.view()
            && !types.has(Types::LIST)
            && !types.has(Types::ANY)
        {
            self.meter.burn(items.len(), span)?;
        }
        if types.takes(value) {
            return Ok(());
        }
        let found = types.found(value);
        Err(Box::new(types.refuse(
            signature.name,
            position,
            &found,
            span,
        )))
    }

    fn call_on(&mut self, function: Function, values: &[Val<'a>], span: Span) -> Outcome<Val<'a>> {
        if function == Function::Uuid {
            return self.uuid(values.first(), span);
        }
        let first = &values[0];
        match function {
            Function::Abs | Function::Ceil | Function::Floor => round(function, first, span),
            Function::Avg | Function::Sum => self.total(function, first, span),
            Function::Max => Ok(extreme(first, Ordering::Greater)),
            Function::Min => Ok(extreme(first, Ordering::Less)),
            Function::Contains => self.contains(first, &values[1], span),
            Function::Keys | Function::Values => self.parts(function, first, span),
            Function::Length => self.length(first, span),
            Function::Merge => self.merge(values, span),
            Function::Reverse => self.reverse(first, span),
            Function::Sort => self.sort(first, span),
            Function::ToArray => match first.view() {
                View::List(_) => Ok(first.clone()),
                _ => self.list(vec![first.clone()], span),
            },
            Function::Type => Ok(Val::Str(first.view().type_name())),
            // Evaluated before their arguments are.
            Function::Default
            | Function::GroupBy
            | Function::If
            | Function::Map
            | Function::MaxBy
            | Function::MinBy
            | Function::NotNull
            | Function::SortBy
            | Function::UniqueBy
            | Function::Uuid => Ok(Val::Null),
            Function::Range => self.range(values, span),
            Function::DateAdd | Function::DateFormat | Function::IsoWeek => {
                self.call_on_time(function, values, span)
            }
            Function::Base64 | Function::Base64Decode | Function::Sha256 | Function::UrlEncode => {
                self.encoded(function, first, span)
            }
            Function::Lower
            | Function::RegexMatch
            | Function::Replace
            | Function::Split
            | Function::Trim
            | Function::Upper => self.rewritten(function, values, span),
            Function::EndsWith
            | Function::StartsWith
            | Function::Join
            | Function::ParseJson
            | Function::ToJson
            | Function::ToNumber
            | Function::ToText => self.call_on_text(function, values, span),
        }
    }

    fn total(&mut self, function: Function, list: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = list.view() else {
            return Ok(Val::Null);
        };
        self.meter.burn(items.len(), span)?;
        let numbers: Vec<Number> = items.iter().filter_map(|item| as_number(&item)).collect();
        let total = match function {
            Function::Avg if numbers.is_empty() => return Ok(Val::Null),
            Function::Avg => number::average(numbers.iter(), numbers.len()),
            _ => number::sum(numbers.iter()),
        };
        finite(total, span)
    }

    /// `range(end)`, `range(start, end)` or `range(start, end, step)`: whole numbers, the end not among them.
    fn range(&mut self, values: &[Val<'a>], span: Span) -> Outcome<Val<'a>> {
        let whole = |at: usize| {
            values
                .get(at)
                .map(|value| whole(value, at, span))
                .transpose()
        };
        let (first, second) = (whole(0)?.unwrap_or_default(), whole(1)?);
        let (mut at, end) = second.map_or((0, first), |end| (first, end));
        let step = whole(2)?.unwrap_or(1);
        if step == 0 {
            let error = Error::new(TYPE, "the step of `range` cannot be 0", span);
            return Err(Box::new(error));
        }
        // All of them before the first: a range that is too long costs nothing.
        let between = if step < 0 {
            i128::from(at) - i128::from(end)
        } else {
            i128::from(end) - i128::from(at)
        };
        let count = between
            .max(0)
            .unsigned_abs()
            .div_ceil(step.unsigned_abs().into());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.meter.elements(count, span)?;
        let mut numbers = Vec::with_capacity(count);
        while if step < 0 { at > end } else { at < end } {
            numbers.push(Val::Number(Number::from(at)));
            match at.checked_add(step) {
                Some(next) => at = next,
                None => break,
            }
        }
        self.list(numbers, span)
    }

    fn contains(&mut self, held: &Val<'a>, searched: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        match held.view() {
            View::Text(text) => {
                let View::Text(part) = searched.view() else {
                    return Ok(Val::Bool(false));
                };
                self.meter.read(text.len() + part.len(), span)?;
                Ok(Val::Bool(text.contains(part)))
            }
            View::List(items) => {
                for item in items.iter() {
                    if order::equal(&item, searched, &mut self.meter, span)? {
                        return Ok(Val::Bool(true));
                    }
                }
                Ok(Val::Bool(false))
            }
            _ => Ok(Val::Bool(false)),
        }
    }

    fn parts(&mut self, function: Function, object: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::Object(fields) = object.view() else {
            return Ok(Val::Null);
        };
        self.meter.elements(fields.len(), span)?;
        let entries = fields.entries().into_iter();
        let parts = match function {
            Function::Keys => entries
                .map(|(key, _)| match key {
                    std::borrow::Cow::Borrowed(key) => Val::Str(key),
                    std::borrow::Cow::Owned(key) => Val::text(key),
                })
                .collect(),
            _ => entries.map(|(_, value)| value).collect(),
        };
        self.list(parts, span)
    }

    fn length(&mut self, value: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        Ok(Val::index_of(match value.view() {
            View::Text(text) => {
                self.meter.read(text.len(), span)?;
                text.chars().count()
            }
            View::List(items) => items.len(),
            View::Object(fields) => fields.len(),
            _ => 0,
        }))
    }

    fn merge(&mut self, values: &[Val<'a>], span: Span) -> Outcome<Val<'a>> {
        let mut merged = Object::default();
        for value in values {
            let View::Object(fields) = value.view() else {
                continue;
            };
            self.meter
                .burn(fields.len().saturating_mul(MERGED_UNITS), span)?;
            for (key, value) in fields.entries() {
                merged.insert(key, value);
            }
        }
        self.object(merged, span)
    }

    fn reverse(&mut self, value: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        match value.view() {
            View::Text(text) => {
                self.meter.write(text.len(), span)?;
                let reversed: String = text.chars().rev().collect();
                Ok(Val::text(reversed))
            }
            View::List(items) => {
                self.meter.elements(items.len(), span)?;
                let mut items: Vec<Val<'a>> = items.iter().collect();
                items.reverse();
                self.list(items, span)
            }
            _ => Ok(Val::Null),
        }
    }

    fn sort(&mut self, list: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = list.view() else {
            return Ok(Val::Null);
        };
        self.meter.elements(items.len(), span)?;
        self.meter
            .burn(items.len().saturating_mul(rounds(items.len())), span)?;
        let mut items: Vec<Val<'a>> = items.iter().collect();
        self.pay_texts(items.iter(), span)?;
        items.sort_by(in_order);
        self.list(items, span)
    }
}

fn extreme<'a>(list: &Val<'a>, wanted: Ordering) -> Val<'a> {
    match list.view() {
        View::List(items) => first_extreme(
            items.iter().map(|item| (item.clone(), item)).collect(),
            wanted,
        ),
        _ => Val::Null,
    }
}

fn as_number(value: &Val<'_>) -> Option<Number> {
    match value.view() {
        View::Number(number) => Some(number.clone()),
        _ => None,
    }
}

/// Argument `at` of `range`.
fn whole(value: &Val<'_>, at: usize, span: Span) -> Outcome<i64> {
    let number = as_number(value);
    number.as_ref().and_then(number::whole).ok_or_else(|| {
        let found = number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        let message = format!(
            "argument {} of `range` must be a whole number of 64 bits, not {found}",
            at + 1
        );
        Box::new(Error::new(TYPE, message, span))
    })
}

fn round<'a>(function: Function, value: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
    let View::Number(number) = value.view() else {
        return Ok(Val::Null);
    };
    finite(
        match function {
            Function::Abs => number::absolute(number),
            Function::Ceil => number::rounded(number, f64::ceil),
            _ => number::rounded(number, f64::floor),
        },
        span,
    )
}

fn finite<'a>(number: Option<Number>, span: Span) -> Outcome<Val<'a>> {
    number
        .map(Val::Number)
        .ok_or_else(|| Box::new(Error::new(TYPE, "the number is too large", span)))
}

/// Shares a text that was built.
pub(crate) fn built<'a>(text: String) -> Val<'a> {
    Val::Text(Rc::from(text))
}
