//! `onFailure`, `onSuccess`, `finally`.

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input};

const ALL: &str = r#"
name: h
tasks:
  - {id: a, tool: t.a}
onFailure:
  - {id: f, tool: t.f, params: {status: "${run.status}", code: "${run.error.code}", task: "${run.failedTask}", a: "${a.status}"}}
onSuccess:
  - {id: s, tool: t.s, params: {status: "${run.status}", error: "${run.error}", task: "${run.failedTask}"}}
finally:
  - {id: z, tool: t.z, params: {status: "${run.status}"}}
outputs: {a: "${a.status}"}
"#;

// WF-2.22, WF-2.24
#[test]
fn handlers_run_in_order_and_see_how_the_graph_ended() {
    let mut world = World::new(ALL);
    world.reply("a", done());
    assert_eq!(world.sent, ["a", "s"]);
    let seen = &world.calls[0].resolved.params;
    assert_eq!(
        *seen,
        json!({"status": "succeeded", "error": null, "task": null})
    );
    assert_eq!(world.state.status(), "running");
    world.reply("s", done());
    assert_eq!(world.sent, ["a", "s", "z"]);
    world.replays();
    world.reply("z", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    assert_eq!(world.state.outputs, json!({"a": "succeeded"}));
    world.replays();

    let mut world = World::new(ALL);
    world.reply("a", failing("BAD", false));
    let seen = &world.calls[0].resolved.params;
    assert_eq!(
        *seen,
        json!({"status": "failed", "code": "BAD", "task": "a", "a": "failed"})
    );
    world.reply("f", done());
    assert_eq!(world.calls[0].resolved.params, json!({"status": "failed"}));
    world.reply("z", done());
    assert_eq!((world.end(), world.run_code()), (RunEnd::Failed, "BAD"));
    assert_eq!(world.sent, ["a", "f", "z"]);
}

// WF-2.22
#[test]
fn partial_is_a_failure_for_handlers() {
    let world = World::new(
        &ALL.replace("name: h", "name: h\nonError: continue")
            .replace(
                "  - {id: a, tool: t.a}",
                "  - {id: a, tool: t.a}\n  - {id: b, tool: t.b}",
            ),
    )
    .play(|task, _| {
        if task == "b" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.sent, ["a", "b", "f", "z"]);
    assert_eq!(world.end(), RunEnd::Partial);
}

// WF-2.25
#[test]
fn failure_in_a_handler_fails_the_run_and_the_first_error_stays() {
    let world = World::new(ALL).play(|task, _| match task {
        "a" | "f" | "z" => failing(&task.to_uppercase(), false),
        _ => done(),
    });
    assert_eq!(world.sent, ["a", "f", "z"], "finally runs always");
    assert_eq!((world.end(), world.run_code()), (RunEnd::Failed, "A"));
    let world = World::new(ALL).play(|task, _| match task {
        "s" | "z" => failing(&task.to_uppercase(), false),
        _ => done(),
    });
    assert_eq!((world.end(), world.run_code()), (RunEnd::Failed, "S"));
    let failed = world.state.failed.as_ref().expect("failed");
    assert_eq!(failed.0, "s");
    world.replays();
}

// WF-2.23, WF-6.5
#[test]
fn finally_runs_after_a_cancel_and_after_a_timeout() {
    let mut world = World::new(ALL);
    world.input(Input::Cancel { force: false });
    assert_eq!(world.sent, ["a"]);
    world.reply("a", Answer::Cancelled);
    assert_eq!(world.sent, ["a", "z"], "a cancel is no failure");
    assert_eq!(
        world.calls[0].resolved.params,
        json!({"status": "cancelled"})
    );
    world.reply("z", done());
    assert_eq!(world.end(), RunEnd::Cancelled);
    world.replays();

    let mut world = World::new(&ALL.replace("name: h", "name: h\ntimeout: 1h"));
    world.pass();
    world.reply("a", Answer::Cancelled);
    world.reply("f", done());
    world.reply("z", done());
    assert_eq!(
        (world.end(), world.run_code()),
        (RunEnd::TimedOut, "RUN_TIMEOUT")
    );
    world.replays();
}

// WF-2.23
#[test]
fn handlers_have_a_minute_together() {
    let mut world = World::new(ALL);
    world.now_ms = 10_000;
    world.reply("a", failing("BAD", false));
    assert_eq!(world.state.due_ms(), Some(70_000));
    world.now_ms = 40_000;
    world.reply("f", done());
    assert_eq!(world.state.due_ms(), Some(70_000), "together");
    world.now_ms = 69_999;
    world.input(Input::Due);
    assert!(world.aborted.is_empty());
    world.pass();
    assert_eq!(world.aborted, ["z"]);
    world.reply("z", Answer::Cancelled);
    assert_eq!((world.end(), world.run_code()), (RunEnd::Failed, "BAD"));
    assert!(world.state.handlers_timed_out);
    world.replays();
}

#[test]
fn minute_is_over_for_handlers_that_would_still_come() {
    let mut world = World::new(ALL);
    world.reply("a", done());
    world.pass();
    world.reply("s", Answer::Cancelled);
    assert_eq!(world.sent, ["a", "s"], "no time is left for `finally`");
    assert_eq!(world.end(), RunEnd::Succeeded);
    assert!(world.state.handlers_timed_out);
    world.replays();
}

// WF-6.5
#[test]
fn second_cancel_ends_handlers_by_force_only() {
    let mut world = World::new(ALL);
    world.reply("a", done());
    world.input(Input::Cancel { force: false });
    assert!(world.aborted.is_empty());
    world.input(Input::Cancel { force: true });
    assert_eq!(world.aborted, ["s"]);
    world.reply("s", Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::Succeeded, "the graph had succeeded");
    world.replays();
}

// WF-2.22, WF-5.4
#[test]
fn handlers_are_graphs() {
    let world = World::new(
        r#"
name: h
tasks: [{id: a, set: {n: [1, 2]}}]
onSuccess:
  - {id: one, each: "${a.result.n}", tool: t.x, onItemError: continue}
  - {id: two, needs: [one], tasks: [{id: in, tool: t.y}]}
  - {id: three, needs: [two], when: inputs.n > 5, tool: t.z}
"#,
    )
    .play(|task, _| {
        if task == "one[1]" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.sent, ["one[0]", "one[1]", "two/in"]);
    assert_eq!(world.status("three"), "skipped CONDITION");
    assert_eq!(world.end(), RunEnd::Succeeded);
}
