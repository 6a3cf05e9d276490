//! The functions that read or write text.

use crate::call::built;
use crate::error::{Error, Outcome, Span, TYPE};
use crate::eval::Machine;
use crate::function::Function;
use crate::limits::{OUTPUT_MAX, too_deep, too_large};
use crate::number;
use crate::value::{Over, Val, View, json_of};

/// Fuel of a piece of JSON: a bracket, a number, an escape, or the text between two of them.
const PIECE_UNITS: usize = 2;

impl<'a> Machine<'a> {
    pub(crate) fn call_on_text(
        &mut self,
        function: Function,
        values: &[Val<'a>],
        span: Span,
    ) -> Outcome<Val<'a>> {
        let first = &values[0];
        match function {
            Function::ToJson => self.json_text(first, span),
            Function::ToText => match first.view() {
                View::Text(_) => Ok(first.clone()),
                _ => self.json_text(first, span),
            },
            Function::ToNumber => Ok(match first.view() {
                View::Number(_) => first.clone(),
                View::Text(text) => {
                    self.meter.read(text.len(), span)?;
                    number::read(text).map_or(Val::Null, Val::Number)
                }
                _ => Val::Null,
            }),
            Function::ParseJson => self.parse_json(first, span),
            _ => {
                let second = &values[1];
                match (function, first.view(), second.view()) {
                    (Function::StartsWith, View::Text(text), View::Text(part)) => {
                        self.meter.read(part.len(), span)?;
                        Ok(Val::Bool(text.starts_with(part)))
                    }
                    (Function::EndsWith, View::Text(text), View::Text(part)) => {
                        self.meter.read(part.len(), span)?;
                        Ok(Val::Bool(text.ends_with(part)))
                    }
                    (_, View::Text(glue), View::List(_)) => self.join(glue, second, span),
                    _ => Ok(Val::Null),
                }
            }
        }
    }

    fn json_text(&mut self, value: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        // No further than it can be paid.
        let most = self.meter.affordable(PIECE_UNITS);
        let (text, pieces) = match json_of(value, OUTPUT_MAX, most) {
            Ok(written) => written,
            Err(Over::Bytes) => return Err(Box::new(too_large(span))),
            Err(Over::Pieces) => (String::new(), most.saturating_add(1)),
        };
        self.meter.burn(pieces.saturating_mul(PIECE_UNITS), span)?;
        self.meter.write(text.len(), span)?;
        Ok(built(text))
    }

    fn parse_json(&mut self, value: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::Text(text) = value.view() else {
            return Ok(Val::Null);
        };
        self.meter.write(text.len(), span)?;
        let parsed = serde_json::from_str(text).map_err(|error| {
            let message = format!("the text given to `parse_json` is not JSON: {error}");
            Box::new(Error::new(TYPE, message, span))
        })?;
        Val::owned(parsed).ok_or_else(|| Box::new(too_deep(span)))
    }

    fn join(&mut self, glue: &str, list: &Val<'a>, span: Span) -> Outcome<Val<'a>> {
        let View::List(items) = list.view() else {
            return Ok(Val::Null);
        };
        self.meter.burn(items.len(), span)?;
        let text_length = |item: &Val<'_>| match item.view() {
            View::Text(text) => text.len(),
            _ => 0,
        };
        let glues = glue.len().saturating_mul(items.len().saturating_sub(1));
        let length = items
            .iter()
            .fold(glues, |sum, item| sum.saturating_add(text_length(&item)));
        // Paid before it is built.
        self.meter.write(length, span)?;
        let mut joined = String::with_capacity(length);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                joined.push_str(glue);
            }
            if let View::Text(text) = item.view() {
                joined.push_str(text);
            }
        }
        Ok(built(joined))
    }
}
