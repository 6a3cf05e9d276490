//! `wait`: for time, and for events.

use serde_json::json;

use super::world::{World, done};
use crate::plan::state::RunEnd;
use crate::plan::{Decided, Input, Moment, advance};

fn waiting(wait: &str) -> World {
    World::new(&format!(
        r#"
name: w
tasks:
  - {{id: w, wait: {wait}}}
  - {{id: after, tool: t.a, needs: [w]}}
"#
    ))
}

// WF-3.7, WF-3.46
#[test]
fn time_passes_and_is_told() {
    let mut world = waiting("{for: 90s}");
    assert_eq!((world.state.status(), world.state.leased), ("waiting", 0));
    assert_eq!(world.state.due_ms(), Some(90_000));
    world.now_ms = 89_999;
    world.input(Input::Due);
    assert_eq!(world.status("w"), "active", "never early");
    world.pass();
    assert_eq!(world.result("w"), json!({"waited": 90_000}));
    world.reply("after", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    assert_eq!(world.state.spent.waiting_ms, 90_000);
    world.replays();
}

// WF-3.7
#[test]
fn instant_may_be_computed_and_may_be_past() {
    let mut world = waiting("{until: '1970-01-01T00:01:00Z'}");
    assert_eq!(world.state.due_ms(), Some(60_000));
    world.pass();
    assert_eq!(world.result("w"), json!({"waited": 60_000}));
    let world = waiting("{until: '1969-01-01T00:00:00Z'}").play(|_, _| done());
    assert_eq!(world.result("w"), json!({"waited": 0}));
    let mut world = World::new(
        r#"
name: w
tasks:
  - {id: a, tool: t.a}
  - {id: w, wait: {for: "${a.result}"}}
"#,
    );
    world.reply("a", crate::plan::Answer::Done(json!("2m")));
    assert_eq!(world.state.due_ms(), Some(120_000));
}

// WF-3.7
#[test]
fn what_is_no_time_fails_the_task() {
    for (wait, answer) in [("for", "soon"), ("until", "tomorrow")] {
        let mut world = World::new(&format!(
            r#"
name: w
tasks:
  - {{id: a, tool: t.a}}
  - {{id: w, wait: {{{wait}: "${{a.result}}"}}}}
"#
        ));
        world.reply("a", crate::plan::Answer::Done(json!(answer)));
        assert_eq!(world.code("w"), "WAIT_INVALID");
        assert_eq!(world.end(), RunEnd::Failed);
    }
}

fn event(world: &mut World, n: i64) {
    let event = json!({"id": "e1", "topic": "a.b", "time": "", "payload": {"n": n}});
    let task = world.find("w");
    world.input(Input::Event {
        task,
        item: 0,
        event,
    });
}

// WF-3.7
#[test]
fn event_that_fits_ends_the_wait() {
    let mut world = waiting("{event: {topic: 'a.${inputs.n}', where: event.payload.n > inputs.n}}");
    assert_eq!(world.listens, [("w".to_owned(), "a.3".to_owned())]);
    assert_eq!(world.state.due_ms(), None, "for ever");
    event(&mut world, 3);
    assert_eq!(world.status("w"), "active");
    event(&mut world, 4);
    assert_eq!(world.result("w")["payload"], json!({"n": 4}));
    event(&mut world, 5);
    assert_eq!(world.result("w")["payload"], json!({"n": 4}));
    world.replays();
}

// WF-3.7
#[test]
fn event_that_does_not_come_fails_the_task() {
    let mut world = waiting("{event: {topic: a.b, timeout: 10s}}");
    world.pass();
    assert_eq!(world.now_ms, 10_000);
    assert_eq!(world.code("w"), "WAIT_TIMEOUT");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-3.7
#[test]
fn condition_that_is_none_fails_the_wait() {
    let mut world = waiting("{event: {topic: a.b, where: event.payload.n}}");
    event(&mut world, 1);
    assert_eq!(world.code("w"), "EXPRESSION_TYPE");
}

// WF-3.40
#[test]
fn wait_is_looked_at_by_expect_and_repeat() {
    let mut world = World::new(
        "
name: w
tasks:
  - {id: w, wait: {event: {topic: a.b}}, repeat: {until: w.result.payload.n > 2, delay: 1s}}
",
    );
    event(&mut world, 1);
    assert_eq!(world.status("w"), "active");
    world.pass();
    assert_eq!(world.listens.len(), 2, "it listens again");
    event(&mut world, 3);
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}

#[test]
fn run_that_is_taken_up_again_listens_again_and_keeps_its_instant() {
    let mut world = waiting("{event: {topic: a.b, timeout: 10s}}");
    world.now_ms = 4_000;
    let mut again = world.replayed();
    assert_eq!(again.due_ms(), Some(10_000));
    let mut decided = Decided::default();
    let tools = super::world::AnyTool;
    let moment = Moment {
        now_ms: 4_000,
        draining: false,
        chance: &|| 0.0,
        tools: &tools,
    };
    advance(&mut again, &moment, Input::Begin, &mut decided);
    assert!(decided.records.is_empty());
    assert_eq!(decided.commands.len(), 1, "{:?}", decided.commands);
}
