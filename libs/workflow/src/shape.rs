//! What the result of a task looks like, as far as the file and the catalogue tell.

use std::sync::Arc;

use gearmesh_catalog::{Catalog, PathCheck, Step as Taken, Tool};
use gearmesh_expr::Step;

use crate::diagnostic::quote;
use crate::tree::Tree;

/// The result of a task.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Whether it is a list with one result per item.
    each: bool,
    result: Outcome,
}

#[derive(Debug, Default)]
enum Outcome {
    /// Anything.
    #[default]
    Open,
    /// A map with these keys.
    Keys(Vec<String>),
    /// A map with the results of these tasks.
    Tasks(Vec<(String, usize)>),
    /// What the tool answers.
    Tool(Arc<Tool>),
}

/// A step into a result that cannot be.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Position of the step.
    pub(crate) at: usize,
    pub(crate) message: String,
    /// The name, and those that are there.
    pub(crate) known: Option<(String, Vec<String>)>,
}

impl Shape {
    /// Of a task as the file has it; `inner` are the ids and positions of its tasks, when it is a group.
    pub(crate) fn of(
        task: &Tree,
        inner: Option<Vec<(String, usize)>>,
        catalog: Option<&Catalog>,
    ) -> Shape {
        let each = task.get("each").is_some();
        // A substitute need not look like the result.
        if task
            .get("onError")
            .is_some_and(|value| value.map().is_some())
        {
            return Shape {
                each,
                result: Outcome::Open,
            };
        }
        if let Some(entries) = task.get("set").and_then(Tree::map) {
            return Shape {
                each,
                result: Outcome::Keys(entries.iter().map(|entry| entry.key.clone()).collect()),
            };
        }
        let keys =
            |keys: &[&str]| Outcome::Keys(keys.iter().map(|key| (*key).to_owned()).collect());
        if let Some(inner) = inner {
            let result = Outcome::Tasks(inner);
            return Shape { each, result };
        }
        if task.get("approve").is_some() {
            let result = keys(&["approved", "by", "at", "note", "form"]);
            return Shape { each, result };
        }
        if let Some(wait) = task.get("wait") {
            let result = if wait.get("event").is_some() {
                keys(&["id", "topic", "time", "payload"])
            } else {
                keys(&["waited"])
            };
            return Shape { each, result };
        }
        let name = task.get("tool").and_then(Tree::text);
        let found = name.and_then(|name| catalog?.get(name));
        let result = found.map_or(Outcome::Open, |found| Outcome::Tool(Arc::clone(found.tool)));
        Shape { each, result }
    }

    /// The first step behind `<task>.result` that cannot be; `own`: of one instance.
    /// `shapes` are those of all tasks.
    pub(crate) fn fault(
        &self,
        shapes: &[Shape],
        task: &str,
        steps: &[Step],
        own: bool,
    ) -> Option<Fault> {
        let task = quote(task);
        let (steps, skipped) = if self.each && !own {
            match steps.split_first()? {
                (Step::Index(_), rest) => (rest, 1),
                (Step::Field(_), _) => {
                    let message = format!(
                        "the result of `{task}` is a list, one value per item; take `[0]` or all by `[]`"
                    );
                    return Some(Fault {
                        at: 0,
                        message,
                        known: None,
                    });
                }
            }
        } else {
            (steps, 0)
        };
        let mut fault = match &self.result {
            Outcome::Open => return None,
            Outcome::Keys(keys) => match steps.first()? {
                Step::Field(name) if !keys.contains(name) => Fault {
                    at: 0,
                    message: format!("the result of `{task}` has no `{}`", quote(name)),
                    known: Some((name.clone(), keys.clone())),
                },
                _ => return None,
            },
            Outcome::Tasks(inner) => match steps.split_first()? {
                (Step::Field(name), rest) => match inner.iter().find(|(id, _)| id == name) {
                    // Groups are nested a few levels deep, so that this ends soon.
                    Some((_, at)) => {
                        let mut fault = shapes.get(*at)?.fault(shapes, name, rest, false)?;
                        fault.at += 1;
                        fault
                    }
                    None => Fault {
                        at: 0,
                        message: format!("the group `{task}` has no task `{}`", quote(name)),
                        known: Some((
                            name.clone(),
                            inner.iter().map(|(id, _)| id.clone()).collect(),
                        )),
                    },
                },
                (Step::Index(_), _) => return None,
            },
            Outcome::Tool(tool) => of_tool(tool, &task, steps)?,
        };
        fault.at += skipped;
        Some(fault)
    }
}

fn of_tool(tool: &Tool, task: &str, steps: &[Step]) -> Option<Fault> {
    let taken: Vec<Taken<'_>> = steps
        .iter()
        .map(|step| match step {
            Step::Field(name) => Taken::Field(name),
            Step::Index(_) => Taken::Index,
        })
        .collect();
    let PathCheck::Unknown { at, nearest } = tool.output_path(&taken) else {
        return None;
    };
    let mut holder = format!("{task}.result");
    for step in &steps[..at] {
        match step {
            Step::Field(name) => holder.push_str(&format!(".{name}")),
            Step::Index(index) => holder.push_str(&format!("[{index}]")),
        }
    }
    let holder = quote(&holder);
    Some(match &steps[at] {
        Step::Field(name) => Fault {
            at,
            message: format!("`{holder}` has no `{}`", quote(name)),
            known: Some((name.clone(), nearest.into_iter().collect())),
        },
        Step::Index(index) => Fault {
            at,
            message: format!("`{holder}` is no list and has no `[{index}]`"),
            known: None,
        },
    })
}
