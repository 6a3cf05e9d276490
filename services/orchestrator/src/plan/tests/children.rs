//! `workflow`: runs of other workflows.

use serde_json::json;

use super::world::{World, done};
use crate::plan::state::RunEnd;
use crate::plan::{Child, Input, Problem, StartChild};

fn parent(more: &str) -> World {
    World::new(&format!(
        r#"
name: c
tasks:
  - {{id: w, workflow: child, params: {{n: "${{inputs.n}}"}}{more}}}
  - {{id: after, tool: t.a, needs: [w]}}
"#
    ))
}

fn ends(world: &mut World, child: &StartChild, end: Result<serde_json::Value, Problem>) {
    world.input(Input::ChildEnded {
        task: child.task,
        item: child.item,
        attempt: child.attempt,
        child: Child { end },
    });
}

fn broken() -> Problem {
    Problem {
        retryable: true,
        ..Problem::new("BROKEN", "the child failed")
    }
}

// WF-3.4, WF-3.46
#[test]
fn outputs_of_the_other_run_are_the_result() {
    let mut world = parent("");
    let child = world.children.pop_front().expect("a child");
    assert_eq!(
        (child.workflow.as_str(), &child.inputs),
        ("child", &json!({"n": 3}))
    );
    assert_eq!((world.state.status(), world.state.leased), ("waiting", 0));
    ends(&mut world, &child, Ok(json!({"out": 1})));
    assert_eq!(world.result("w"), json!({"out": 1}));
    world.reply("after", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}

// WF-3.4
#[test]
fn failure_of_the_other_run_is_that_of_the_task() {
    let mut world = parent("");
    let child = world.children.pop_front().expect("a child");
    ends(&mut world, &child, Err(broken()));
    assert_eq!(
        (world.end(), world.code("w").as_str()),
        (RunEnd::Failed, "BROKEN")
    );
}

// WF-3.21
#[test]
fn each_attempt_is_a_run_of_its_own() {
    let mut world = parent(", retry: {attempts: 2, delay: 1s}");
    let first = world.children.pop_front().expect("a child");
    ends(&mut world, &first, Err(broken()));
    world.pass();
    let second = world.children.pop_front().expect("another child");
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_ne!(first.key, second.key);
    ends(&mut world, &first, Ok(json!({})));
    assert_eq!(
        world.status("w"),
        "active",
        "the first one's end counts no more"
    );
    ends(&mut world, &second, Ok(json!({})));
    assert_eq!(world.status("w"), "succeeded");
    world.replays();
}

// WF-3.27
#[test]
fn child_whose_time_is_over_is_cancelled_and_waited_for() {
    let mut world = parent(", timeout: 10s");
    let child = world.children.pop_front().expect("a child");
    world.pass();
    assert_eq!(
        (world.now_ms, world.aborted.clone()),
        (10_000, vec!["w".to_owned()])
    );
    assert_eq!(world.status("w"), "active");
    ends(
        &mut world,
        &child,
        Err(Problem::new("RUN_CANCELLED", "it was cancelled")),
    );
    assert_eq!(world.code("w"), "TASK_TIMEOUT");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-6.5
#[test]
fn cancel_follows_to_children() {
    let mut world = World::new(
        "
name: c
tasks:
  - {id: g, tasks: [{id: w, each: [1, 2], workflow: child}]}
",
    );
    world.input(Input::Cancel { force: false });
    let mut aborted = world.aborted.clone();
    aborted.sort_unstable();
    assert_eq!(aborted, ["g/w[0]", "g/w[1]"]);
    let children: Vec<_> = world.children.drain(..).collect();
    assert_eq!(children.len(), 2);
    ends(
        &mut world,
        &children[0],
        Err(Problem::new("RUN_CANCELLED", "so")),
    );
    assert!(!world.state.ended(), "the other still runs");
    ends(&mut world, &children[1], Ok(json!({})));
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.status("g/w"), "cancelled");
    world.replays();
}

#[test]
fn child_is_asked_for_again_after_a_restart_under_the_same_key() {
    let mut world = parent("");
    let first = world.children.pop_front().expect("a child");
    world.input(Input::Begin);
    let again = world.children.pop_front().expect("asked for again");
    assert_eq!((first.key, first.attempt), (again.key, again.attempt));
    assert!(world.children.is_empty());
}
