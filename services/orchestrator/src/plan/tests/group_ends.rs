//! How groups end before their time, are tried again, and come through a restart.

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input};

// WF-3.27, WF-9.26

#[test]
fn group_whose_time_is_over_is_ended_with_all_that_is_in_it() {
    let mut world = World::new(
        "
name: g
onError: continue
tasks:
  - {id: g, timeout: 5s, tasks: [{id: x, tool: t.x}, {id: h, tasks: [{id: y, tool: t.y}, {id: w, wait: {for: 1h}}]}]}
  - {id: other, tool: t.o}
",
    );
    world.pass();
    assert_eq!(world.now_ms, 5_000);
    let mut aborted = world.aborted.clone();
    aborted.sort_unstable();
    assert_eq!(aborted, ["g/h/y", "g/x"]);
    assert_eq!(world.status("g/h/w"), "cancelled");
    assert_eq!(world.status("g"), "active", "what was called answers first");
    world.reply("g/x", Answer::Cancelled);
    world.reply("g/h/y", done());
    assert_eq!(
        world.status("g/h/y"),
        "succeeded",
        "it was too late to end it"
    );
    assert_eq!(world.status("g/x"), "cancelled");
    assert_eq!(
        (world.status("g").as_str(), world.code("g").as_str()),
        ("failed", "TASK_TIMEOUT")
    );
    world.replays();
    world.reply("other", done());
    assert_eq!(world.end(), RunEnd::Partial);
}

// WF-3.21

#[test]
fn group_is_tried_again_as_a_whole() {
    let world = World::new(
        "
name: g
tasks:
  - {id: g, retry: {attempts: 2, delay: 1s, errors: [BAD]}, tasks: [{id: x, tool: t.x}, {id: y, tool: t.y, needs: [x]}]}
",
    );
    let mut calls = 0;
    let world = world.play(|task, _| {
        calls += 1;
        if task == "g/y" && calls == 2 {
            failing("BAD", false)
        } else {
            done()
        }
    });
    assert_eq!(world.sent, ["g/x", "g/y", "g/x", "g/y"]);
    assert_eq!(world.status("g"), "succeeded");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.31

// WF-6.5

#[test]
fn cancel_ends_what_is_in_groups() {
    let mut world = World::new(
        "
name: g
tasks:
  - {id: g, each: [1, 2, 3], maxConcurrent: 2, tasks: [{id: x, tool: t.x}, {id: y, tool: t.y, needs: [x]}]}
",
    );
    world.input(Input::Cancel { force: false });
    assert_eq!(world.aborted.len(), 2, "{:?}", world.aborted);
    assert!(!world.state.ended());
    world.reply("g[0]/x", Answer::Cancelled);
    world.reply("g[1]/x", done());
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.sent.len(), 2);
    assert_eq!(world.status("g[1]/x"), "succeeded");
    assert_eq!(world.status("g[1]/y"), "cancelled");
    assert_eq!(world.status("g"), "cancelled");
    world.replays();
}

// WF-4.8

// WF-3.21, WF-3.38

#[test]
fn attempts_in_a_group_that_is_tried_again_go_on_counting() {
    let mut calls = Vec::new();
    let mut world = World::new(
        "
name: g
tasks:
  - id: g
    retry: {attempts: 3, delay: 1s, errors: [ITEM_FAILED]}
    tasks:
      - {id: x, tool: t.x, retry: {attempts: 2, delay: 1s}}
      - {id: y, needs: [x], each: [1, 2], maxConcurrent: 1, tool: t.y}
",
    );
    loop {
        if let Some(call) = world.calls.pop_front() {
            let name = world.name(&call);
            calls.push((name.clone(), call.pass, call.attempt, call.key.clone()));
            let answer = match (name.as_str(), calls.len()) {
                ("g/x", 1) => failing("BUSY", true),
                ("g/y[0]", 3) => failing("BAD", false),
                _ => done(),
            };
            world.answer(&call, answer);
        } else if world.state.due_ms().is_some() {
            world.pass();
        } else {
            break;
        }
    }
    let told: Vec<(&str, u32, u32)> = calls
        .iter()
        .map(|(n, p, a, _)| (n.as_str(), *p, *a))
        .collect();
    assert_eq!(
        told,
        [
            ("g/x", 1, 1),
            ("g/x", 1, 2),
            ("g/y[0]", 1, 1),
            ("g/x", 1, 3),
            ("g/y[0]", 1, 2),
            ("g/y[1]", 1, 1)
        ],
        "an engine refuses an attempt that is older than one it saw"
    );
    assert_eq!(
        calls[0].3, calls[3].3,
        "what had succeeded is not done twice"
    );
    assert_eq!(world.status("g"), "succeeded");
    world.replays();
}

