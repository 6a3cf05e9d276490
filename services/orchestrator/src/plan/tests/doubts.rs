//! Attempts of which nobody knows whether they took effect.

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Decision, Input, Problem};

fn unknown() -> Answer {
    Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "nobody knows"))
}

fn task(on_unknown: &str) -> World {
    World::new(&format!(
        "
name: d
tasks:
  - {{id: a, tool: t.a, onUnknown: {on_unknown}, retry: {{attempts: 5}}}}
"
    ))
}

fn decide(world: &mut World, decision: Decision) {
    world.input(Input::Decide {
        task: 0,
        item: 0,
        decision,
        principal: "user:x".into(),
    });
}

// WF-3.32
#[test]
fn doubt_fails_the_task_by_default() {
    let world = task("fail").play(|_, _| unknown());
    assert_eq!(
        (world.sent.len(), world.code("a").as_str()),
        (1, "OUTCOME_UNKNOWN")
    );
}

// WF-3.33
#[test]
fn doubt_is_sent_again_where_the_task_says_so() {
    let mut keys = Vec::new();
    let mut world = task("retry");
    let first = world.calls.pop_front().expect("a call");
    keys.push(first.key.clone());
    world.answer(&first, unknown());
    world.pass();
    assert_eq!(world.now_ms, 0, "at once");
    let second = world.calls.pop_front().expect("sent again");
    assert_eq!((second.attempt, second.pass), (2, 2));
    assert_ne!(
        second.key, keys[0],
        "the engine would answer the old key with the same doubt"
    );
    world.answer(&second, done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    let world = task("retry").play(|_, _| unknown());
    assert_eq!(world.sent.len(), 3, "not for ever");
    assert_eq!(world.code("a"), "OUTCOME_UNKNOWN");
}

// WF-3.33
#[test]
fn doubt_waits_for_a_person_where_the_task_says_so() {
    let asked = || {
        let mut world = task("ask");
        world.reply("a", unknown());
        assert_eq!((world.state.status(), world.state.leased), ("waiting", 0));
        world.replays();
        world
    };
    let mut world = asked();
    decide(&mut world, Decision::Fail);
    assert_eq!(world.code("a"), "OUTCOME_UNKNOWN");
    assert_eq!(world.end(), RunEnd::Failed);
    world.replays();

    let mut world = asked();
    decide(&mut world, Decision::Done(json!({"x": 7})));
    assert_eq!(world.result("a"), json!({"x": 7}));
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();

    let mut world = asked();
    decide(&mut world, Decision::Retry);
    world.replays();
    let again = world.calls.front().expect("sent again");
    assert_eq!((again.attempt, again.pass), (2, 2));
    decide(&mut world, Decision::Fail);
    assert_eq!(world.status("a"), "active", "it is in doubt no more");
    world.reply("a", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}

#[test]
fn answer_that_comes_after_all_does_not_decide_a_doubt() {
    let mut world = task("ask");
    let call = world.calls.pop_front().expect("a call");
    world.answer(&call, unknown());
    world.answer(&call, done());
    assert_eq!(world.status("a"), "active");
}

// WF-6.5
#[test]
fn doubt_of_a_cancelled_run_is_cancelled_and_keeps_its_mark() {
    let mut world = task("ask");
    world.reply("a", unknown());
    world.input(Input::Cancel { force: false });
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.status("a"), "cancelled");
    assert_eq!(
        world.code("a"),
        "OUTCOME_UNKNOWN",
        "its effect may be there"
    );
    world.replays();
}

#[test]
fn doubt_in_a_list_is_decided_item_by_item() {
    let mut world = World::new(
        "
name: d
tasks:
  - {id: a, each: [1, 2], tool: t.a, onUnknown: ask}
",
    );
    world.reply("a[0]", unknown());
    world.reply("a[1]", done());
    assert_eq!(world.status("a"), "active");
    decide(&mut world, Decision::Done(json!(5)));
    assert_eq!(world.result("a"), json!([5, {"x": 1}]));
    world.replays();
    let mut world = task("ask");
    world.reply("a", failing("X", false));
    assert_eq!(world.code("a"), "X", "a plain failure is no doubt");
}
