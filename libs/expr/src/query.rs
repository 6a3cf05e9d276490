//! An expression over one value.

use std::sync::Arc;

use serde_json::Value;

use crate::error::Error;
use crate::eval::Machine;
use crate::lower::lower;
use crate::node::Node;
use crate::parse::parse;

/// A JMESPath expression over one value, as `--query` has it: names are fields of the value, `@` is the value itself, and
/// what is missing is null. All else is that of an [`Expression`](crate::Expression).
#[derive(Clone, Debug)]
pub struct Query {
    node: Arc<Node>,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// Those of [`Expression::parse`](crate::Expression::parse).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let node = lower(&parse(text)?, false)?.node;
        Ok(Self {
            node: Arc::new(node),
        })
    }

    /// What the query finds in a value.
    ///
    /// # Errors
    /// `EXPRESSION_TYPE` when a function or an operator cannot take a value, `EXPRESSION_LIMIT` over
    /// [`FUEL_MAX`](crate::FUEL_MAX) or [`OUTPUT_MAX`](crate::OUTPUT_MAX).
    pub fn search(&self, value: &Value) -> Result<Value, Error> {
        // There are no names, and so no run that `uuid` could be made from.
        let names = serde_json::Map::new();
        let mut machine = Machine::new(&names);
        let found = machine.over(&self.node, value)?;
        Ok(machine.answer(&found, self.node.span)?)
    }
}
