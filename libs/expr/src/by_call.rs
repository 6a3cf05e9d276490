//! The functions that evaluate an expression on each element of a list.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::canonical::canonical;
use crate::error::{Error, Outcome, Span, TYPE, fail};
use crate::eval::Machine;
use crate::function::Function;
use crate::node::{Kind, Node};
use crate::number;
use crate::order;
use crate::signature::Signature;
use crate::types::Types;
use crate::value::{Object, Val, View, json_within};

impl<'a> Machine<'a> {
    /// Functions that evaluate an expression on each element.
    pub(crate) fn call_by(
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
        // All of them before the first, and what is done with them: a list that is too long costs nothing.
        self.meter.elements(items.len(), span)?;
        let then = match function {
            Function::UniqueBy | Function::GroupBy => GROUPED_UNITS,
            Function::SortBy => rounds(items.len()),
            _ => 0,
        };
        self.meter.burn(items.len().saturating_mul(then), span)?;
        let mut results = Vec::with_capacity(items.len());
        for item in items.iter() {
            results.push(self.eval(each, &item)?);
        }
        match function {
            Function::Map => return self.list(results, span),
            Function::UniqueBy => return self.unique(&results, &value, span),
            Function::GroupBy => return self.grouped(results, &value, each.span),
            _ => {}
        }
        let name = Signature::of(function).name;
        sortable(name, &results, each.span)?;
        let mut pairs: Vec<(Val<'a>, Val<'a>)> = results.into_iter().zip(items.iter()).collect();
        match function {
            Function::SortBy => {
                self.pay_texts(pairs.iter().map(|(key, _)| key), span)?;
                pairs.sort_by(|(a, _), (b, _)| in_order(a, b));
                self.list(pairs.into_iter().map(|(_, item)| item).collect(), span)
            }
            Function::MaxBy => Ok(first_extreme(pairs, Ordering::Greater)),
            _ => Ok(first_extreme(pairs, Ordering::Less)),
        }
    }

    /// The first item of each key; keys are equal as `==` has it.
    fn unique(&mut self, keys: &[Val<'a>], list: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = list.view() else {
            return Ok(Val::Null);
        };
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for (key, item) in keys.iter().zip(items.iter()) {
            if seen.insert(canonical(key, &mut self.meter, span)?) {
                kept.push(item);
            }
        }
        self.list(kept, span)
    }

    /// From each key to its items, both in the order of the list.
    fn grouped(&mut self, keys: Vec<Val<'a>>, list: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = list.view() else {
            return Ok(Val::Null);
        };
        let mut groups: Vec<(Cow<'a, str>, Vec<Val<'a>>)> = Vec::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for (at, (key, item)) in keys.into_iter().zip(items.iter()).enumerate() {
            let key = self.group_key(&key, at, span)?;
            match places.get(&key) {
                Some(place) => groups[*place].1.push(item),
                None => {
                    self.meter.burn(GROUP_UNITS, span)?;
                    places.insert(key.clone(), groups.len());
                    groups.push((key, vec![item]));
                }
            }
        }
        let mut object = Object::default();
        for (key, items) in groups {
            let items = self.list(items, span)?;
            object.insert(key, items);
        }
        self.object(object, span)
    }

    /// The key of a group: text, or a number or boolean as JSON.
    fn group_key(&mut self, key: &Val<'a>, at: usize, span: Span) -> Outcome<Cow<'a, str>> {
        match key.view() {
            View::Text(text) => {
                self.meter.read(text.len(), span)?;
                Ok(match key {
                    Val::Ref(serde_json::Value::String(text)) => Cow::Borrowed(text),
                    Val::Str(text) => Cow::Borrowed(text),
                    _ => Cow::Owned(text.to_owned()),
                })
            }
            // Equal numbers have one key, however they are written.
            View::Number(number) if let Some(whole) = number::whole(number) => {
                Ok(Cow::Owned(whole.to_string()))
            }
            View::Number(_) | View::Bool(_) => {
                Ok(Cow::Owned(json_within(key, KEY_MAX).unwrap_or_default()))
            }
            other => {
                let found = other.described();
                let message = format!(
                    "`group_by` needs text, numbers or booleans, but item {} gives {found}",
                    at + 1
                );
                let error = Error::new(TYPE, message, span);
                Err(Box::new(
                    error.hint("give the others a key: `default(key, 'none')`"),
                ))
            }
        }
    }

    /// Pays for the texts among keys that are sorted, beside the [`rounds`] of each.
    pub(crate) fn pay_texts<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k Val<'a>>,
        span: Span,
    ) -> Outcome<()>
    where
        'a: 'k,
    {
        let rounds = rounds(keys.len());
        let text: usize = keys
            .map(|key| match key.view() {
                View::Text(text) => text.len(),
                _ => 0,
            })
            .sum();
        self.meter.read(text.saturating_mul(rounds), span)
    }
}

/// Comparisons of each element of a list that is sorted.
pub(crate) fn rounds(count: usize) -> usize {
    1 + count.checked_ilog2().unwrap_or(0) as usize
}

/// Fuel of an element of `unique_by` and `group_by`: its key is hashed, and perhaps kept.
const GROUPED_UNITS: usize = 8;

/// Fuel of a further group: a list, and a key in two tables.
const GROUP_UNITS: usize = 80;

/// No number is longer as JSON.
const KEY_MAX: usize = 64;

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

pub(crate) fn in_order(a: &Val<'_>, b: &Val<'_>) -> Ordering {
    order::compare(a, b).unwrap_or(Ordering::Equal)
}

/// The first item whose key is the greatest or the least.
pub(crate) fn first_extreme<'a>(pairs: Vec<(Val<'a>, Val<'a>)>, wanted: Ordering) -> Val<'a> {
    let mut best: Option<(Val<'a>, Val<'a>)> = None;
    for pair in pairs {
        match &best {
            Some((key, _)) if in_order(&pair.0, key) != wanted => {}
            _ => best = Some(pair),
        }
    }
    best.map_or(Val::Null, |(_, item)| item)
}
