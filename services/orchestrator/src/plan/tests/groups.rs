//! Groups: graphs in tasks.

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::state::RunEnd;

const PAIR: &str = r#"
name: g
tasks:
  - {id: list, tool: t.list}
  - id: g
    tasks:
      - {id: x, tool: t.x, params: {all: "${list.result.x}"}}
      - {id: y, tool: t.y, params: {v: "${x.result.x}"}}
  - {id: after, tool: t.after, needs: [g]}
outputs: {g: "${g.result}", y: "${g.result.y.x}"}
"#;

// WF-3.8, WF-3.45
#[test]
fn group_gives_the_results_of_its_tasks_by_id() {
    let world = World::new(PAIR).play(|_, _| done());
    assert_eq!(world.sent, ["list", "g/x", "g/y", "after"]);
    let outputs = json!({"g": {"x": {"x": 1}, "y": {"x": 1}}, "y": 1});
    assert_eq!(world.state.outputs, outputs);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.46
#[test]
fn group_holds_no_slot() {
    let world = World::new(
        "
name: g
maxConcurrent: 1
tasks:
  - {id: g, tasks: [{id: h, tasks: [{id: x, tool: t.x}]}]}
",
    )
    .play(|_, _| done());
    assert_eq!(world.sent, ["g/h/x"]);
    assert_eq!(world.result("g"), json!({"h": {"x": {"x": 1}}}));
}

// WF-6.1
#[test]
fn failure_in_a_group_fails_it_with_that_error() {
    let world = World::new(PAIR).play(|task, _| match task {
        "g/x" => failing("BAD", false),
        _ => done(),
    });
    assert_eq!(world.status("g/x"), "failed");
    assert_eq!(world.status("g/y"), "skipped NEED_FAILED");
    assert_eq!(world.status("g"), "failed");
    assert_eq!(world.code("g"), "BAD");
    assert_eq!(world.status("after"), "skipped NEED_FAILED");
    assert_eq!(world.end(), RunEnd::Failed);
    let failed = world.state.failed.as_ref().expect("failed");
    assert_eq!(failed.0, "g", "the task of the run's own graph is named");
}

// WF-3.44, WF-3.41
#[test]
fn each_over_a_group_gives_one_map_per_element() {
    let world = World::new(
        r#"
name: g
tasks:
  - id: g
    each: [p, q, r]
    as: table
    onItemError: continue
    tasks:
      - {id: x, tool: t.x, params: {table: "${table}", i: "${index}"}}
      - {id: y, each: [1, 2], as: n, tool: t.y, params: {of: "${table}${n}", x: "${x.result.x}"}}
outputs: {second: "${g.result[0].y[1].x}", failed: "${g.errors[].item}"}
"#,
    )
    .play(|task, _| match task {
        "g[1]/y[0]" => failing("BAD", false),
        _ => done(),
    });
    assert_eq!(world.result("g")[1], json!(null));
    assert_eq!(world.result("g")[2]["x"], json!({"x": 1}));
    assert_eq!(world.state.outputs, json!({"second": 1, "failed": ["q"]}));
    assert_eq!(world.status("g[1]/y"), "failed");
    assert_eq!(world.status("g[0]/y"), "succeeded");
    assert_eq!(world.end(), RunEnd::Partial);
}

// WF-3.15
#[test]
fn inner_tasks_see_the_elements_of_the_groups_around_them() {
    let mut seen = Vec::new();
    let mut world = World::new(
        r#"
name: g
tasks:
  - id: g
    each: [p, q]
    as: outer
    tasks:
      - id: h
        each: [1, 2]
        as: inner
        tasks:
          - {id: x, tool: t.x, params: {all: "${outer}${inner}", i: "${index}"}}
"#,
    );
    while let Some(call) = world.calls.pop_front() {
        seen.push(call.resolved.params.clone());
        world.answer(&call, done());
    }
    let of = |all: &str, i: i64| json!({"all": all, "i": i});
    assert_eq!(seen, [of("p1", 0), of("p2", 1), of("q1", 0), of("q2", 1)]);
    world.replays();
}

// WF-3.17
#[test]
fn groups_at_once_are_limited_as_their_task_says() {
    let source = |limit: &str| {
        format!(
            "
name: g
maxConcurrent: 4
tasks:
  - {{id: g, each: [1, 2, 3, 4, 5, 6], {limit} tasks: [{{id: x, tool: t.x}}, {{id: y, tool: t.y}}]}}
"
        )
    };
    let mut world = World::new(&source("maxConcurrent: 1,"));
    assert_eq!(world.sent, ["g[0]/x", "g[0]/y"]);
    world.reply("g[0]/x", done());
    assert_eq!(world.sent.len(), 2);
    world.reply("g[0]/y", done());
    assert_eq!(world.sent[2..], ["g[1]/x", "g[1]/y"]);
    let open = |world: &World| world.state.frames.len() - 1;
    assert_eq!(open(&World::new(&source(""))), 4, "the run's limit");
}

// WF-6.1
#[test]
fn group_that_waits_for_failures_runs_whole_after_a_stop() {
    let world = World::new(
        "
name: g
tasks:
  - {id: bad, tool: t.a}
  - {id: alarm, needs: [bad], runIf: anyFailed, tasks: [{id: x, tool: t.x}, {id: y, tool: t.y, needs: [x]}]}
  - {id: other, needs: [bad], runIf: noneFailed, tasks: [{id: z, tool: t.z}]}
",
    )
    .play(|task, _| if task == "bad" { failing("X", false) } else { done() });
    assert_eq!(world.sent, ["bad", "alarm/x", "alarm/y"]);
    assert_eq!(world.status("alarm"), "succeeded");
    assert_eq!(world.status("other"), "skipped NEED_FAILED");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-6.1
#[test]
fn stop_keeps_what_has_not_begun_in_a_running_group_from_starting() {
    let mut world = World::new(
        "
name: g
tasks:
  - {id: bad, tool: t.a}
  - {id: g, tasks: [{id: x, tool: t.x}, {id: y, tool: t.y, needs: [x]}, {id: z, tool: t.z, needs: [x], runIf: allDone}]}
",
    );
    world.reply("bad", failing("X", false));
    assert_eq!(world.status("g/y"), "skipped RUN_STOPPED");
    assert_eq!(world.status("g/x"), "active", "what runs ends normally");
    let world = world.play(|_, _| done());
    assert_eq!(world.status("g/z"), "succeeded");
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn what_stands_in_for_a_group_is_its_result() {
    let world = World::new(
        r#"
name: g
tasks:
  - {id: g, onError: {use: {x: none}}, tasks: [{id: x, tool: t.x}]}
outputs: {x: "${g.result.x}"}
"#,
    )
    .play(|_, _| failing("X", false));
    assert_eq!(world.state.outputs, json!({"x": "none"}));
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn uuid_is_that_of_its_task_and_of_every_position_around_it() {
    let source = r#"
name: u
tasks:
  - id: g
    each: [1, 2]
    tasks:
      - {id: x, each: [1, 2], set: {one: "${uuid()}", again: "${uuid()}", other: "${uuid('b')}"}}
      - {id: y, set: {one: "${uuid()}", other: "${uuid('b')}"}}
  - {id: z, set: {one: "${uuid()}"}}
outputs:
  all: ${[g.result[].x[].[one, other][], g.result[].y.[one, other][], [z.result.one]][]}
  again: ${g.result[].x[].[one == again][]}
"#;
    let world = World::new(source).play(|_, _| done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    let outputs = &world.state.outputs;
    assert_eq!(outputs["again"], json!([true, true, true, true]));
    let all = outputs["all"].as_array().expect("a list");
    let different: std::collections::HashSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!((all.len(), different.len()), (13, 13), "{all:?}");
    let replayed = world.replayed();
    assert_eq!(&replayed.outputs, outputs);
}
