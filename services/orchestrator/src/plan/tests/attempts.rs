//! Retries, keys, expectations, and attempts that are lost.

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input, Problem};

// WF-3.21, WF-3.22
#[test]
fn retryable_failure_is_tried_again_with_growing_waits() {
    let mut attempts = Vec::new();
    let world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, retry: {attempts: 3, delay: 1s, jitter: false}}
",
    )
    .play(|_, attempt| {
        attempts.push(attempt);
        if attempt < 3 {
            failing("HTTP_STATUS", true)
        } else {
            done()
        }
    });
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(world.now_ms, 3_000, "1 s, then 2 s");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.25
#[test]
fn retries_end_with_the_last_error() {
    let world = World::new(
        "
name: r
onError: continue
tasks:
  - {id: a, tool: t.a, retry: {attempts: 2, delay: 1s}}
  - {id: b, tool: t.b, retry: {attempts: 2, delay: 1s}}
",
    )
    .play(|task, _| failing("X", task == "a"));
    assert_eq!(
        world.sent,
        ["a", "b", "a"],
        "what is not retryable is not tried again"
    );
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-3.24
#[test]
fn peer_that_names_a_wait_is_given_at_least_that() {
    let world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, retry: {attempts: 2, delay: 1s}}
",
    )
    .play(|_, attempt| match attempt {
        1 => Answer::Failed {
            problem: Problem {
                retryable: true,
                ..Problem::new("HTTP_STATUS", "503")
            },
            retry_after_ms: Some(7_000),
        },
        _ => done(),
    });
    assert_eq!(world.now_ms, 7_000);
}

// WF-3.31
#[test]
fn substitute_counts_as_success_and_keeps_the_error() {
    let world = World::new(
        r#"
name: u
tasks:
  - {id: a, tool: t.a, onError: {use: {x: 7}}}
  - {id: b, tool: t.b, params: {x: "${a.result.x}"}}
outputs: {x: "${a.result.x}", code: "${a.error.code}"}
"#,
    )
    .play(|task, _| {
        if task == "a" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.state.outputs, json!({"x": 7, "code": "X"}));
    assert!(world.state.tasks[0].substituted);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.29
#[test]
fn expectation_that_is_false_fails_the_attempt_and_starts_another_pass() {
    let mut passes = Vec::new();
    let world = World::new("
name: x
tasks:
  - {id: a, tool: t.a, expect: a.result.n > 1, retry: {attempts: 3, delay: 1s, errors: [EXPECTATION_FAILED]}}
");
    let keys = std::cell::RefCell::new(Vec::new());
    let mut world = world;
    for n in 1..=2 {
        let call = world.calls.pop_front().expect("a call");
        passes.push(call.pass);
        keys.borrow_mut().push(call.key.clone());
        world.answer(&call, Answer::Done(json!({"n": n})));
        if let Some(due) = world.state.due_ms() {
            world.now_ms = due;
            world.input(Input::Due);
        }
    }
    assert_eq!(passes, [1, 2]);
    let keys = keys.into_inner();
    assert_ne!(keys[0], keys[1], "another pass is another key");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.38
#[test]
fn key_is_equal_over_the_attempts_of_a_pass() {
    let mut world = World::new(
        "
name: x
tasks:
  - {id: a, tool: t.a, retry: {attempts: 3, delay: 1s}}
  - {id: own, tool: t.a, idempotencyKey: 'mine-${inputs.n}'}
",
    );
    let first = world.calls.pop_front().expect("a call");
    assert_eq!(world.calls[0].key, "mine-3");
    world.answer(&first, failing("X", true));
    world.now_ms = world.state.due_ms().expect("a wait");
    world.input(Input::Due);
    let second = world.calls.pop_back().expect("another call");
    assert_eq!((second.attempt, &second.key), (2, &first.key));
}

#[test]
fn lost_attempt_is_sent_again_and_costs_no_retry() {
    let mut world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a}
",
    );
    let first = world.calls.pop_front().expect("a call");
    world.answer(&first, Answer::Lost);
    world.input(Input::Due);
    let second = world.calls.pop_front().expect("sent again");
    assert_eq!((second.attempt, &second.key), (2, &first.key));
    world.answer(&first, done());
    assert!(
        !world.state.ended(),
        "the answer of an attempt that was given up is ignored"
    );
    world.answer(&second, done());
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.32
#[test]
fn unknown_outcome_fails_the_task_by_default() {
    let world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a, retry: {attempts: 5}}
",
    )
    .play(|_, _| Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "?")));
    assert_eq!(world.sent.len(), 1, "never a silent second try");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-3.26, WF-9.25
#[test]
fn missing_name_fails_the_task_without_an_attempt() {
    let world = World::new(
        r#"
name: v
onError: continue
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, params: {x: "${a.result.nothing}"}}
  - {id: c, tool: no.such}
"#,
    )
    .play(|_, _| done());
    assert_eq!(world.sent, ["a"]);
    let code = |t: usize| {
        world.state.tasks[t]
            .problem
            .as_ref()
            .expect("failed")
            .code
            .clone()
    };
    assert_eq!(
        (code(1), code(2)),
        ("VARIABLE_RESOLUTION_ERROR".into(), "TOOL_NOT_FOUND".into())
    );
}

#[test]
fn call_under_which_the_process_died_three_times_is_not_sent_again() {
    let world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a}
",
    )
    .play(|_, _| Answer::Lost);
    assert_eq!(world.sent.len(), 3);
    assert_eq!(
        world.state.tasks[0].problem.as_ref().expect("failed").code,
        "POISON"
    );
}

#[test]
fn engine_that_is_away_is_left_to_the_retries_of_the_task() {
    let away = || {
        Answer::Unsent(Problem {
            retryable: true,
            ..Problem::new("ENGINE_UNAVAILABLE", "nobody is there")
        })
    };
    let world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a, retry: {attempts: 3}}
",
    )
    .play(|_, _| away());
    assert_eq!(world.sent.len(), 5, "two at once, then three tries");
    assert_eq!(
        world.state.tasks[0].problem.as_ref().expect("failed").code,
        "ENGINE_UNAVAILABLE"
    );
}

#[test]
fn result_that_the_journal_cannot_keep_fails_its_task() {
    let at = |bytes: usize| Answer::Done(json!("x".repeat(bytes - 2)));
    let source = "
name: l
tasks:
  - {id: a, tool: t.a}
";
    let limit = crate::plan::outcome::RESULT_MAX;
    assert_eq!(
        World::new(source).play(|_, _| at(limit)).end(),
        RunEnd::Succeeded
    );
    let over = World::new(source).play(|_, _| at(limit + 1));
    assert_eq!(
        over.state.tasks[0].problem.as_ref().expect("failed").code,
        "RESPONSE_TOO_LARGE"
    );
}
