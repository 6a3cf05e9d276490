//! `each`, `set`, limits and order.

use serde_json::{Value, json};

use super::world::{World, done, failing};
use crate::plan::Answer;
use crate::plan::state::RunEnd;

// WF-2.16, WF-3.17
#[test]
fn limits_on_calls_at_once_hold() {
    let source = |limit: &str| {
        let tasks: String = (0..20)
            .map(|i| format!("  - {{id: t{i}, tool: t.x}}\n"))
            .collect();
        format!("name: m\n{limit}\ntasks:\n{tasks}")
    };
    assert_eq!(World::new(&source("")).play(|_, _| done()).most_at_once, 10);
    assert_eq!(
        World::new(&source("maxConcurrent: 20"))
            .play(|_, _| done())
            .most_at_once,
        20
    );
    assert_eq!(
        World::new(&source("maxConcurrent: 5"))
            .play(|_, _| done())
            .most_at_once,
        5
    );
    let each = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2, 3, 4, 5, 6], maxConcurrent: 2, tool: t.x}
",
    )
    .play(|_, _| done());
    assert_eq!(each.most_at_once, 2);
}

// WF-3.41, WF-3.42, WF-3.43, WF-6.4
#[test]
fn each_gives_results_in_the_order_of_its_items() {
    let world = World::new(r#"
name: e
tasks:
  - {id: list, set: {of: [1, 2, 3]}}
  - {id: a, each: "${list.result.of}", as: n, onItemError: continue, tool: t.x, params: {n: "${n}", i: "${index}"}}
  - {id: none, each: [], tool: t.x}
outputs:
  all: "${a.result}"
  failed: "${a.errors[].item}"
  none: "${none.result}"
"#).play(|task, _| match task {
        "a[1]" => failing("X", false),
        _ => Answer::Done(json!(task)),
    });
    assert_eq!(
        world.state.outputs,
        json!({"all": ["a[0]", null, "a[2]"], "failed": [2], "none": []})
    );
    assert_eq!(world.end(), RunEnd::Partial);
}

// WF-3.18
#[test]
fn failed_item_keeps_the_others_from_starting() {
    let world = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2, 3, 4], maxConcurrent: 1, tool: t.x}
",
    )
    .play(|task, _| {
        if task == "a[1]" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.sent, ["a[0]", "a[1]"]);
    let problem = world.state.tasks[0].problem.as_ref().expect("failed");
    assert_eq!(problem.code, "ITEM_FAILED");
    assert_eq!(world.end(), RunEnd::Failed);
}

// WF-3.19
#[test]
fn all_items_failed_fails_the_task_under_continue_too() {
    let world = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2], onItemError: continue, tool: t.x}
",
    )
    .play(|_, _| failing("X", false));
    assert_eq!(world.statuses()["a"], "failed");
}

// WF-3.35
#[test]
fn higher_priority_of_long_lists_is_kept_in_file_order() {
    let tasks: String = (0..200)
        .map(|i| format!("  - {{id: t{i}, tool: t.x}}\n"))
        .collect();
    let world =
        World::new(&format!("name: m\nmaxConcurrent: 3\ntasks:\n{tasks}")).play(|_, _| done());
    let expected: Vec<String> = (0..200).map(|i| format!("t{i}")).collect();
    assert_eq!(world.sent, expected);
}

// WF-3.5
#[test]
fn value_of_a_set_is_its_map() {
    let world = World::new(
        r#"
name: s
tasks:
  - {id: a, set: {n: "${inputs.n}", text: "n=${inputs.n}"}}
  - {id: b, each: [1, 2], set: {twice: "${item}"}}
outputs: {a: "${a.result}", b: "${b.result}"}
"#,
    )
    .play(|_, _| done());
    assert_eq!(
        world.state.outputs,
        json!({"a": {"n": 3, "text": "n=3"}, "b": [{"twice": 1}, {"twice": 2}]})
    );
    assert_eq!(world.sent, Vec::<String>::new());
    let Value::Object(_) = &world.state.tasks[0].view else {
        panic!("a view")
    };
}

/// Lists of so many elements, one task each, all of which come to nothing but a `set`.
fn lists(lengths: &[usize]) -> World {
    let tasks: String = (lengths.iter().enumerate())
        .map(|(at, length)| {
            format!("  - {{id: t{at}, each: '${{range(`0`, `{length}`)}}', set: {{x: 1}}}}\n")
        })
        .collect();
    World::new(&format!("name: l\nonError: continue\ntasks:\n{tasks}"))
}

// WF-1.6
#[test]
fn list_has_at_most_so_many_elements() {
    assert_eq!(lists(&[10_000]).end(), RunEnd::Succeeded);
    let over = lists(&[10_001]);
    assert_eq!(
        (over.end(), over.code("t0").as_str()),
        (RunEnd::Failed, "EACH_INVALID")
    );
}

// WF-1.7
#[test]
fn run_has_at_most_so_many_instances() {
    assert_eq!(lists(&[10_000, 10_000]).end(), RunEnd::Succeeded);
    let over = lists(&[10_000, 9_999, 2, 1]);
    let codes = ["t0", "t1", "t2", "t3"].map(|id| over.code(id));
    assert_eq!(
        codes,
        ["", "", "EACH_INVALID", ""],
        "what still has room goes on"
    );
    assert_eq!(over.end(), RunEnd::Partial);
}
