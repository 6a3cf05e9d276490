//! Joins that can never run: a task that wants all its needs to succeed, two of which exclude
//! each other.

use gearmesh_expr::Expression;

use crate::diagnostic::{Report, quote};
use crate::model::{Body, RunIf, Task};
use crate::outline::Outline;

/// Steps of all comparisons of a file, each with each of its join: beyond them, some 20 ms, nothing is
/// said.
const STEPS_MAX: usize = 1_000_000;

/// Reports every join of which two needs can never both run.
pub(crate) fn check(
    report: &mut Report<'_>,
    outline: &Outline<'_>,
    tasks: &[Task],
    bodies: &[Body],
) {
    let mut steps = STEPS_MAX;
    for body in bodies {
        for (at, needs) in body.graph.needs.iter().enumerate() {
            let position = body.first + at;
            let joins = |task: &&Task| task.run_if == RunIf::AllSucceeded;
            let Some(task) = tasks.get(position).filter(joins) else {
                continue;
            };
            let needs: Vec<(usize, &Expression)> = needs
                .iter()
                .map(|need| body.first + need)
                .filter_map(|need| Some((need, tasks.get(need)?.when.as_ref()?)))
                .collect();
            let Some((first, second)) = excluded(&needs, &mut steps) else {
                continue;
            };
            let id = |task: usize| tasks.get(task).map_or("?", |task| task.id.as_str());
            let message = format!(
                "`{}` and `{}`, needed by `{}`, exclude each other",
                quote(id(first)),
                quote(id(second)),
                quote(&task.id)
            );
            let tree = outline.tasks.get(position).map(|placed| placed.tree);
            let span = tree
                .and_then(|tree| tree.get("runIf").or_else(|| tree.get("id")))
                .map(|tree| tree.span)
                .unwrap_or_default();
            report
                .error("JOIN_NEVER_RUNS", span, message)
                .hint("leave `runIf` out: the join then runs after the one that did");
        }
    }
}

/// The first two tasks whose conditions can never both hold.
fn excluded(needs: &[(usize, &Expression)], steps: &mut usize) -> Option<(usize, usize)> {
    for (at, (first, one)) in needs.iter().enumerate() {
        let mut later = needs.iter().skip(at + 1);
        if let Some((second, _)) = later.find(|(_, other)| one.excludes(other, steps)) {
            return Some((*first, *second));
        }
    }
    None
}
