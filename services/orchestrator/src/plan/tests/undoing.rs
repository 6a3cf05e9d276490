//! Workflow `onError: undo`.

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input, Problem};

const CHAIN: &str = r#"
name: u
onError: undo
tasks:
  - {id: a, tool: t.made, params: {n: 1}}
  - {id: b, tool: t.x, needs: [a], undo: {tool: t.back, params: {of: "${b.result.x}", n: "${inputs.n}"}}}
  - {id: none, tool: t.x, needs: [b]}
  - {id: c, tool: t.made, needs: [none], params: {n: 3}}
  - {id: bad, tool: t.y, needs: [c]}
  - {id: never, tool: t.made, needs: [bad]}
"#;

fn fails_at_bad(task: &str) -> Answer {
    if task == "bad" {
        failing("X", false)
    } else {
        done()
    }
}

// WF-6.3, WF-3.34, WF-2.18
#[test]
fn what_had_succeeded_is_undone_the_last_first() {
    let mut tools = Vec::new();
    let mut world = World::new(CHAIN);
    while let Some(call) = world.calls.pop_front() {
        world.now_ms += 10;
        let answer = fails_at_bad(&world.name(&call));
        if call.undo {
            tools.push((call.resolved.tool.clone(), call.resolved.params.clone()));
        }
        world.answer(&call, answer);
    }
    assert_eq!(world.sent[5..], ["undo c", "undo b", "undo a"]);
    assert_eq!(
        tools,
        [
            ("t.unmade".to_owned(), json!({"n": 3})),
            ("t.back".to_owned(), json!({"of": 1, "n": 3})),
            ("t.unmade".to_owned(), json!({"n": 1})),
        ]
    );
    assert_eq!(
        (world.end(), world.state.undone.as_str()),
        (RunEnd::Failed, "all")
    );
    assert_eq!(world.run_code(), "X", "the first error stays");
    world.replays();
}

// WF-6.3
#[test]
fn running_tasks_end_before_anything_is_undone() {
    let mut world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: slow, tool: t.made}
  - {id: bad, tool: t.y}
",
    );
    world.reply("bad", failing("X", false));
    assert_eq!(world.sent, ["slow", "bad"]);
    world.reply("slow", done());
    assert_eq!(world.sent[2..], ["undo slow"]);
    world.reply("undo slow", done());
    assert_eq!(world.state.undone, "all");
    world.replays();
}

// WF-6.3
#[test]
fn part_is_said_when_something_could_not_be_undone() {
    let world = World::new(CHAIN).play(|task, _| match task {
        "undo b" => failing("GONE", false),
        task => fails_at_bad(task),
    });
    assert_eq!(
        world.sent[5..],
        ["undo c", "undo b", "undo a"],
        "the others are undone still"
    );
    assert_eq!(world.state.undone, "part");
    let undone = |name: &str| world.state.tasks[world.find(name)].instances[0].undone;
    assert_eq!(
        (undone("a"), undone("b"), undone("none")),
        (Some(true), Some(false), None)
    );
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-6.3
#[test]
fn undoing_is_tried_three_times() {
    let mut at = Vec::new();
    let mut world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: a, tool: t.made}
  - {id: bad, tool: t.y, needs: [a]}
",
    );
    world.reply("a", done());
    world.reply("bad", failing("X", false));
    while let Some(call) = world.calls.pop_front() {
        at.push((world.now_ms, call.attempt, call.key.clone()));
        world.answer(&call, failing("BUSY", true));
        if world.state.due_ms().is_some() {
            world.pass();
        }
    }
    let times: Vec<(i64, u32)> = at.iter().map(|(at, attempt, _)| (*at, *attempt)).collect();
    assert_eq!(times, [(0, 1), (1_000, 2), (3_000, 3)]);
    assert!(at.iter().all(|(.., key)| *key == at[0].2), "one key");
    assert_eq!(world.state.undone, "part");
    world.replays();
}

// WF-6.3, WF-3.31
#[test]
fn what_had_no_effect_is_not_undone() {
    let world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: instead, tool: t.made, onError: {use: {}}}
  - {id: failed, tool: t.made, onError: continue}
  - {id: skipped, tool: t.made, when: inputs.n > 5}
  - {id: set, set: {a: 1}}
  - {id: some, each: [1, 2], onItemError: continue, tool: t.made}
  - {id: bad, tool: t.y, needs: [instead, failed, some], runIf: allDone}
