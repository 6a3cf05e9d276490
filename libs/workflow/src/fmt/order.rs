//! The order of keys.

use crate::tree::Entry;

/// What a value is, as far as the order of its keys goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Workflow,
    Tasks,
    Task,
    /// Keys stay in the order of the file.
    Other,
}

/// Keys of a workflow, as the documentation has them.
pub(super) const WORKFLOW: [&str; 20] = [
    "$schema",
    "name",
    "title",
    "description",
    "labels",
    "inputs",
    "vars",
    "secrets",
    "triggers",
    "concurrency",
    "priority",
    "maxConcurrent",
    "timeout",
    "onError",
    "retry",
    "tasks",
    "outputs",
    "onFailure",
    "onSuccess",
    "finally",
];

/// Keys of a task: when it runs, what it does, what if it fails, what becomes of its result.
pub(super) const TASK: [&str; 27] = [
    "id",
    "needs",
    "runIf",
    "when",
    "each",
    "as",
    "tool",
    "workflow",
    "set",
    "approve",
    "wait",
    "tasks",
    "connection",
    "params",
    "timeout",
    "retry",
    "expect",
    "repeat",
    "maxConcurrent",
    "onItemError",
    "onError",
    "onUnknown",
    "undo",
    "idempotencyKey",
    "cache",
    "save",
    "sensitive",
];

/// Behind all others of a task.
const LAST: &str = "priority";

impl Role {
    /// The role of the value of a key in a map of this role.
    pub(super) fn of(self, key: &str) -> Role {
        match (self, key) {
            (Role::Workflow, "tasks" | "onFailure" | "onSuccess" | "finally")
            | (Role::Task, "tasks") => Role::Tasks,
            _ => Role::Other,
        }
    }

    /// The role of an item of a list of this role.
    pub(super) fn of_item(self) -> Role {
        match self {
            Role::Tasks => Role::Task,
            _ => Role::Other,
        }
    }

    /// The entries in their order; those without a place stay behind the others.
    pub(super) fn sorted(self, entries: &[Entry]) -> Vec<&Entry> {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        let order: &[&str] = match self {
            Role::Workflow => &WORKFLOW,
            Role::Task => &TASK,
            Role::Tasks | Role::Other => return sorted,
        };
        sorted.sort_by_key(|entry| {
            let place = order.iter().position(|key| *key == entry.key);
            place.unwrap_or(order.len() + usize::from(entry.key != LAST))
        });
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn every_key_has_its_place() {
        for key in keys::WORKFLOW.names {
            assert!(WORKFLOW.contains(key), "{key}");
        }
        for key in keys::TASK.names {
            assert!(TASK.contains(key) || *key == LAST, "{key}");
        }
    }
}
