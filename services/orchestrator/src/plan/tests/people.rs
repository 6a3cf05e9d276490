//! `approve`: questions to people.

use serde_json::json;

use super::world::{World, done};
use crate::plan::state::RunEnd;
use crate::plan::{Input, Vote};

fn asked(more: &str) -> World {
    World::new(&format!(
        r#"
name: p
tasks:
  - {{id: ask, approve: {{message: "ok with ${{inputs.n}}?", approvers: ['user:x', 'role:y'], {more}}}}}
  - {{id: after, tool: t.a, needs: [ask]}}
outputs: {{result: "${{ask.result}}"}}
"#
    ))
}

// WF-3.6, WF-3.46
#[test]
fn run_waits_until_somebody_answers() {
    let mut world = asked("timeout: 1h");
    assert_eq!(world.state.status(), "waiting");
    assert_eq!(world.state.leased, 0);
    let what = &world.state.tasks[0].instances[0].what;
    assert_eq!(what["message"], json!("ok with 3?"));
    assert_eq!(what["approvers"], json!(["user:x", "role:y"]));
    world.now_ms = 1_500;
    let vote = Vote {
        principal: "user:x".into(),
        approved: true,
        note: "fine".into(),
        form: json!({"limit": 5}),
    };
    world.input(Input::Voted {
        task: 0,
        item: 0,
        vote,
    });
    world.reply("after", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    assert_eq!(
        world.state.outputs["result"],
        json!({"approved": true, "by": ["user:x"], "at": "1970-01-01T00:00:01.500Z",
            "note": "fine", "form": {"limit": 5}})
    );
    world.replays();
}

// WF-3.48
#[test]
fn as_many_people_must_agree_as_the_task_says() {
    let mut world = asked("quorum: 2");
    world.vote("ask", "user:x", true);
    assert_eq!(world.status("ask"), "active");
    world.vote("ask", "user:x", true);
    assert_eq!(world.status("ask"), "active", "nobody counts twice");
    world.replays();
    world.vote("ask", "user:z", true);
    assert_eq!(world.status("ask"), "succeeded");
    assert_eq!(world.result("ask")["by"], json!(["user:x", "user:z"]));
}

// WF-3.48
#[test]
fn one_no_is_enough() {
    let mut world = asked("quorum: 3");
    world.vote("ask", "user:x", true);
    world.vote("ask", "user:z", false);
    assert_eq!(world.code("ask"), "APPROVAL_REJECTED");
    assert_eq!(world.status("after"), "skipped NEED_FAILED");
    assert_eq!(world.end(), RunEnd::Failed);
    world.replays();
}

// WF-3.31, WF-3.48
#[test]
fn no_may_be_a_result() {
    let mut world = World::new(
        r#"
name: p
tasks:
  - {id: ask, approve: {message: m, approvers: ['user:x']}, onError: {use: {approved: false}}}
  - {id: yes, when: ask.result.approved, tool: t.a}
"#,
    );
    world.vote("ask", "user:x", false);
    assert_eq!(world.status("yes"), "skipped CONDITION");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.49
#[test]
fn silence_is_worth_what_the_task_says() {
    for (more, status, code) in [
        ("timeout: 1h", "failed", "APPROVAL_REJECTED"),
        (
            "timeout: 1h, onTimeout: reject",
            "failed",
            "APPROVAL_REJECTED",
        ),
        ("timeout: 1h, onTimeout: fail", "failed", "APPROVAL_TIMEOUT"),
        ("timeout: 1h, onTimeout: approve", "succeeded", ""),
    ] {
        let mut world = asked(more);
        world.now_ms = 3_599_999;
        world.input(Input::Due);
        assert_eq!(world.status("ask"), "active", "never early");
        world.pass();
        assert_eq!(world.now_ms, 3_600_000);
        assert_eq!(
            (world.status("ask").as_str(), world.code("ask").as_str()),
            (status, code)
        );
        world.replays();
    }
    let mut late = asked("timeout: 1h");
    late.pass();
    late.vote("ask", "user:x", true);
    assert_eq!(
        late.end(),
        RunEnd::Failed,
        "an answer behind it changes nothing"
    );
}

// WF-6.5
#[test]
fn question_of_a_cancelled_run_is_over() {
    let mut world = asked("timeout: 1h");
    world.input(Input::Cancel { force: false });
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.status("ask"), "cancelled");
    world.vote("ask", "user:x", true);
    assert_eq!(world.status("ask"), "cancelled");
    world.replays();
}

// WF-3.14
#[test]
fn question_is_asked_for_each_element() {
    let mut world = World::new(
        r#"
name: p
tasks:
  - {id: ask, each: [a, b], approve: {message: "${item}?", approvers: ['user:x']}, onItemError: continue}
"#,
    );
    let of = |approved: bool| Vote {
        principal: "user:x".into(),
        approved,
        note: String::new(),
        form: json!({}),
    };
    world.input(Input::Voted {
        task: 0,
        item: 1,
        vote: of(true),
    });
    world.input(Input::Voted {
        task: 0,
        item: 0,
        vote: of(false),
    });
    assert_eq!(world.result("ask")[0], json!(null));
    assert_eq!(world.result("ask")[1]["approved"], json!(true));
    assert_eq!(world.end(), RunEnd::Partial);
    world.replays();
}