",
    )
    .play(|task, _| match task {
        "instead" | "failed" | "some[0]" => failing("X", false),
        task => fails_at_bad(task),
    });
    let undone: Vec<_> = world
        .sent
        .iter()
        .filter(|s| s.starts_with("undo"))
        .collect();
    assert_eq!(undone, ["undo some[1]"]);
    assert_eq!(world.state.undone, "all");
}

// WF-6.3
#[test]
fn groups_are_undone_task_by_task() {
    let mut world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: g, each: [1, 2], maxConcurrent: 1, tasks: [{id: x, tool: t.made}, {id: y, tool: t.made, needs: [x]}]}
  - {id: bad, tool: t.y, needs: [g]}
",
    );
    while let Some(call) = world.calls.pop_front() {
        world.now_ms += 10;
        let answer = fails_at_bad(&world.name(&call));
        world.answer(&call, answer);
    }
    assert_eq!(
        world.sent[5..],
        ["undo g[1]/y", "undo g[1]/x", "undo g[0]/y", "undo g[0]/x"]
    );
    assert_eq!(world.state.undone, "all");
    world.replays();
}

// WF-6.3, WF-6.5
#[test]
fn cancelled_run_undoes_nothing() {
    let mut world = World::new(CHAIN);
    world.reply("a", done());
    world.input(Input::Cancel { force: false });
    world.reply("b", Answer::Cancelled);
    assert_eq!(
        (world.end(), world.state.undone.as_str()),
        (RunEnd::Cancelled, "")
    );
    assert_eq!(world.sent, ["a", "b"]);
}

// WF-6.3
#[test]
fn undoing_may_be_ended_by_force_only() {
    let mut world = World::new(CHAIN);
    for task in ["a", "b", "none", "c"] {
        world.reply(task, done());
    }
    world.reply("bad", failing("X", false));
    world.input(Input::Cancel { force: false });
    assert!(world.aborted.is_empty());
    world.input(Input::Cancel { force: true });
    assert_eq!(world.aborted, ["all"]);
    world.reply("undo c", Answer::Cancelled);
    assert_eq!(
        (world.end(), world.state.undone.as_str()),
        (RunEnd::Failed, "part")
    );
    assert_eq!(world.sent.len(), 6);
    world.replays();
}

// WF-6.3
#[test]
fn doubt_about_an_undoing_is_a_part() {
    let world = World::new(CHAIN).play(|task, _| match task {
        "undo a" => Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "?")),
        task => fails_at_bad(task),
    });
    assert_eq!(world.state.undone, "part");
}

// WF-6.3
#[test]
fn nothing_is_undone_that_has_nothing_to_undo() {
    let world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: a, tool: t.x}
  - {id: bad, tool: t.y, needs: [a]}
",
    )
    .play(|task, _| fails_at_bad(task));
    assert_eq!(world.sent, ["a", "bad"]);
    assert_eq!(world.state.undone, "");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-6.3
#[test]
fn order_of_the_ends_counts_within_one_instant_too() {
    let world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: bad, tool: t.y, needs: [b]}
  - {id: b, tool: t.made, needs: [a]}
  - {id: a, tool: t.made, needs: [c]}
  - {id: c, tool: t.made}
",
    )
    .play(|task, _| fails_at_bad(task));
    assert_eq!(world.now_ms, 0);
    assert_eq!(world.sent[4..], ["undo b", "undo a", "undo c"]);
}

// WF-6.3, WF-3.20
#[test]
fn each_round_of_a_group_is_undone_by_itself() {
    let mut keys = Vec::new();
    let mut world = World::new(
        "
name: u
onError: undo
tasks:
  - {id: g, repeat: {until: g.result.x.n > 1, delay: 1s}, tasks: [{id: x, tool: t.made}]}
  - {id: bad, tool: t.y, needs: [g]}
",
    );
    let mut n = 0;
    loop {
        if let Some(call) = world.calls.pop_front() {
            if call.undo {
                keys.push(call.key.clone());
            }
            n += 1;
            let answer = match world.name(&call).as_str() {
                "bad" => failing("X", false),
                _ => Answer::Done(json!({"n": n})),
            };
            world.answer(&call, answer);
        } else if world.state.due_ms().is_some() {
            world.pass();
        } else {
            break;
        }
    }
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
    assert_eq!(world.state.undone, "all");
    world.replays();
}
