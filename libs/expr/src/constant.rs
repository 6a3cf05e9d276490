//! Arguments that are text in the expression itself, checked before anything is evaluated.

use serde_json::Value;

use crate::error::{Error, Outcome, TYPE};
use crate::function::Function;
use crate::node::{Kind, Node};
use crate::pattern::Pattern;
use crate::search::Search;
use crate::time_call;

/// Checks patterns, durations and zones that are written out.
pub(crate) fn check(function: Function, args: &[Node]) -> Outcome<()> {
    for (at, arg) in args.iter().enumerate() {
        let Kind::Literal(Value::String(text)) = &arg.kind else {
            continue;
        };
        let checked = match (function, at) {
            (Function::RegexMatch, 1) => Search::check(text),
            (Function::DateAdd, 1) => of_type(time_call::length(text)),
            (Function::DateFormat, 1) => of_type(Pattern::parse(text)),
            (Function::DateFormat, 2) | (Function::IsoWeek, 1) => of_type(time_call::zone(text)),
            _ => Ok(()),
        };
        if let Err((code, message)) = checked {
            return Err(Box::new(Error::new(code, message, arg.span)));
        }
    }
    Ok(())
}

fn of_type<T>(result: Result<T, String>) -> Result<(), (&'static str, String)> {
    result.map(|_| ()).map_err(|message| (TYPE, message))
}
