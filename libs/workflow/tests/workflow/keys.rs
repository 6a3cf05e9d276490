//! Keys and ids.

use expect_test::expect;

use crate::support::{expect_said, mended, said, with_task};

#[test]
fn unknown_keys_are_named_with_what_was_meant() {
    // WF-1.9, WF-9.1, WF-9.2
    let text = "name: x\nsteps:\n  - id: a\n    uses: shop.find\n    with: {site: north}\n  - id: b\n    dependson: [a]\n    if: a.status == 'succeeded'\n    set: {v: 1}\n    bogus: 1\n";
    expect_said(
        text,
        &expect![[r#"
            error[UNKNOWN_KEY]: unknown key `steps` in the workflow
             --> f.yaml:2:1
              |
            2 | steps:
              | ^^^^^
              = help: did you mean `tasks`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[UNKNOWN_KEY]: unknown key `uses` in task `a`
             --> f.yaml:4:5
              |
            4 |     uses: shop.find
              |     ^^^^
              = help: did you mean `tool`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[UNKNOWN_KEY]: unknown key `with` in task `a`
             --> f.yaml:5:5
              |
            5 |     with: {site: north}
              |     ^^^^
              = help: did you mean `params`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[UNKNOWN_KEY]: unknown key `dependson` in task `b`
             --> f.yaml:7:5
              |
            7 |     dependson: [a]
              |     ^^^^^^^^^
              = help: did you mean `needs`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[UNKNOWN_KEY]: unknown key `if` in task `b`
             --> f.yaml:8:5
              |
            8 |     if: a.status == 'succeeded'
              |     ^^
              = help: did you mean `when`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[UNKNOWN_KEY]: unknown key `bogus` in task `b`
              --> f.yaml:10:5
               |
            10 |     bogus: 1
               |     ^^^^^
               = help: the keys are `id`, `tool`, `workflow`, `set`, `approve`, `wait`, `tasks`, `params`, `connection`, `needs`, `when`, `runIf`, `each`, `as`, `maxConcurrent`, `onItemError`, `repeat`, `retry`, `timeout`, `expect`, `onError`, `onUnknown`, `undo`, `priority`, `save`, `sensitive`, `idempotencyKey`, `cache`
               = note: nothing was run
        "#]],
    );
    expect![[r#"
        name: x
        tasks:
          - id: a
            tool: shop.find
            params: {site: north}
          - id: b
            needs: [a]
            when: a.status == 'succeeded'
            set: {v: 1}
            bogus: 1
    "#]]
    .assert_eq(&mended(text));
}

#[test]
fn free_keys_are_free() {
    // WF-1.10
    let text = "$schema: https://example.test/s\nx-note: {any: thing}\nname: x\ntasks:\n  - id: a\n    x-owner: me\n    set: {v: 1}\n";
    assert_eq!(said(text), "");
}

#[test]
fn missing_keys_are_named() {
    // WF-2.1, WF-2.20
    expect_said(
        "title: t\n",
        &expect![[r#"
        error[MISSING_KEY]: the workflow has no `name`
         --> f.yaml:1:1
          |
        1 | title: t
          | ^
          = help: as in `name: nightly-export`
          = note: nothing was run
        error[MISSING_KEY]: the workflow has no `tasks`
         --> f.yaml:1:1
          |
        1 | title: t
          | ^
          = note: nothing was run
    "#]],
    );
    expect_said(
        "name: x\ntasks: []\n",
        &expect![[r#"
        error[INVALID_VALUE]: `tasks` of the workflow: expected at least one task
         --> f.yaml:2:8
          |
        2 | tasks: []
          |        ^^
          = note: nothing was run
    "#]],
    );
    expect_said(
        "name: x\ntasks:\n  - set: {v: 1}\n  - 5\n",
        &expect![[r#"
        error[MISSING_KEY]: task 1 has no `id`
         --> f.yaml:3:5
          |
        3 |   - set: {v: 1}
          |     ^
          = note: nothing was run
        error[INVALID_VALUE]: task 2: expected a map, found number 5
         --> f.yaml:4:5
          |
        4 |   - 5
          |     ^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn task_has_exactly_one_kind() {
    // WF-3.2, WF-9.5
    expect_said(
        &with_task("tool: shop.find\nset: {v: 1}"),
        &expect![[r#"
        error[TASK_KIND]: task `a` has `tool` and `set`; give exactly one kind
         --> f.yaml:9:5
          |
        9 |     set: {v: 1}
          |     ^^^
          = note: nothing was run
    "#]],
    );
    expect_said(
        &with_task("when: 'true'"),
        &expect![[r#"
            error[TASK_KIND]: task `a` has no kind; give `tool`, `workflow`, `set`, `approve`, `wait` or `tasks`
             --> f.yaml:7:9
              |
            7 |   - id: a
              |         ^
              = note: nothing was run
            error[EXPRESSION_SYNTAX]: true stands in backticks here: `true`
             --> f.yaml:8:12
              |
            8 |     when: 'true'
              |            ^^^^
              = help: only to the right of a comparison may it stand alone   gearmesh validate --fix f.yaml
              = note: nothing was run
        "#]],
    );
    expect_said(
        &with_task("set: {v: 1}\nparams: {a: 1}\nconnection: c"),
        &expect![[r#"
            error[TASK_KIND]: `params` of task `a` goes with `tool` and `workflow` only
             --> f.yaml:9:5
              |
            9 |     params: {a: 1}
              |     ^^^^^^
              = note: nothing was run
            error[TASK_KIND]: `connection` of task `a` goes with `tool` only
              --> f.yaml:10:5
               |
            10 |     connection: c
               |     ^^^^^^^^^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn ids_are_checked_and_renamed_everywhere() {
    // WF-3.1, WF-9.4
    let text = "name: x\ntasks:\n  - id: a-b\n    set: {v: 1}\n  - id: 2nd\n    set: {v: 1}\n  - id: run\n    set: {v: 1}\n  - id: c\n    needs: [a-b]\n    when: a-b.result.v\n    set: {v: \"${a-b.result.v} ${aa-b}\", w: a-b}\n";
    expect_said(
        text,
        &expect![[r#"
        error[INVALID_ID]: `a-b`: hyphens are not allowed in ids; try `a_b`
         --> f.yaml:3:9
          |
        3 |   - id: a-b
          |         ^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
        error[INVALID_ID]: `2nd`: an id does not begin with a digit; try `_2nd`
         --> f.yaml:5:9
          |
        5 |   - id: 2nd
          |         ^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
        error[INVALID_ID]: `run`: expressions use this name for something else; try `run_task`
         --> f.yaml:7:9
          |
        7 |   - id: run
          |         ^^^
          = note: nothing was run
    "#]],
    );
    expect![[r#"
        name: x
        tasks:
          - id: a_b
            set: {v: 1}
          - id: _2nd
            set: {v: 1}
          - id: run
            set: {v: 1}
          - id: c
            needs: [a_b]
            when: a_b.result.v
            set: {v: "${a_b.result.v} ${aa-b}", w: a-b}
    "#]]
    .assert_eq(&mended(text));
}

#[test]
fn id_is_used_once() {
    // WF-3.1, WF-9.3
    expect_said(
        "name: x\ntasks:\n  - id: a\n    set: {v: 1}\n  - id: a\n    set: {v: 2}\n",
        &expect![[r#"
            error[DUPLICATE_ID]: `id: a` is used twice (first at line 3)
             --> f.yaml:5:9
              |
            5 |   - id: a
              |         ^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn id_ends_at_its_limit() {
    // WF-3.1
    let file = |length: usize| {
        format!(
            "name: x\ntasks:\n  - id: {}\n    set: {{v: 1}}\n",
            "a".repeat(length)
        )
    };
    assert_eq!(said(&file(63)), "");
    assert!(said(&file(64)).contains("an id has at most 63 characters"));
}

#[test]
fn name_has_its_form() {
    // WF-2.1
    expect_said(
        "name: My Flow\ntasks:\n  - id: a\n    set: {v: 1}\n",
        &expect![[r#"
            error[INVALID_ID]: `My Flow`: a name has small letters, digits and hyphens and begins with a letter
             --> f.yaml:1:7
              |
            1 | name: My Flow
              |       ^^^^^^^
              = help: as in `my-flow`
              = note: nothing was run
        "#]],
    );
    let file = |length: usize| {
        format!(
            "name: {}\ntasks:\n  - id: a\n    set: {{v: 1}}\n",
            "a".repeat(length)
        )
    };
    assert_eq!(said(&file(63)), "");
    assert!(said(&file(64)).contains("INVALID_ID"));
}

#[test]
fn edits_of_json_leave_json() {
    // WF-9.1
    let text = r#"{"name": "x", "inputs": {"query": {"type": "text"}}, "tasks": [
        {"id": "a-b", "tool": "shop.find", "params": {"site": "${inputs.querry}", "pagesize": 5}, "timeout": 30000},
        {"id": "fetch", "dependson": ["a-b"], "set": {"v": "it's \"${a-b.result.cuont}\""}, "when": "a-b.status == \"succeeded\""},
        {"id": "last", "needs": ["fetsh"], "set": {"v": 1}, "when": "${fetch.status == 'succeeded'}"}
    ]}"#;
    let mut mended = mended(text);
    // A condition with an id that cannot be one is looked at when the id is mended.
    for _ in 0..2 {
        let json: serde_json::Value = serde_json::from_str(&mended).expect("it is still JSON");
        assert_eq!(json["tasks"][0]["timeout"], "30s");
        mended = crate::support::mended(&mended);
    }
    assert_eq!(said(&mended), "", "{mended}");
}