#[test]
fn items_that_had_begun_in_the_attempt_before_are_skipped_as_others() {
    let world = World::new(
        "
name: g
tasks:
  - {id: g, retry: {attempts: 2, errors: [ITEM_FAILED]}, tasks: [{id: y, each: [1, 2], maxConcurrent: 1, tool: t.y}]}
",
    );
    let mut calls = 0;
    let world = world.play(|_, _| {
        calls += 1;
        if calls == 1 {
            done()
        } else {
            failing("BAD", false)
        }
    });
    assert_eq!(world.sent, ["g/y[0]", "g/y[1]", "g/y[0]"]);
    let task = world.find("g/y");
    let last = world.state.tasks[task].instances[1].status;
    assert_eq!(last, crate::plan::InstanceStatus::Skipped);
}

// WF-3.27

#[test]
fn time_that_was_over_before_a_restart_is_over_behind_it() {
    let mut world = World::new(
        "
name: g
tasks:
  - {id: g, timeout: 5s, tasks: [{id: x, tool: t.x}, {id: y, tool: t.y, needs: [x]}]}
",
    );
    world.pass();
    assert_eq!(world.aborted, ["g/x"]);
    world.state = world.replayed();
    world.input(Input::Begin);
    world.reply("g/x", Answer::Cancelled);
    assert_eq!(
        (world.status("g").as_str(), world.code("g").as_str()),
        ("failed", "TASK_TIMEOUT")
    );
    assert_eq!(world.sent, ["g/x"]);
}

// WF-3.27
#[test]
fn what_follows_a_group_starts_when_a_round_in_it_came_too_late() {
    let mut world = World::new(
        "
name: g
onError: continue
tasks:
  - id: g
    timeout: 5s
    tasks: [{id: w, workflow: child, repeat: {until: inputs.n > 5}}]
  - {id: after, tool: t.a, needs: [g], runIf: allDone}
",
    );
    let child = world.children.pop_front().expect("a child");
    world.pass();
    world.input(Input::ChildEnded {
        task: child.task,
        item: child.item,
        attempt: child.attempt,
        child: crate::plan::Child {
            end: Ok(serde_json::json!({})),
        },
    });
    assert_eq!(world.code("g"), "TASK_TIMEOUT");
    world.reply("after", done());
    assert_eq!(world.end(), RunEnd::Partial);
    world.replays();
}

// WF-6.5
#[test]
fn group_that_is_being_cancelled_does_not_time_out() {
    let mut world = World::new(
        "
name: g
tasks:
  - {id: g, timeout: 5s, tasks: [{id: x, tool: t.x}]}
  - {id: w, timeout: 5s, workflow: child}
",
    );
    world.input(Input::Cancel { force: false });
    world.aborted.clear();
    world.now_ms = 5_000;
    world.input(Input::Due);
    assert!(world.aborted.is_empty(), "{:?}", world.aborted);
    world.reply("g/x", Answer::Cancelled);
    let child = world.children.pop_front().expect("a child");
    let why = crate::plan::Problem::new("RUN_CANCELLED", "so");
    world.input(Input::ChildEnded {
        task: child.task,
        item: child.item,
        attempt: child.attempt,
        child: crate::plan::Child { end: Err(why) },
    });
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.status("g"), "cancelled");
    assert_eq!(world.status("w"), "cancelled");
    world.replays();
}
