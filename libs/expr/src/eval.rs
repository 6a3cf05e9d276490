//! The metered evaluator.

use std::borrow::Cow;
use std::cmp::Ordering;

use jmespath::ast::Comparator;
use serde_json::{Map, Value};

use crate::error::{Error, Outcome, Span, TYPE};
use crate::limits::{FIELD_UNITS, Meter, OUTPUT_MAX, VALUE_DEPTH_MAX, too_deep, too_large};
use crate::missing::missing;
use crate::node::{Kind, Node};
use crate::order;
use crate::scope::Scope;
use crate::search::Search;
use crate::value::{Object, Val, View};

/// One evaluation: of an expression, or of all expressions in one text.
pub(crate) struct Machine<'a> {
    scope: &'a dyn Scope,
    /// Names asked for so far.
    roots: Vec<(&'a str, Option<Val<'a>>)>,
    pub(crate) meter: Meter,
    /// Bytes that answers may still have.
    output_left: usize,
    /// Patterns compiled so far.
    pub(crate) searches: Vec<Search>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(scope: &'a dyn Scope) -> Self {
        Self {
            scope,
            roots: Vec::new(),
            meter: Meter::new(),
            output_left: OUTPUT_MAX,
            searches: Vec::new(),
        }
    }

    /// The value of a whole expression: a plain path must exist.
    pub(crate) fn value(&mut self, node: &'a Node) -> Outcome<Val<'a>> {
        match node.plain_path() {
            Some(steps) => self.follow(steps),
            None => self.top(node),
        }
    }

    /// The value of an expression over one value, in which nothing must exist.
    pub(crate) fn over(&mut self, node: &'a Node, value: &'a Value) -> Outcome<Val<'a>> {
        self.eval(node, &Val::Ref(value))
    }

    /// Whether a whole expression holds: what is missing is null.
    pub(crate) fn condition(&mut self, node: &'a Node) -> Outcome<bool> {
        let value = self.top(node)?;
        self.truth(&value, "the condition", node.span)
    }

    /// Truth where a number is a mistake: JMESPath takes 0 for true.
    pub(crate) fn truth(&self, value: &Val<'a>, what: &str, span: Span) -> Outcome<bool> {
        match value.view() {
            View::Number(number) => Err(Box::new(
                Error::new(TYPE, format!("{what} is the number {number}"), span)
                    .hint("compare it, as in `length(x) > 0`"),
            )),
            _ => Ok(value.is_true()),
        }
    }

    fn top(&mut self, node: &'a Node) -> Outcome<Val<'a>> {
        // Nothing on top reads the current value (the lowering sees to it); it only must not be null, since lists and
        // objects made of null are null.
        self.eval(node, &Val::Bool(true))
    }

    pub(crate) fn eval(&mut self, node: &'a Node, current: &Val<'a>) -> Outcome<Val<'a>> {
        self.meter.burn(1, node.span)?;
        match &node.kind {
            Kind::Root(name) => Ok(self.root(name, node.span)?.unwrap_or(Val::Null)),
            Kind::Field(name) => {
                self.meter.burn(FIELD_UNITS, node.span)?;
                Ok(current.field(name).unwrap_or(Val::Null))
            }
            Kind::Index(index) => Ok(current.element(*index).unwrap_or(Val::Null)),
            Kind::Slice { start, stop, step } => {
                self.slice(current, (*start, *stop, *step), node.span)
            }
            Kind::Current => Ok(current.clone()),
            Kind::Literal(value) => Ok(Val::Ref(value)),
            Kind::Any(nodes) => self.until(nodes, current, true),
            Kind::All(nodes) => self.until(nodes, current, false),
            Kind::Not(node) => Ok(Val::Bool(!self.eval(node, current)?.is_true())),
            Kind::Compare(first, rest) => self.compare(first, rest, current),
            Kind::Chain(links) => self.chain(links, current),
            Kind::Flatten => self.flatten(current, node.span),
            Kind::Values => self.values(current, node.span),
            Kind::Project(each) => self.project(each, current, node.span),
            Kind::Filter { test, then } => match self.eval(test, current)?.is_true() {
                true => self.eval(then, current),
                false => Ok(Val::Null),
            },
            Kind::List(nodes) => self.make_list(nodes, current, node.span),
            Kind::Object(fields) => self.make_object(fields, current, node.span),
            // Functions that take one evaluate what is inside.
            Kind::Reference(node) => self.eval(node, current),
            Kind::Call(function, args) => self.call(*function, args, current, node.span),
        }
    }

    /// A name of the scope that a function reads by itself.
    pub(crate) fn known(&mut self, name: &'static str, span: Span) -> Outcome<Option<Val<'a>>> {
        self.root(name, span)
    }

    /// What the evaluation is for.
    pub(crate) fn instance(&self) -> Option<Cow<'a, str>> {
        self.scope.instance()
    }

    fn root(&mut self, name: &'a str, span: Span) -> Outcome<Option<Val<'a>>> {
        if let Some((_, value)) = self.roots.iter().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        let value = match self.scope.get(name) {
            None => None,
            Some(Cow::Borrowed(value)) => Some(Val::Ref(value)),
            Some(Cow::Owned(value)) => {
                Some(Val::owned(value).ok_or_else(|| Box::new(too_deep(span)))?)
            }
        };
        self.roots.push((name, value.clone()));
        Ok(value)
    }

    pub(crate) fn list(&self, items: Vec<Val<'a>>, span: Span) -> Outcome<Val<'a>> {
        Val::list(items).ok_or_else(|| Box::new(too_deep(span)))
    }

    pub(crate) fn object(&self, object: Object<'a>, span: Span) -> Outcome<Val<'a>> {
        Val::object(object).ok_or_else(|| Box::new(too_deep(span)))
    }

    /// The first operand whose truth is `wanted`, else the last.
    fn until(&mut self, nodes: &'a [Node], current: &Val<'a>, wanted: bool) -> Outcome<Val<'a>> {
        let mut value = Val::Null;
        for node in nodes {
            value = self.eval(node, current)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn compare(
        &mut self,
        first: &'a Node,
        rest: &'a [(Comparator, Node)],
        current: &Val<'a>,
    ) -> Outcome<Val<'a>> {
        let mut left = self.eval(first, current)?;
        for (comparator, node) in rest {
            let right = self.eval(node, current)?;
            left = self.compared(comparator, &left, &right, node.span)?;
        }
        Ok(left)
    }

    fn compared(
        &mut self,
        comparator: &Comparator,
        left: &Val<'a>,
        right: &Val<'a>,
        span: Span,
    ) -> Outcome<Val<'a>> {
        let holds: fn(Ordering) -> bool = match comparator {
            Comparator::Equal => {
                return Ok(Val::Bool(order::equal(left, right, &mut self.meter, span)?));
            }
            Comparator::NotEqual => {
                return Ok(Val::Bool(!order::equal(
                    left,
                    right,
                    &mut self.meter,
                    span,
                )?));
            }
            Comparator::LessThan => Ordering::is_lt,
            Comparator::LessThanEqual => Ordering::is_le,
            Comparator::GreaterThan => Ordering::is_gt,
            Comparator::GreaterThanEqual => Ordering::is_ge,
        };
        // JMESPath orders numbers only; the rest is null.
        match (left.view(), right.view()) {
            (View::Number(_), View::Number(_)) => {
                Ok(order::compare(left, right).map_or(Val::Null, |order| Val::Bool(holds(order))))
            }
            _ => Ok(Val::Null),
        }
    }

    fn chain(&mut self, links: &'a [Node], current: &Val<'a>) -> Outcome<Val<'a>> {
        let mut links = links.iter();
        let mut value = match links.next() {
            Some(first) => self.eval(first, current)?,
            None => return Ok(Val::Null),
        };
        for link in links {
            value = self.eval(link, &value)?;
        }
        Ok(value)
    }

    fn flatten(&mut self, current: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = current.view() else {
            return Ok(Val::Null);
        };
        self.meter.elements(items.len(), span)?;
        let mut flat = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.view() {
                View::List(inner) => {
                    self.meter.elements(inner.len(), span)?;
                    flat.extend(inner.iter());
                }
                _ => flat.push(item),
            }
        }
        self.list(flat, span)
    }

    fn values(&mut self, current: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::Object(fields) = current.view() else {
            return Ok(Val::Null);
        };
        self.meter.elements(fields.len(), span)?;
        let values = fields.entries().into_iter().map(|(_, value)| value);
        self.list(values.collect(), span)
    }

    fn project(&mut self, each: &'a Node, current: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = current.view() else {
            return Ok(Val::Null);
        };
        // All of them before the first: a list that is too long costs nothing.
        self.meter.elements(items.len(), span)?;
        let mut kept = Vec::new();
        for item in items.iter() {
            let value = self.eval(each, &item)?;
            if !value.is_null() {
                kept.push(value);
            }
        }
        self.list(kept, span)
    }

    fn slice(
        &mut self,
        current: &Val<'a>,
        (start, stop, step): (Option<i64>, Option<i64>, i64),
        span: Span,
    ) -> Outcome<Val<'a>> {
        let View::List(items) = current.view() else {
            return Ok(Val::Null);
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        // The ends lie within the list, or one before it when going backwards.
        let (low, high) = if step < 0 {
            (-1, length - 1)
        } else {
            (0, length)
        };
        let within = |end: i64| (if end < 0 { end + length } else { end }).clamp(low, high);
        let (first, last) = if step < 0 { (high, low) } else { (low, high) };
        let mut at = start.map_or(first, within);
        let stop = stop.map_or(last, within);
        let mut kept = Vec::new();
        while if step < 0 { at > stop } else { at < stop } {
            self.meter.elements(1, span)?;
            kept.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
            at += step;
        }
        self.list(kept, span)
    }

    fn make_list(&mut self, nodes: &'a [Node], current: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        if current.is_null() {
            return Ok(Val::Null);
        }
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            items.push(self.eval(node, current)?);
        }
        self.list(items, span)
    }

    fn make_object(
        &mut self,
        fields: &'a [(String, Node)],
        current: &Val<'a>,
        span: Span,
    ) -> Outcome<Val<'a>> {
        if current.is_null() {
            return Ok(Val::Null);
        }
        let mut object = Object::default();
        for (key, node) in fields {
            let value = self.eval(node, current)?;
            object.insert(Cow::Borrowed(key), value);
        }
        self.object(object, span)
    }

    /// A plain path, each step of which must exist.
    fn follow(&mut self, steps: &'a [Node]) -> Outcome<Val<'a>> {
        self.meter.burn(steps.len(), steps[0].span)?;
        let mut value = Val::Null;
        for (at, step) in steps.iter().enumerate() {
            let next = match &step.kind {
                Kind::Root(name) => self.root(name, step.span)?,
                Kind::Field(name) => value.field(name),
                Kind::Index(index) => value.element(*index),
                _ => None,
            };
            value = match next {
                Some(next) => next,
                None => return Err(Box::new(missing(steps, at, &value))),
            };
        }
        Ok(value)
    }

    /// Turns a value into one of its own, within what is left of the output.
    pub(crate) fn answer(&mut self, value: &Val<'a>, span: Span) -> Outcome<Value> {
        self.copied(value, VALUE_DEPTH_MAX, span)
    }

    /// Pays for `bytes` of answer.
    pub(crate) fn emit(&mut self, bytes: usize, span: Span) -> Outcome<()> {
        match self.output_left.checked_sub(bytes) {
            Some(left) => {
                self.output_left = left;
                Ok(())
            }
            None => Err(Box::new(too_large(span))),
        }
    }

    /// Bytes that answers may still have.
    pub(crate) fn output_left(&self) -> usize {
        self.output_left
    }

    fn copied(&mut self, value: &Val<'a>, levels: usize, span: Span) -> Outcome<Value> {
        // What compact JSON takes, give or take escapes: quotes, a colon, a comma.
        let inside = |levels: usize| {
            levels
                .checked_sub(1)
                .ok_or_else(|| Box::new(too_deep(span)))
        };
        Ok(match value.view() {
            View::Null => {
                self.emit(5, span)?;
                Value::Null
            }
            View::Bool(is) => {
                self.emit(5, span)?;
                Value::Bool(is)
            }
            View::Number(number) => {
                self.emit(2, span)?;
                Value::Number(number.clone())
            }
            View::Text(text) => {
                self.emit(text.len() + 3, span)?;
                Value::String(text.to_owned())
            }
            View::List(items) => {
                self.emit(2, span)?;
                let levels = inside(levels)?;
                let items = items.iter().map(|item| self.copied(&item, levels, span));
                Value::Array(items.collect::<Outcome<_>>()?)
            }
            View::Object(fields) => {
                self.emit(2, span)?;
                let levels = inside(levels)?;
                let mut object = Map::new();
                for (key, value) in fields.entries() {
                    self.emit(key.len() + 4, span)?;
                    object.insert(key.into_owned(), self.copied(&value, levels, span)?);
                }
                Value::Object(object)
            }
        })
    }
}
