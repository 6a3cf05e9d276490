//! What expressions of a step may name.

use crate::keys::ROOTS;
use crate::tree::Entry;

/// Before an id that expressions would take for one of their own names.
pub const TASK_PREFIX: &str = "task:";

/// A step, as the steps behind it see it.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// Its id, given or counted.
    pub(crate) id: String,
    /// The name under which its result is kept.
    pub(crate) save_as: Option<String>,
    /// Whether it may be skipped.
    pub(crate) conditional: bool,
    /// The task that stands for it, as the root of a path.
    pub(crate) root: String,
}

/// What expressions of a step may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'t> {
    pub(crate) steps: &'t [Saved],
    /// How many of the steps have run.
    pub(crate) before: usize,
    pub(crate) params: &'t [Entry],
    /// The input that stands for a param.
    pub(crate) input: fn(&str) -> String,
}

impl<'t> Names<'t> {
    /// The names of results, in the order of their steps, each once.
    pub(super) fn visible(&self) -> Vec<&'t str> {
        let mut names: Vec<&str> = Vec::new();
        for step in self.steps.iter().take(self.before) {
            let name = step.save_as.as_deref().unwrap_or(&step.id);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The steps whose result a name means, the last first: those that saved it under the name,
    /// else the step with that id. One that always runs hides those before it.
    pub(super) fn saved_as(&self, name: &str) -> Vec<usize> {
        let before = || self.steps.iter().enumerate().take(self.before).rev();
        let mut found = Vec::new();
        for (position, step) in before() {
            if step.save_as.as_deref() == Some(name) {
                found.push(position);
                if !step.conditional {
                    break;
                }
            }
        }
        if found.is_empty() {
            found.extend(before().find(|(_, step)| step.id == name).map(|(at, _)| at));
        }
        found
    }
}

/// The id of a task as the root of a path.
pub(crate) fn root(id: &str) -> String {
    if ROOTS.contains(&id) || id.starts_with(TASK_PREFIX) {
        return identifier(&format!("{TASK_PREFIX}{id}"));
    }
    identifier(id)
}

/// A name as expressions have it: in double quotes where it must.
pub(crate) fn identifier(name: &str) -> String {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let word = matches!(name, "true" | "false" | "null");
    if name.starts_with(starts) && name.chars().all(letter) && !word {
        name.to_owned()
    } else {
        serde_json::Value::from(name).to_string()
    }
}
