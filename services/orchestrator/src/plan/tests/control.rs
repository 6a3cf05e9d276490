//! Pause and resume, priorities, places, results of earlier runs, artifacts.

use serde_json::json;

use super::world::{World, accepted_of, done, failing, workflow_of};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Input};

fn pause(world: &mut World) {
    world.input(Input::Pause {
        principal: "user:x".into(),
        reason: "a look at it".into(),
    });
}

fn resume(world: &mut World) {
    world.input(Input::Resume {
        principal: "user:x".into(),
    });
}

#[test]
fn paused_run_starts_nothing_and_lets_end_what_runs() {
    let mut world = World::new(super::world::DIAMOND);
    pause(&mut world);
    assert_eq!(world.state.status(), "paused");
    world.reply("a", done());
    assert_eq!(
        (world.status("a").as_str(), world.sent.len()),
        ("succeeded", 1)
    );
    world.replays();
    resume(&mut world);
    assert_eq!(world.sent, ["a", "b", "c"]);
    let world = world.play(|_, _| done());
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn instants_that_come_while_it_is_paused_wait_for_the_resume() {
    let mut world = World::new(
        "
name: p
timeout: 1h
tasks:
  - {id: w, wait: {for: 10s}}
  - {id: r, tool: t.r, retry: {attempts: 2, delay: 5s, jitter: false}}
",
    );
    world.reply("r", failing("X", true));
    pause(&mut world);
    assert_eq!(
        world.state.due_ms(),
        Some(3_600_000),
        "only its own time runs on"
    );
    world.now_ms = 20_000;
    world.input(Input::Due);
    assert_eq!(
        (world.status("w").as_str(), world.sent.len()),
        ("active", 1)
    );
    resume(&mut world);
    assert_eq!(world.state.due_ms(), Some(5_000), "due at once");
    world.input(Input::Due);
    assert_eq!(world.sent, ["r", "r"]);
    assert_eq!(world.status("w"), "succeeded");
    world.reply("r", done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    world.replays();
}

// WF-6.5, WF-2.17
#[test]
fn paused_run_may_be_cancelled_and_ends_in_time() {
    let source = "
name: p
timeout: 1h
tasks: [{id: a, tool: t.a}, {id: b, tool: t.b, needs: [a]}]
finally: [{id: z, tool: t.z}]
";
    let mut world = World::new(source);
    pause(&mut world);
    world.input(Input::Cancel { force: false });
    world.reply("a", Answer::Cancelled);
    world.reply("z", done());
    assert_eq!(world.end(), RunEnd::Cancelled);
    let mut world = World::new(source);
    pause(&mut world);
    world.pass();
    world.reply("a", Answer::Cancelled);
    world.reply("z", done());
    assert_eq!(world.end(), RunEnd::TimedOut);
    world.replays();
}

#[test]
fn paused_run_whose_last_task_ends_is_over_when_it_is_resumed() {
    let mut world = World::new("\nname: p\ntasks: [{id: a, tool: t.a}]\n");
    pause(&mut world);
    world.reply("a", done());
    assert_eq!(world.state.status(), "paused");
    resume(&mut world);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

// WF-3.35
#[test]
fn higher_priority_starts_first_then_the_order_of_the_file() {
    let world = World::new(
        "
name: p
maxConcurrent: 1
tasks:
  - {id: a, tool: t.x}
  - {id: b, tool: t.x, priority: 1}
  - {id: c, tool: t.x, priority: 100}
  - {id: d, tool: t.x, priority: 1}
  - {id: e, tool: t.x, each: [1, 2]}
",
    )
    .play(|_, _| done());
    assert_eq!(world.sent, ["c", "b", "d", "a", "e[0]", "e[1]"]);
}

// WF-3.39
#[test]
fn result_of_an_earlier_call_stands_in_and_says_so() {
    let mut world = World::new(
        r#"
name: k
tasks:
  - {id: a, each: [x, y], tool: t.a, cache: {key: "k-${item}", ttl: 1h}}
"#,
    );
    let hits: Vec<_> = world.calls.iter().filter_map(|c| c.cache.clone()).collect();
    let keys: Vec<&str> = hits.iter().map(|(key, _)| key.as_str()).collect();
    // The same key of another tool, other parameters or somebody else is another.
    assert!(keys[0].starts_with("k/a/k-x\nt.a\n") && keys[1].starts_with("k/a/k-y\nt.a\n"));
    assert!(hits.iter().all(|(_, ttl)| *ttl == 3_600_000));
    world.reply("a[0]", Answer::Cached(json!({"old": 1})));
    world.reply("a[1]", done());
    let cached: Vec<bool> = world.state.tasks[0]
        .instances
        .iter()
        .map(|i| i.cached)
        .collect();
    assert_eq!(cached, [true, false]);
    assert_eq!(world.result("a"), json!([{"old": 1}, {"x": 1}]));
    world.replays();
}

// WF-3.36
#[test]
fn result_is_kept_under_the_name_that_the_task_gives() {
    let world = World::new(
        r#"
name: k
tasks:
  - {id: a, tool: t.a, save: "report-${inputs.n}-${a.result.x}.json"}
  - {id: b, each: [1, 2], tool: t.a, save: "${item}.json"}
  - {id: bad, tool: t.a, save: "${a.result}", onError: continue}
"#,
    )
    .play(|_, _| done());
    assert_eq!(world.state.tasks[0].instances[0].save, "report-3-1.json");
    let names: Vec<&str> = world.state.tasks[1]
        .instances
        .iter()
        .map(|i| i.save.as_str())
        .collect();
    assert_eq!(names, ["1.json", "2.json"]);
    assert_eq!(world.code("bad"), "EXPRESSION_TYPE");
}

// WF-2.10, WF-2.11
#[test]
fn run_without_a_place_waits_or_ends() {
    let queued = || {
        let workflow = workflow_of(super::world::DIAMOND);
        let mut accepted = accepted_of(&workflow);
        accepted.queued = true;
        let mut world = World::accepted(workflow, accepted);
        world.input(Input::Begin);
        world
    };
    let mut world = queued();
    assert_eq!((world.state.status(), world.sent.len()), ("queued", 0));
    world.now_ms = 5_000;
    world.input(Input::Admit);
    assert_eq!(world.sent, ["a"]);
    let world = world.play(|_, _| done());
    assert_eq!(world.end(), RunEnd::Succeeded);
    assert_eq!(world.state.spent.queued_ms, 5_000);

    let mut world = queued();
    world.input(Input::Skip);
    assert_eq!(
        (world.end(), world.run_code()),
        (RunEnd::Cancelled, "CONCURRENCY_SKIPPED")
    );
    assert!(world.statuses().values().all(|s| s == "cancelled"));
    world.replays();
}

// WF-2.23
#[test]
fn run_that_never_had_its_place_has_nothing_to_clean_up() {
    for wait in [0, 5_000] {
        let workflow = workflow_of(
            "
name: q
tasks: [{id: a, tool: t.a}]
finally: [{id: z, tool: t.z}]
",
        );
        let mut accepted = accepted_of(&workflow);
        accepted.queued = true;
        let mut world = World::accepted(workflow, accepted);
        world.input(Input::Begin);
        world.now_ms = wait;
        world.input(Input::Cancel { force: false });
        assert_eq!(world.end(), RunEnd::Cancelled);
        assert!(world.sent.is_empty());
        world.replays();
    }
}
