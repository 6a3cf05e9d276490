//! Where names get their values.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The names that an expression can read.
pub trait Scope {
    /// The value of a root name, `None` when nothing has that name. Borrowed where the value exists already; it is asked
    /// once per evaluation and name.
    fn get(&self, name: &str) -> Option<Cow<'_, Value>>;

    /// What the evaluation is for: the task with the positions of the elements around it, in the same words whenever it is
    /// the same and in others whenever it is not. The function `uuid` is made from it and from `run.id`; where it is `None`,
    /// from `index` instead.
    fn instance(&self) -> Option<Cow<'_, str>> {
        None
    }
}

impl Scope for Map<String, Value> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        Map::get(self, name).map(Cow::Borrowed)
    }
}
