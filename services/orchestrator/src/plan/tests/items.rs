//! `each`, `set`, limits and order.

use serde_json::{Value, json};

use super::world::{World, done, failing};
use crate::plan::Answer;
use crate::plan::state::RunEnd;

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
