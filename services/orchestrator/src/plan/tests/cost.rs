//! What the planner costs: prints the time of a run of ten tasks, planned and replayed. It
//! asserts that the runs end, and nothing about time, of which a debug build takes many
//! times as much as a release.

use std::sync::Arc;

use super::world::{World, accepted_of, done, workflow_of};
use crate::plan::{Input, State};

const RUNS: u32 = 300;

/// Ten tasks: two that fan out, two joins, a `set`, a condition, a list, a group.
const TEN: &str = r#"
name: ten
tasks:
  - {id: a, tool: t.x}
  - {id: b, tool: t.x, params: {x: "${a.result.x}"}}
  - {id: c, tool: t.x, params: {x: "${a.result.x}"}}
  - {id: d, set: {sum: "${b.result.x}", text: "n=${inputs.n}"}}
  - {id: e, tool: t.x, when: inputs.n > 1, params: {all: "${d.result}"}}
  - {id: f, tool: t.x, needs: [c], retry: {attempts: 3}}
  - {id: g, tasks: [{id: h, tool: t.x, params: {x: "${e.result.x}"}}]}
  - {id: i, each: [1, 2], tool: t.x, needs: [f]}
  - {id: j, tool: t.x, needs: [g, i]}
outputs: {last: "${j.result.x}"}
"#;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time that a test took, for people"
)]
fn prints_the_time_of_the_planner_for_ten_tasks() {
    let workflow = workflow_of(TEN);
    let begin = std::time::Instant::now();
    let mut records = 0;
    for _ in 0..RUNS {
        let mut world = World::accepted(Arc::clone(&workflow), accepted_of(&workflow));
        world.input(Input::Begin);
        while let Some(call) = world.calls.pop_front() {
            world.answer(&call, done());
        }
        assert!(world.state.ended());
        records += world.records.len();
    }
    let planned = begin.elapsed() / RUNS;
    let world = World::of(Arc::clone(&workflow)).play(|_, _| done());
    let begin = std::time::Instant::now();
    for _ in 0..RUNS {
        let accepted = accepted_of(&workflow);
        let mut state = State::new(
            "run_0000000000001".into(),
            Arc::clone(&workflow),
            &accepted,
            0,
        );
        world.records.iter().for_each(|record| state.fold(record));
        assert!(state.ended());
    }
    let replayed = begin.elapsed() / RUNS;
    println!(
        "a run of ten tasks, {} records: planned in {planned:?}, replayed in {replayed:?}",
        records / RUNS as usize
    );
}

/// WF-1.6: no list is so long that its planning takes longer for each further item.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time that a test took, for people"
)]
fn prints_the_time_of_the_planner_for_lists() {
    for items in [1_000, 10_000] {
        let workflow = workflow_of(&format!(
            "
name: list
tasks: [{{id: a, each: '${{range(`0`, `{items}`)}}', tool: t.x}}]
"
        ));
        let begin = std::time::Instant::now();
        let mut world = World::of(workflow);
        let mut answered = 0;
        while let Some(call) = world.calls.pop_front() {
            world.answer(&call, done());
            answered += 1;
        }
        assert!(world.state.ended());
        assert_eq!(answered, items);
        println!("{items} items: {:?} each", begin.elapsed() / answered);
    }
}
