//! The names that an expression of a task sees.

use std::borrow::Cow;

use serde_json::Value;

use gearmesh_expr::Scope;
use gearmesh_workflow::TASK_PREFIX;

use crate::plan::state::State;
use crate::plan::task_state::TaskStatus;

/// The names of one instance: roots, tasks, its element, itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    state: &'a State,
    /// The frame from which it looks.
    frame: usize,
    /// Name and value of the element, and its position.
    element: Option<(&'a str, &'a Value, usize)>,
    /// A name with what it means here.
    own: Option<(&'a str, &'a Value)>,
    /// The id of the task, when there is one.
    id: Option<&'a str>,
}

impl<'a> View<'a> {
    /// What is seen from a frame, beside no task.
    pub(crate) fn of_frame(state: &'a State, frame: usize) -> Self {
        Self {
            state,
            frame,
            element: None,
            own: None,
            id: None,
        }
    }

    /// What an instance of a task sees; its element only when it has one.
    pub(crate) fn of_item(state: &'a State, task: usize, item: Option<usize>) -> Self {
        let known = &state.tasks[task];
        let element = item.and_then(|item| {
            let value = known.items.as_ref()?.get(item)?;
            Some((state.task(task).as_name.as_str(), value, item))
        });
        Self {
            state,
            frame: known.frame,
            element,
            own: None,
            id: Some(state.task(task).id.as_str()),
        }
    }

    /// With a name meaning this value.
    pub(crate) fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.own = Some((name, value));
        self
    }

    /// The element or its position, of the task itself or of a group around it.
    fn element(&self, name: &str) -> Option<Cow<'a, Value>> {
        let here = |(element, value, position): (&'a str, &'a Value, usize)| {
            if element == name {
                return Some(Cow::Borrowed(value));
            }
            (name == "index").then(|| Cow::Owned(position.into()))
        };
        if let Some(found) = self.element.and_then(here) {
            return Some(found);
        }
        self.state.around(self.frame).find_map(|frame| {
            let (group, item) = self.state.frames[frame].parent?;
            let value = self.state.tasks[group].items.as_ref()?.get(item)?;
            here((self.state.task(group).as_name.as_str(), value, item))
        })
    }

    /// Where a task of this name stands, seen from here.
    fn task(&self, name: &str) -> Option<usize> {
        // A dialect whose ids may be like our roots says so before them.
        let name = name.strip_prefix(TASK_PREFIX).unwrap_or(name);
        let definition = *self.state.index.get(name)?;
        let body = self.state.body_of(definition);
        let mut frames = std::iter::successors(Some(self.frame), |f| self.state.frames[*f].outer);
        let frame = frames.find(|f| self.state.frames[*f].body == body)?;
        Some(self.state.slot(frame, definition))
    }
}

impl Scope for View<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some((own, value)) = self.own
            && own == name
        {
            return Some(Cow::Borrowed(value));
        }
        if let Some(element) = self.element(name) {
            return Some(element);
        }
        if let Some(value) = self.state.constants.get(name) {
            return Some(Cow::Borrowed(value));
        }
        let task = &self.state.tasks[self.task(name)?];
        match task.status {
            TaskStatus::Blocked | TaskStatus::Active => None,
            _ => Some(Cow::Borrowed(&task.view)),
        }
    }

    /// The task's id, and its position in each group around it and among its own instances.
    fn instance(&self) -> Option<Cow<'_, str>> {
        let mut place = self.id?.to_owned();
        let around = &self.state.frames[self.frame].path;
        let own = self.element.map(|(_, _, position)| position);
        for position in around.iter().map(|item| *item as usize).chain(own) {
            place.push('/');
            place.push_str(&position.to_string());
        }
        Some(Cow::Owned(place))
    }
}
