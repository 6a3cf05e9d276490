//! The functions, but for those on text: every loop pays for its steps.

use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::Number;

use crate::error::{Error, Outcome, Span, TYPE, fail};
use crate::eval::Machine;
use crate::function::{Function, Signature, Types};
use crate::node::{Kind, Node};
use crate::number;
use crate::order;
use crate::value::{Object, Val, View};

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
            Function::Map | Function::SortBy | Function::MaxBy | Function::MinBy => {
                self.call_by(function, args, current, span)
            }
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

    fn check(
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

    /// Functions that evaluate an expression on each element.
    fn call_by(
        &mut self,
        function: Function,
        args: &'a [Node],
        current: &Val<'a>,
        span: Span,
    ) -> Outcome<Val<'a>> {
        let (by, list) = match function {
            Function::Map => (0, 1),
            _ => (1, 0),
        };
        let value = self.eval(&args[list], current)?;
        self.check(function, list, &value, args[list].span)?;
        let Kind::Reference(each) = &args[by].kind else {
            let types = Types::EXPRESSION;
            let name = Signature::of(function).name;
            return Err(Box::new(types.refuse(name, by, "a value", args[by].span)));
        };
        let View::List(items) = value.view() else {
            return Ok(Val::Null);
        };
        let mut results = Vec::with_capacity(items.len());
        for item in items.iter() {
            self.meter.burn(1, span)?;
            results.push(self.eval(each, &item)?);
        }
        if function == Function::Map {
            return self.list(results, span);
        }
        let name = Signature::of(function).name;
        sortable(name, &results, each.span)?;
        let mut pairs: Vec<(Val<'a>, Val<'a>)> = results.into_iter().zip(items.iter()).collect();
        match function {
            Function::SortBy => {
                self.pay_sort(pairs.iter().map(|(key, _)| key), span)?;
                pairs.sort_by(|(a, _), (b, _)| in_order(a, b));
                self.list(pairs.into_iter().map(|(_, item)| item).collect(), span)
            }
            Function::MaxBy => Ok(first_extreme(pairs, Ordering::Greater)),
            _ => Ok(first_extreme(pairs, Ordering::Less)),
        }
    }

    fn call_on(&mut self, function: Function, values: &[Val<'a>], span: Span) -> Outcome<Val<'a>> {
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
            | Function::If
            | Function::Map
            | Function::MaxBy
            | Function::MinBy
            | Function::NotNull
            | Function::SortBy => Ok(Val::Null),
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
        self.meter.burn(fields.len(), span)?;
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
            self.meter.burn(fields.len(), span)?;
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
                self.meter.burn(items.len(), span)?;
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
        let mut items: Vec<Val<'a>> = items.iter().collect();
        self.pay_sort(items.iter(), span)?;
        items.sort_by(in_order);
        self.list(items, span)
    }

    /// Pays for n log n comparisons of these keys.
    fn pay_sort<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k Val<'a>>,
        span: Span,
    ) -> Outcome<()>
    where
        'a: 'k,
    {
        let count = keys.len();
        let rounds = 1 + count.checked_ilog2().unwrap_or(0) as usize;
        self.meter.burn(count * rounds, span)?;
        let text: usize = keys
            .map(|key| match key.view() {
                View::Text(text) => text.len(),
                _ => 0,
            })
            .sum();
        self.meter.read(text.saturating_mul(rounds), span)
    }
}

/// Keys must be all numbers or all texts.
fn sortable(name: &str, keys: &[Val<'_>], span: Span) -> Outcome<()> {
    let Some(first) = keys.first() else {
        return Ok(());
    };
    for (at, key) in keys.iter().enumerate() {
        if order::compare(first, key).is_none() {
            let (was, is) = (first.view().described(), key.view().described());
            let why = match at {
                0 => format!("item 1 gives {is}"),
                _ => format!("item 1 gives {was} and item {} gives {is}", at + 1),
            };
            let message = format!("`{name}` needs all numbers or all texts, but {why}");
            return fail(TYPE, message, span);
        }
    }
    Ok(())
}

fn in_order(a: &Val<'_>, b: &Val<'_>) -> Ordering {
    order::compare(a, b).unwrap_or(Ordering::Equal)
}

/// The first item whose key is the greatest or the least.
fn first_extreme<'a>(pairs: Vec<(Val<'a>, Val<'a>)>, wanted: Ordering) -> Val<'a> {
    let mut best: Option<(Val<'a>, Val<'a>)> = None;
    for pair in pairs {
        match &best {
            Some((key, _)) if in_order(&pair.0, key) != wanted => {}
            _ => best = Some(pair),
        }
    }
    best.map_or(Val::Null, |(_, item)| item)
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
