//! The names that an expression of a task sees.

use std::borrow::Cow;

use serde_json::Value;

use gearmesh_expr::Scope;

use crate::plan::state::{State, TaskStatus};

/// The names of one instance: roots, tasks, its element, itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    state: &'a State,
    /// Name and value of the element, and its position.
    element: Option<(&'a str, &'a Value, usize)>,
    /// The own name with what it means here.
    own: Option<(&'a str, &'a Value)>,
}

impl<'a> View<'a> {
    pub(crate) fn new(state: &'a State, element: Option<(&'a str, &'a Value, usize)>) -> Self {
        Self {
            state,
            element,
            own: None,
        }
    }

    /// With the own name meaning this value.
    pub(crate) fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.own = Some((name, value));
        self
    }
}

impl Scope for View<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some((own, value)) = self.own
            && own == name
        {
            return Some(Cow::Borrowed(value));
        }
        if let Some((element, value, position)) = self.element {
            if element == name {
                return Some(Cow::Borrowed(value));
            }
            if name == "index" {
                return Some(Cow::Owned(position.into()));
            }
        }
        if let Some(value) = self.state.constants.get(name) {
            return Some(Cow::Borrowed(value));
        }
        let task = &self.state.tasks[self.state.find(name)?];
        match task.status {
            TaskStatus::Blocked | TaskStatus::Active => None,
            _ => Some(Cow::Borrowed(&task.view)),
        }
    }
}
