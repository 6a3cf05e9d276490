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
    /// Of a task as the file has it.
    pub(crate) fn of(task: &Tree, catalog: Option<&Catalog>) -> Shape {
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
        let name = task.get("tool").and_then(Tree::text);
        let found = name.and_then(|name| catalog?.get(name));
        let result = found.map_or(Outcome::Open, |found| Outcome::Tool(Arc::clone(found.tool)));
        Shape { each, result }
    }

    /// The first step behind `<task>.result` that cannot be; `own`: of one instance.
    pub(crate) fn fault(&self, task: &str, steps: &[Step], own: bool) -> Option<Fault> {
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
