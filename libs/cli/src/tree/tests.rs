use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn first(ids: &[&str]) -> Value {
    let tasks: serde_json::Map<_, _> = ids
        .iter()
        .map(|id| ((*id).to_owned(), json!({"status": "pending"})))
        .collect();
    json!({"kind": "run", "status": "running", "run": {
        "runId": "run_36zn0sv00pg07", "workflow": "hello", "tasks": tasks, "dag": {"levels": [ids]},
    }})
}

fn tree(ids: &[&str]) -> Tree {
    let tools = ids
        .iter()
        .map(|id| ((*id).to_owned(), "http.request".to_owned()))
        .collect();
    let mut tree = Tree::new(Outline {
        tools,
        ..Outline::default()
    });
    tree.apply(&first(ids), 0);
    tree
}

fn check(tree: &Tree, now: u64, picture: &Expect) {
    picture.assert_eq(&tree.lines(now, (100, 24), Style::default()).join("\n"));
}

#[test]
fn tree_shows_each_state_of_a_task() {
    let mut tree = tree(&["fetch", "pick", "write", "mail", "rest"]);
    tree.apply(
        &json!({"task": "fetch", "status": "running", "attempt": 1}),
        0,
    );
    tree.apply(&json!({"task": "fetch", "status": "succeeded", "attempt": 1, "duration": 42, "note": "12 items"}), 42);
    tree.apply(
        &json!({"task": "pick", "status": "running", "attempt": 1}),
        50,
    );
    tree.apply(
        &json!({"task": "pick", "status": "retrying", "attempt": 1, "duration": 800, "error": {"code": "HTTP_STATUS", "message": "503"}}),
        100,
    );
    tree.apply(
        &json!({"task": "write", "status": "running", "attempt": 2}),
        100,
    );
    tree.apply(
        &json!({"task": "mail", "status": "failed", "attempt": 3, "duration": 1500, "error": {"code": "TIMEOUT", "message": "too late"}}),
        150,
    );
    tree.apply(
        &json!({"task": "rest", "status": "skipped", "duration": 0, "note": "NEED_FAILED"}),
        150,
    );
    check(
        &tree,
        300,
        &expect![[r#"
        hello  run_36zn0sv00pg07
          ok  fetch  http.request     0.04 s  12 items
          ~~  pick   http.request             retrying in 0.6 s: HTTP_STATUS 503
          ..  write  http.request     0.20 s  attempt 2
          !!  mail   http.request     1.50 s  TIMEOUT too late   attempt 3
          --  rest   http.request     0.00 s  NEED_FAILED"#]],
    );
}

#[test]
fn error_of_an_item_goes_when_an_item_succeeds() {
    let mut row = Row::new("a", "state.get");
    row.apply(
        &json!({"item": 0, "status": "retrying", "error": {"code": "TIMEOUT"}}),
        true,
        1,
    );
    assert!(row.remark(1).contains("TIMEOUT"));
    row.apply(&json!({"item": 0, "status": "succeeded"}), true, 2);
    assert!(!row.remark(2).contains("TIMEOUT"));
}

#[test]
fn items_of_an_each_task_are_counted() {
    let mut tree = tree(&["search"]);
    tree.apply(
        &json!({"task": "search", "status": "running", "note": "3 items"}),
        0,
    );
    tree.apply(
        &json!({"task": "search", "item": 0, "status": "running", "attempt": 1}),
        0,
    );
    tree.apply(
        &json!({"task": "search", "item": 0, "status": "succeeded", "attempt": 1, "duration": 5}),
        5,
    );
    tree.apply(
        &json!({"task": "search", "item": 2, "status": "failed", "error": {"code": "TIMEOUT", "message": "too late"}}),
        10,
    );
    check(
        &tree,
        10,
        &expect![[r#"
        hello  run_36zn0sv00pg07
          ..  search  http.request     0.01 s  2/3, 1 failed   item 2: TIMEOUT too late"#]],
    );
    tree.apply(
        &json!({"task": "search", "status": "succeeded", "duration": 20, "note": ""}),
        20,
    );
    check(
        &tree,
        20,
        &expect![[r#"
        hello  run_36zn0sv00pg07
          ok  search  http.request     0.02 s  2/3, 1 failed"#]],
    );
}

#[test]
fn of_many_tasks_those_that_matter_are_shown() {
    let ids: Vec<String> = (0..30).map(|n| format!("t{n:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut tree = tree(&ids);
    for id in &ids[..15] {
        tree.apply(
            &json!({"task": id, "status": "succeeded", "duration": 1}),
            1,
        );
    }
    tree.apply(
        &json!({"task": "t20", "status": "running", "attempt": 1}),
        1,
    );
    tree.apply(&json!({"task": "t16", "status": "failed", "duration": 1, "error": {"code": "X", "message": "y"}}), 1);
    let lines = tree.lines(1, (100, 24), Style::default());
    assert_eq!(lines.len(), ROWS_MAX + 2);
    let shown: Vec<&str> = lines[1..=ROWS_MAX].iter().map(|l| &l[6..9]).collect();
    assert_eq!(
        shown,
        [
            "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12", "t13", "t14", "t16", "t20"
        ]
    );
    assert_eq!(lines[ROWS_MAX + 1], "  16 of 30 done, 1 running, 1 failed");
}

#[test]
fn watcher_that_comes_late_sees_what_was() {
    let mut tree = Tree::default();
    let mut event = first(&["a", "b"]);
    event["run"]["tasks"] = json!({
        "b": {"status": "failed", "duration": 7, "attempts": 2, "error": {"code": "X", "message": "y"}},
        "a": {"status": "succeeded", "duration": 3, "attempts": 1},
    });
    tree.apply(&event, 10);
    check(
        &tree,
        10,
        &expect![[r#"
        hello  run_36zn0sv00pg07
          ok  a       0.00 s
          !!  b       0.00 s  X y   attempt 2"#]],
    );
}

#[test]
fn names_cannot_drive_the_terminal() {
    let mut tree = tree(&["a\u{1b}[2J"]);
    tree.apply(
        &json!({"task": "a\u{1b}[2J", "status": "succeeded", "note": "\u{7}"}),
        0,
    );
    let text = tree.lines(0, (100, 24), Style::default()).join("\n");
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
}

#[test]
fn long_remark_is_cut_to_the_line() {
    let mut tree = tree(&["a"]);
    tree.apply(&json!({"task": "a", "status": "failed", "error": {"code": "X", "message": "y".repeat(500)}}), 0);
    for line in tree.lines(0, (80, 24), Style::default()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// A group of two tasks over three tables, then a task with an approval.
fn grouped() -> Tree {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let tools = [
        ("rows", "db.query"),
        ("keep", "file.write"),
        ("ask", "approve"),
    ];
    let mut tree = Tree::new(Outline {
        tools: tools
            .iter()
            .map(|(id, tool)| ((*id).to_owned(), (*tool).to_owned()))
            .collect(),
        inner: [("dump".to_owned(), owned(&["rows", "keep"]))].into(),
    });
    tree.apply(&first(&["dump", "ask"]), 0);
    tree
}

#[test]
fn groups_show_their_tasks_below_them() {
    let mut tree = grouped();
    for event in [
        json!({"task": "dump", "status": "running", "note": "3 items"}),
        json!({"task": "rows", "path": [0], "status": "running", "attempt": 1}),
        json!({"task": "rows", "path": [0], "status": "succeeded", "duration": 4}),
        json!({"task": "rows", "path": [1], "status": "retrying", "attempt": 1, "error": {"code": "LOCKED", "message": "busy"}}),
        json!({"task": "keep", "path": [0], "status": "running", "attempt": 1}),
        json!({"task": "ask", "status": "waiting", "note": "approval", "duration": 7_200_000}),
    ] {
        tree.apply(&event, 0);
    }
    check(
        &tree,
        100,
        &expect![[r#"
            hello  run_36zn0sv00pg07
              ..  dump                   0.10 s  0/3
              ..    rows  db.query       0.10 s  1 done   item 1: LOCKED busy
              ..    keep  file.write     0.10 s  0 done
              ::  ask     approve        0.10 s  waits for approval, 1 h 59 min left"#]],
    );
    for (task, item) in [("rows", 1), ("keep", 0), ("rows", 2), ("keep", 1)] {
        tree.apply(
            &json!({"task": task, "path": [item], "status": "succeeded"}),
            200,
        );
    }
    tree.apply(
        &json!({"task": "keep", "path": [2], "status": "failed", "error": {"code": "FULL", "message": "no room"}}),
        200,
    );
    tree.apply(
        &json!({"task": "dump", "status": "failed", "duration": 200, "error": {"code": "ITEM_FAILED", "message": "1 of 3"}}),
        200,
    );
    tree.apply(
        &json!({"task": "ask", "status": "succeeded", "duration": 150}),
        200,
    );
    check(
        &tree,
        200,
        &expect![[r#"
            hello  run_36zn0sv00pg07
              !!  dump                   0.20 s  0/3   ITEM_FAILED 1 of 3
              ok    rows  db.query       0.20 s  3 done
              !!    keep  file.write     0.20 s  3 done, 1 failed   item 2: FULL no room
              ok  ask     approve        0.15 s"#]],
    );
}

#[test]
fn task_of_a_plain_group_is_a_task_like_others() {
    let mut tree = grouped();
    tree.apply(&json!({"task": "dump", "status": "running"}), 0);
    tree.apply(
        &json!({"task": "rows", "path": [0], "status": "running", "attempt": 1}),
        0,
    );
    tree.apply(
        &json!({"task": "rows", "path": [0], "status": "repeating", "attempt": 1, "duration": 500}),
        10,
    );
    tree.apply(&json!({"task": "dump", "status": "undone"}), 20);
    check(
        &tree,
        110,
        &expect![[r#"
            hello  run_36zn0sv00pg07
              <<  dump                   0.00 s  undone
              --    rows  db.query       0.00 s
              --    keep  file.write     0.00 s
                  ask     approve"#]],
    );
}

#[test]
fn group_of_a_late_watcher_is_read_from_the_document() {
    let mut tree = Tree::default();
    let mut event = first(&["g"]);
    event["run"]["tasks"] = json!({"g": {"status": "running", "tasks": {
        "a": {"status": "succeeded", "duration": 3, "reused": true},
        "b": {"status": "waiting", "waitsFor": "decision"},
    }}});
    tree.apply(&event, 0);
    check(
        &tree,
        0,
        &expect![[r#"
            hello  run_36zn0sv00pg07
              ..  g         0.00 s
              ok    a       0.00 s  reused
              ::    b       0.00 s  waits for a decision"#]],
    );
}
