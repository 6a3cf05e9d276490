//! Values of keys: types, durations and limits.

use expect_test::expect;

use crate::support::{expect_said, listed, mended, said, with_task};

#[test]
fn durations_need_units() {
    // WF-1.13, WF-9.6
    let text = with_task(
        "tool: shop.find\nparams: {site: north}\ntimeout: 30000\nretry: {delay: 5, maxDelay: \"7\"}",
    );
    expect_said(
        &text,
        &expect![[r#"
        error[UNITLESS_DURATION]: `timeout: 30000` has no unit; `30s`?
          --> f.yaml:10:14
           |
        10 |     timeout: 30000
           |              ^^^^^
           = help: gearmesh validate --fix f.yaml
           = note: nothing was run
        error[UNITLESS_DURATION]: `delay: 5` has no unit; `5s`?
          --> f.yaml:11:20
           |
        11 |     retry: {delay: 5, maxDelay: "7"}
           |                    ^
           = help: the units are ms, s, m, h, d and w
           = note: nothing was run
        error[UNITLESS_DURATION]: `maxDelay: 7` has no unit; `7s`?
          --> f.yaml:11:33
           |
        11 |     retry: {delay: 5, maxDelay: "7"}
           |                                 ^^^
           = help: the units are ms, s, m, h, d and w
           = note: nothing was run
    "#]],
    );
    assert!(mended(&text).contains("timeout: 30s\n"));
    expect_said(
        &with_task("set: {v: 1}\ntimeout: 5 minutes"),
        &expect![[r#"
        error[INVALID_VALUE]: `timeout` of task `a`: expected a duration as `250ms`, `30s` or `1h30m`, found text "5 minutes"
         --> f.yaml:9:14
          |
        9 |     timeout: 5 minutes
          |              ^^^^^^^^^
          = note: nothing was run
    "#]],
    );
    expect_said(
        &with_task("set: {v: 1}\ntimeout: 0s"),
        &expect![[r#"
        error[INVALID_VALUE]: `timeout` of task `a`: expected more than 0s, found text "0s"
         --> f.yaml:9:14
          |
        9 |     timeout: 0s
          |              ^^
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&with_task("set: {v: 1}\ntimeout: 366d")), "");
    assert!(said(&with_task("set: {v: 1}\ntimeout: 366d1ms")).contains("at most 366d"));
}

#[test]
fn values_have_their_types() {
    let text = "name: x\ntitle: [t]\nlabels: {a: 1}\nmaxConcurrent: ten\nvars: [1]\noutputs: 5\ntasks:\n  - id: a\n    set: 5\n    needs: b\n    runIf: sometimes\n    onItemError: undo\n    maxConcurrent: 101\n    retry: 3\n  - id: b\n    tool: shop.find\n    params: [1]\n    connection: 5\n    each: 7\n    expect: 3\n    onError: {}\n    retry: {attempts: 0, jitter: maybe, errors: [1], backoff: odd}\n";
    expect![[r#"
        2:8 INVALID_VALUE `title` of the workflow: expected text, found a list
        3:13 INVALID_VALUE `a` of `labels`: expected text, found number 1
        4:16 INVALID_VALUE `maxConcurrent` of the workflow: expected a whole number from 1 to 100, found text "ten"
        5:7 INVALID_VALUE `vars` of the workflow: expected a map, found a list
        6:10 INVALID_VALUE `outputs` of the workflow: expected a map, found number 5
        9:10 INVALID_VALUE `set` of task `a`: expected a map, found number 5
        10:12 INVALID_VALUE `needs` of task `a`: expected a list, found text "b"
        11:12 INVALID_VALUE `runIf` of task `a`: expected one of ready, noneFailed, allSucceeded, allDone, anySucceeded, anyFailed, found text "sometimes"
        12:18 INVALID_VALUE `onItemError` of task `a`: expected one of stop, continue, found text "undo"
        13:20 INVALID_VALUE `maxConcurrent` of task `a`: expected a whole number from 1 to 100, found number 101
        14:12 INVALID_VALUE `retry` of task `a`: expected a map as `{attempts: 3, delay: 1s}`, found number 3
        17:13 INVALID_VALUE `params` of task `b`: expected a map, found a list
        18:17 INVALID_VALUE `connection` of task `b`: expected text, found number 5
        19:11 INVALID_VALUE `each` of task `b`: expected a list or one `${...}`, found number 7
        20:13 INVALID_VALUE `expect` of task `b`: expected a condition as `count > 5`, found number 3
        21:14 INVALID_VALUE `onError` of task `b`: expected stop, continue or `{use: value}`, found a map
        22:23 INVALID_VALUE `attempts` of `retry` of task `b`: expected a whole number from 1 to 100, found number 0
        22:34 INVALID_VALUE `jitter` of `retry` of task `b`: expected true or false, found text "maybe"
        22:50 INVALID_VALUE `errors` of `retry` of task `b`: expected text, found number 1
        22:63 INVALID_VALUE `backoff` of `retry` of task `b`: expected one of constant, linear, exponential, found text "odd"
    "#]].assert_eq(&listed(text));
}

#[test]
fn limits_of_numbers_hold_at_their_edges() {
    // WF-2.16, WF-3.17
    for (line, fits) in [
        ("maxConcurrent: 1", true),
        ("maxConcurrent: 100", true),
        ("maxConcurrent: 0", false),
        ("maxConcurrent: 101", false),
        ("retry: {attempts: 1}", true),
        ("retry: {attempts: 100}", true),
        ("retry: {attempts: 0}", false),
        ("retry: {attempts: 101}", false),
        ("retry: {delay: 0s}", true),
    ] {
        let said = said(&with_task(&format!("set: {{v: 1}}\n{line}")));
        assert_eq!(said.is_empty(), fits, "{line}: {said}");
    }
}

#[test]
fn each_ends_at_its_limit() {
    // WF-1.6
    let file = |items: usize| {
        with_task(&format!(
            "set: {{v: 1}}\neach: [{}]",
            vec!["1"; items].join(",")
        ))
    };
    assert_eq!(said(&file(10_000)), "");
    assert!(said(&file(10_001)).contains("the limit is 10000"));
}
