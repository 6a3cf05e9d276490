//! `repeat`.

use serde_json::{Value, json};

use super::world::{World, done, failing};
use crate::plan::Answer;
use crate::plan::state::RunEnd;

/// Answers with how often it was asked, and says under which keys and when.
fn counted(mut world: World) -> (World, Vec<(u32, i64, String)>) {
    let mut calls = Vec::new();
    loop {
        if let Some(call) = world.calls.pop_front() {
            calls.push((call.pass, world.now_ms, call.key.clone()));
            let n = calls.len();
            world.answer(&call, Answer::Done(json!({"n": n})));
        } else if world.state.due_ms().is_some() {
            world.pass();
        } else {
            break;
        }
    }
    world.replays();
    (world, calls)
}

// WF-3.20, WF-3.38
#[test]
fn task_is_done_again_until_its_result_is_as_wanted() {
    let (world, calls) = counted(World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, repeat: {until: a.result.n > 2, delay: 2s}}
",
    ));
    let rounds: Vec<(u32, i64)> = calls.iter().map(|(pass, at, _)| (*pass, *at)).collect();
    assert_eq!(rounds, [(1, 0), (2, 2_000), (3, 4_000)]);
    assert!(calls[0].2 != calls[1].2, "each round has a key of its own");
    assert_eq!(world.result("a"), json!({"n": 3}));
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.20
#[test]
fn rounds_end_at_their_limit() {
    let (world, calls) = counted(World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, repeat: {until: a.result.n > 9, max: 3}}
",
    ));
    assert_eq!(calls.len(), 3);
    assert_eq!(
        calls[2].1, 2_000,
        "1 s between them where the file says nothing"
    );
    assert_eq!(world.code("a"), "REPEAT_EXHAUSTED");
    let problem = world.state.tasks[0].problem.as_ref().expect("failed");
    assert_eq!(*problem.details, json!({"rounds": 3, "last": {"n": 3}}));
}

// WF-3.20
#[test]
fn rounds_end_when_their_time_is_over() {
    let (world, calls) = counted(World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, repeat: {until: a.result.n > 9, delay: 10s, timeout: 25s}}
",
    ));
    assert_eq!(
        calls.len(),
        3,
        "at 0, 10 and 20 s; the next would be too late"
    );
    assert_eq!(world.now_ms, 20_000);
    assert_eq!(world.code("a"), "REPEAT_EXHAUSTED");
}

// WF-3.20, WF-3.21
#[test]
fn each_round_has_its_own_attempts() {
    let mut calls = Vec::new();
    let world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, retry: {attempts: 2, delay: 1s}, repeat: {until: a.result.n > 1, delay: 1s}}
",
    )
    .play(|_, attempt| {
        calls.push(attempt);
        match calls.len() {
            1 | 3 => failing("X", true),
            n => Answer::Done(json!({"n": n / 2})),
        }
    });
    assert_eq!(calls, [1, 2, 3, 4]);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.20
#[test]
fn condition_that_is_none_fails_the_task() {
    let (world, calls) = counted(World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, repeat: {until: a.result.n}}
",
    ));
    assert_eq!(calls.len(), 1);
    assert_eq!(world.code("a"), "EXPRESSION_TYPE");
}

// WF-3.20, WF-3.5
#[test]
fn set_may_be_repeated_too() {
    let world = World::new(
        "
name: r
tasks:
  - {id: a, set: {n: 1}, repeat: {until: a.result.n > 1, delay: 1s, max: 4}}
",
    )
    .play(|_, _| done());
    assert_eq!(world.now_ms, 3_000);
    assert_eq!(world.code("a"), "REPEAT_EXHAUSTED");
}

// WF-3.20, WF-3.8
#[test]
fn group_is_done_again_with_new_passes_of_its_tasks() {
    let mut world = World::new(
        "
name: r
tasks:
  - id: g
    repeat: {until: g.result.x.n > 1, delay: 1s}
    tasks: [{id: x, tool: t.x}]
",
    );
    let first = world.calls.pop_front().expect("a call");
    world.answer(&first, Answer::Done(json!({"n": 1})));
    world.pass();
    let second = world.calls.pop_front().expect("another round");
    assert_eq!((first.pass, second.pass), (1, 2));
    assert_ne!(first.key, second.key);
    assert_ne!(
        first.task, second.task,
        "the first round's answer is not the second's"
    );
    world.answer(&first, Answer::Done(json!({"n": 7})));
    assert!(!world.state.ended());
    world.answer(&second, Answer::Done(json!({"n": 2})));
    assert_eq!(world.result("g"), json!({"x": {"n": 2}}));
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}

// WF-3.40
#[test]
fn element_is_seen_by_the_condition_of_its_instance() {
    let mut world = World::new(
        "
name: r
tasks:
  - {id: a, each: [1, 2], as: want, tool: t.a, repeat: {until: a.result.n >= want, delay: 1s}}
",
    );
    let mut asked: Vec<usize> = Vec::new();
    while let Some(call) = world.calls.pop_front() {
        asked.push(call.item);
        let n = asked.iter().filter(|i| **i == call.item).count();
        world.answer(&call, Answer::Done(json!({"n": n})));
        if world.calls.is_empty() && world.state.due_ms().is_some() {
            world.pass();
        }
    }
    assert_eq!(asked, [0, 1, 1]);
    assert_eq!(world.end(), RunEnd::Succeeded);
    let ends: Vec<Value> = vec![json!({"n": 1}), json!({"n": 2})];
    assert_eq!(world.result("a"), Value::Array(ends));
}

// WF-6.1
#[test]
fn stop_ends_a_task_that_waits_for_its_next_round() {
    let mut world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, repeat: {until: a.result.n > 1, delay: 1m}}
  - {id: bad, tool: t.b}
",
    );
    world.reply("a", Answer::Done(json!({"n": 1})));
    world.reply("bad", failing("X", false));
    assert_eq!(world.status("a"), "failed");
    assert_eq!(world.code("a"), "RUN_STOPPED");
    assert_eq!(world.end(), RunEnd::Failed);
    world.replays();
}

// WF-3.38
#[test]
fn rounds_of_a_group_share_no_key_with_the_rounds_in_it() {
    let mut world = World::new(
        "
name: r
tasks:
  - id: g
    repeat: {until: g.result.x.n > 5, delay: 1s}
    tasks: [{id: x, tool: t.x, repeat: {until: x.result.n == 3 || x.result.n == 6, delay: 1s}}]
",
    );
    let mut keys = std::collections::BTreeSet::new();
    let mut passes = Vec::new();
    loop {
        if let Some(call) = world.calls.pop_front() {
            assert!(keys.insert(call.key.clone()), "{call:?}");
            passes.push(call.pass);
            let n = passes.len();
            world.answer(&call, Answer::Done(json!({"n": n})));
        } else if world.state.due_ms().is_some() {
            world.pass();
        } else {
            break;
        }
    }
    assert_eq!(passes, [1, 2, 3, 4, 5, 6]);
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}
