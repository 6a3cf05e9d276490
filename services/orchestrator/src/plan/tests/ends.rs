//! How runs end.

use gearmesh_api::journal::v1 as journal;

use super::world::{DIAMOND, World, accepted_of, done, workflow_of};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input, Phase};

// WF-6.5
#[test]
fn cancel_starts_nothing_more_and_waits_for_what_runs() {
    let mut world = World::new(DIAMOND);
    world.input(Input::Cancel { force: false });
    assert!(!world.aborted.is_empty() && !world.state.ended());
    let call = world.calls.pop_front().expect("a runs");
    world.answer(&call, Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.sent, ["a"]);
    assert!(world.statuses().values().all(|s| s == "cancelled"));
}

// WF-2.17, WF-9.26
#[test]
fn run_that_takes_too_long_is_ended() {
    let mut world = World::new(
        "
name: l
timeout: 5s
tasks:
  - {id: a, tool: t.a}
",
    );
    assert_eq!(world.state.due_ms(), Some(5_000));
    world.now_ms = 5_000;
    world.input(Input::Due);
    assert!(!world.aborted.is_empty());
    let call = world.calls.pop_front().expect("a runs");
    world.answer(&call, Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::TimedOut);
    assert_eq!(
        world.state.failed.as_ref().expect("why").1.code,
        "RUN_TIMEOUT"
    );
}

#[test]
fn output_that_cannot_be_computed_fails_a_run_that_had_succeeded() {
    let world = World::new(
        r#"
name: o
tasks:
  - {id: a, set: {x: []}}
outputs: {y: "${a.result.x[0]}"}
"#,
    )
    .play(|_, _| done());
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn nothing_is_given_out_while_the_process_drains() {
    let mut world = World::new(DIAMOND);
    let first = world.calls.pop_front().expect("a runs");
    world.draining = true;
    world.answer(&first, done());
    assert!(world.calls.is_empty() && world.state.leased == 0);
    world.draining = false;
    world.input(Input::Begin);
    assert_eq!(world.sent, ["a", "b", "c"]);
}

#[test]
fn nothing_is_given_out_behind_the_deadline() {
    let mut world = World::new(
        "
name: l
timeout: 5s
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, needs: [a]}
",
    );
    let first = world.calls.pop_front().expect("a runs");
    world.now_ms = 5_000;
    world.answer(&first, done());
    assert!(world.calls.is_empty());
    world.input(Input::Due);
    assert_eq!(world.end(), RunEnd::TimedOut);
}

/// WF-2.17: what waits for its place has all of its time before it.
#[test]
fn time_of_a_run_counts_from_its_admission() {
    let workflow = workflow_of("\nname: l\ntimeout: 5s\ntasks:\n  - {id: a, tool: t.a}\n");
    let accepted = |given| journal::Accepted {
        queued: true,
        deadline_ms: given,
        ..accepted_of(&workflow)
    };
    let mut world = World::accepted(workflow.clone(), accepted(None));
    world.input(Input::Begin);
    assert_eq!(world.state.due_ms(), None, "it waits as long as it must");
    world.now_ms = 60_000;
    world.input(Input::Due);
    assert_eq!(world.state.phase, Phase::Queued);
    world.input(Input::Admit);
    assert_eq!(world.state.due_ms(), Some(65_000));
    world.replays();
    world.now_ms = 65_000;
    world.input(Input::Due);
    world.reply("a", Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::TimedOut);
    let (_, why) = world.state.failed.clone().expect("a reason");
    assert_eq!(why.message, "the run did not end within 5000 ms");

    // One that its start gave counts meanwhile, and goes on to count.
    let mut world = World::accepted(workflow.clone(), accepted(Some(62_000)));
    world.now_ms = 60_000;
    world.input(Input::Admit);
    assert_eq!(world.state.due_ms(), Some(62_000));
    let mut world = World::accepted(workflow.clone(), accepted(Some(62_000)));
    world.now_ms = 62_000;
    world.input(Input::Due);
    assert_eq!(world.end(), RunEnd::TimedOut);
}
