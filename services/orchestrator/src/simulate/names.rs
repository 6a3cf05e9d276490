//! Names of tasks with their items, and topics.

use gearmesh_bus::Pattern;
use gearmesh_workflow::Workflow;

use crate::plan::State;

/// The name of an instance: `fetch`, `search[2]`, `dump[0].rows`. Groups without items are
/// not part of it, since ids are unique in a file.
pub(super) fn full(state: &State, task: usize, item: usize) -> String {
    let mut name = with_item(state, task, item);
    let mut frame = state.frame(task);
    while let Some((group, item)) = frame.parent {
        if state.tasks[group].items.is_some() {
            name = format!("{}.{name}", with_item(state, group, item));
        }
        frame = state.frame(group);
    }
    name
}

fn with_item(state: &State, task: usize, item: usize) -> String {
    let id = &state.task(task).id;
    match state.tasks[task].items {
        Some(_) => format!("{id}[{item}]"),
        None => id.clone(),
    }
}

/// The id at the end of a name, and the items of the groups around it.
pub(super) fn parts(name: &str) -> (&str, Vec<u32>) {
    let (around, own) = name.rsplit_once('.').unwrap_or(("", name));
    let id = own.split('[').next().unwrap_or_default();
    let items = around.split('.').filter_map(|group| {
        let item = group.split_once('[')?.1.strip_suffix(']')?;
        item.parse().ok()
    });
    (id, items.collect())
}

/// Whether a name is that of a task, with or without items.
pub(super) fn is_task(workflow: &Workflow, name: &str) -> bool {
    let (id, _) = parts(name);
    // The id of a tool ends like a task's id may.
    let plain = !name.contains('.') || name.contains('[');
    plain && workflow.tasks.iter().any(|task| task.id == id)
}

/// Whether a topic fits a pattern, as the bus has it.
pub(super) fn fits(pattern: &str, topic: &str) -> bool {
    Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_id_and_items() {
        assert_eq!(parts("fetch"), ("fetch", vec![]));
        assert_eq!(parts("search[2]"), ("search", vec![]));
        assert_eq!(parts("dump[0].rows"), ("rows", vec![0]));
        assert_eq!(parts("a[1].b[22].c[3]"), ("c", vec![1, 22]));
    }

    #[test]
    fn topic_fits_a_pattern_as_on_the_bus() {
        for (pattern, topic, expected) in [
            ("orders.*", "orders.paid", true),
            ("orders.**", "orders.paid.late", true),
            ("orders.*", "orders.paid.late", false),
            ("no pattern", "no pattern", false),
        ] {
            assert_eq!(fits(pattern, topic), expected, "{pattern} {topic}");
        }
    }
}
