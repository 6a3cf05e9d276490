//! The largest files: how long it takes to check and plan one.
//!
//! `cargo bench -p gearmesh-workflow --bench size` prints a line per file; each is to take at most
//! 200 ms.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures by the clock and prints"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gearmesh_catalog::Catalog;
use gearmesh_workflow::{EDGES_MAX, FILE_MAX, Source, TASKS_MAX, check, plan};

/// How often each file is checked; the best counts.
const ROUNDS: usize = 10;

fn main() {
    let catalog = Catalog::build(&[]).expect("no tools are a catalogue");
    let files = [
        ("flat, needs", flat(false)),
        ("flat, expressions", flat(true)),
        ("groups", groups()),
        ("one chain", chain()),
        ("conditions", conditions()),
    ];
    for (name, text) in files {
        let source = Source {
            text: &text,
            file_name: "size.workflow.yaml",
            dialect: None,
        };
        let mut best = Duration::MAX;
        let (mut tasks, mut edges) = (0, 0);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let checked = check(&source, None);
            let Some(workflow) = checked.workflow else {
                println!("{name}: {:?}", checked.errors.first());
                return;
            };
            let plan = black_box(plan(&workflow, &catalog));
            best = best.min(start.elapsed());
            (tasks, edges) = (plan.tasks.len(), plan.edges.len());
        }
        let kib = text.len() / 1024;
        println!(
            "{name}: {tasks} tasks, {edges} edges, {kib} KiB of {}: {best:?}",
            FILE_MAX / 1024
        );
    }
}

/// As many tasks and edges as a file may have.
fn flat(expressions: bool) -> String {
    let mut text = "name: x\ntasks:\n".to_owned();
    let per_task = EDGES_MAX / (TASKS_MAX - 10);
    for task in 0..TASKS_MAX {
        let from = task.saturating_sub(per_task);
        let _ = write!(text, "- {{id: t{task}, ");
        if expressions {
            let needs: Vec<String> = (from..task).map(|n| format!("${{t{n}.status}}")).collect();
            let _ = writeln!(text, "set: {{v: \"{}\"}}}}", needs.concat());
        } else {
            let needs: Vec<String> = (from..task).map(|n| format!("t{n}")).collect();
            let _ = writeln!(text, "needs: [{}], set: {{}}}}", needs.join(","));
        }
    }
    text
}

/// Many groups, each eight deep, whose innermost task reads one outside of all.
fn groups() -> String {
    let mut text = "name: x\ntasks:\n- {id: out, set: {v: 1}}\n".to_owned();
    for group in 0..(TASKS_MAX - 1) / 9 {
        for level in 0..8 {
            let indent = " ".repeat(2 * level);
            let _ = write!(text, "{indent}- id: g{group}_{level}\n{indent}  tasks:\n");
        }
        let indent = " ".repeat(16);
        let _ = writeln!(
            text,
            "{indent}- {{id: i{group}, set: {{v: \"${{out.result.v}}\"}}}}"
        );
    }
    text
}

/// Each task needs the one before.
fn chain() -> String {
    let mut text = "name: x\ntasks:\n- {id: t0, set: {v: 1}}\n".to_owned();
    for task in 1..TASKS_MAX {
        let _ = writeln!(
            text,
            "- {{id: t{task}, set: {{v: \"${{t{}.result.v}}\"}}}}",
            task - 1
        );
    }
    text
}

/// Joins of many tasks with conditions.
fn conditions() -> String {
    let mut text = "name: x\ninputs: {n: {type: number}}\ntasks:\n".to_owned();
    let tasks = TASKS_MAX / 2;
    for task in 0..tasks {
        let _ = writeln!(
            text,
            "- {{id: t{task}, when: inputs.n == {task}, set: {{}}}}"
        );
    }
    for task in 0..tasks {
        let needs: Vec<String> = (task..(task + 9).min(tasks))
            .map(|n| format!("t{n}"))
            .collect();
        let _ = writeln!(
            text,
            "- {{id: j{task}, needs: [{}], runIf: allSucceeded, set: {{}}}}",
            needs.join(",")
        );
    }
    text
}
