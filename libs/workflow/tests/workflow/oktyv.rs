//! Requests of `parallel_execute`.

use std::time::Duration;

use expect_test::expect;
use gearmesh_workflow::{Backoff, Dialect, Kind, OnError, RunIf, Source, check};
use serde_json::json;

use crate::support::{catalog, checked, expect_said, listed, workflow};

#[test]
fn request_is_read_with_its_defaults() {
    // WF-10.3, WF-10.4, WF-10.6
    let workflow = workflow(
        r#"{"tasks": [
            {"id": "look-up", "tool": "north_find"},
            {"id": "then", "tool": "shop_order", "dependsOn": ["look-up", "look-up"], "timeout": 5000, "priority": 7, "vault": "main",
             "retryPolicy": {"maxAttempts": 4, "backoff": "linear", "initialDelay": 500},
             "params": {"lines": [{"name": "${look-up.result.goods[0].name}", "count": "${look-up.result.count}"}]}}
        ]}"#,
    );
    assert_eq!(workflow.dialect, Dialect::Oktyv);
    assert_eq!(
        (workflow.max_concurrent, workflow.timeout, workflow.on_error),
        (10, None, OnError::Continue)
    );
    let [first, then] = workflow.tasks.as_slice() else {
        panic!("two tasks")
    };
    assert_eq!(first.timeout, Some(Duration::from_secs(300)));
    assert_eq!(
        (first.run_if, first.retry.is_none()),
        (RunIf::AllSucceeded, true)
    );
    assert_eq!(first.tool(), Some("north_find"));
    assert_eq!(
        (then.timeout, then.priority, then.vault.as_deref()),
        (Some(Duration::from_secs(5)), 7, Some("main"))
    );
    let retry = then.retry.as_ref().expect("it has a policy");
    assert_eq!(
        (retry.attempts, retry.backoff, retry.jitter, retry.max_delay),
        (4, Backoff::Linear, false, None)
    );
    let waits: Vec<u128> = (1..=3)
        .map(|failed| retry.wait(failed, 0.3).as_millis())
        .collect();
    assert_eq!(waits, [500, 1000, 1500]);
    assert!(
        retry.applies("FILE_NOT_FOUND", false)
            && !retry.applies("VARIABLE_RESOLUTION_ERROR", false)
    );
    assert_eq!(workflow.graph().levels, [vec![0], vec![1]]);
    assert_eq!(workflow.graph().edges.len(), 1);
    let Kind::Tool { params, .. } = &then.kind else {
        panic!("a tool")
    };
    let scope = json!({"look-up": {"result": {"goods": [{"name": "pen"}], "count": 2}}});
    let value = params
        .evaluate(scope.as_object().expect("a map"))
        .expect("it resolves");
    assert_eq!(value, json!({"lines": [{"name": "pen", "count": 2}]}));
}

#[test]
fn references_add_needs() {
    // WF-10.2
    let text = r#"{"tasks": [{"id": "b", "tool": "north_find", "params": {"pageSize": "${a.result.count}"}}, {"id": "a", "tool": "north_find"}]}"#;
    let graph = workflow(text).graph().clone();
    assert_eq!(graph.levels, [vec![1], vec![0]]);
    assert_eq!(graph.edges[0].reason, "params");
}

#[test]
fn config_is_mapped() {
    // WF-10.5
    let config = |config: &str| {
        workflow(&format!(
            r#"{{"tasks": [{{"id": "a", "tool": "north_find"}}], "config": {config}}}"#
        ))
    };
    let all = config(r#"{"maxConcurrent": 3, "continueOnError": false, "timeout": 60000}"#);
    assert_eq!(
        (all.max_concurrent, all.on_error, all.timeout),
        (3, OnError::Stop, Some(Duration::from_secs(60)))
    );
    assert_eq!(config(r#"{"failureMode": "stop"}"#).on_error, OnError::Stop);
    assert_eq!(
        config(r#"{"continueOnError": true}"#).on_error,
        OnError::Continue
    );
}

#[test]
fn dialect_is_told_from_the_keys() {
    // WF-10.1
    let dialect = |text: &str| checked(text).dialect;
    assert_eq!(dialect(r#"{"tasks": []}"#), Dialect::Oktyv);
    assert_eq!(
        dialect(r#"{"tasks": [{"id": "a", "tool": "t", "dependsOn": []}]}"#),
        Dialect::Oktyv
    );
    assert_eq!(
        dialect(r#"{"name": "x", "tasks": [{"id": "a", "tool": "t"}]}"#),
        Dialect::Native
    );
    assert_eq!(
        dialect(r#"{"tasks": [{"id": "a", "tool": "t", "needs": []}]}"#),
        Dialect::Native
    );
    assert_eq!(
        dialect(r#"{"tasks": [{"id": "a", "approve": {}}]}"#),
        Dialect::Native
    );
    assert_eq!(dialect("tasks:\n  - id: a\n    tool: t\n"), Dialect::Native);
    let source = Source {
        text: "tasks:\n  - id: a\n    tool: north_find\n",
        file_name: "f.yaml",
        dialect: Some(Dialect::Oktyv),
    };
    let told = check(&source, Some(catalog()));
    assert_eq!(
        (told.dialect, told.workflow.is_some()),
        (Dialect::Oktyv, true)
    );
}

#[test]
fn faults_of_a_request_come_in_their_order() {
    // WF-10.8
    // One document with all four kinds; each step mends the kind that was said.
    let task = |id: &str, tool: &str, needs: &str| {
        format!(r#"{{"id": "{id}", {tool} "dependsOn": ["{needs}"]}}"#)
    };
    let file = |tasks: &[String]| format!(r#"{{"tasks": [{}]}}"#, tasks.join(", "));
    let tool = r#""tool": "north_find","#;
    let first = |text: &str| {
        let checked = checked(text);
        let mut codes: Vec<&str> = checked.errors.iter().map(|error| error.code).collect();
        codes.dedup();
        (codes.join(" "), checked.errors[0].message.clone())
    };
    let all = [
        task("A", tool, "B"),
        task("B", tool, "A"),
        task("A", tool, "X"),
        task("C", "", "A"),
    ];
    assert_eq!(first(&file(&all)).0, "INVALID_PARAMETERS");
    assert_eq!(first(&file(&all[..3])).0, "DUPLICATE_ID");
    let missing = [all[0].clone(), all[1].clone(), task("b", tool, "x")];
    assert_eq!(
        first(&file(&missing)),
        (
            "MISSING_DEPENDENCY".into(),
            "Task 'b' depends on non-existent task 'x'".into()
        )
    );
    let cycle = first(&file(&all[..2]));
    assert_eq!(
        cycle,
        (
            "CIRCULAR_DEPENDENCY".into(),
            "Circular dependency detected: A -> B -> A".into()
        )
    );
}

#[test]
fn invalid_parameters_are_named() {
    let text = r#"{"tasks": [
  {"id": 5, "tool": "t"},
  {"tool": "t"},
  {"id": "c"},
  {"id": "d", "tool": "t", "params": [], "timeout": "5s", "priority": "high", "vault": 1, "dependsOn": "a"},
  {"id": "e", "tool": "t", "retryPolicy": {"maxAttempts": 0, "backoff": "odd", "initialDelay": -1}},
  7
], "config": {"maxConcurrent": 101, "continueOnError": "no", "failureMode": "x", "timeout": 0}}"#;
    expect![[r#"
        2:10 INVALID_PARAMETERS `id` of task 1: expected text, found number 5
        3:3 INVALID_PARAMETERS `id` of task 2 is missing
        4:3 INVALID_PARAMETERS `tool` of task `c` is missing
        5:38 INVALID_PARAMETERS `params` of task `d`: expected a map, found a list
        5:53 INVALID_PARAMETERS `timeout` of task `d`: expected a whole number from 1 to 31622400000, found text "5s"
        5:71 INVALID_PARAMETERS `priority` of task `d`: expected a whole number, found text "high"
        5:88 INVALID_PARAMETERS `vault` of task `d`: expected text, found number 1
        5:104 INVALID_PARAMETERS `dependsOn` of task `d`: expected a list of ids, found text "a"
        6:59 INVALID_PARAMETERS `retryPolicy.maxAttempts` of task `e`: expected a whole number from 1 to 100, found number 0
        6:73 INVALID_PARAMETERS `retryPolicy.backoff` of task `e`: expected exponential or linear, found text "odd"
        6:96 INVALID_PARAMETERS `retryPolicy.initialDelay` of task `e`: expected a whole number from 0 to 31622400000, found number -1
        7:3 INVALID_PARAMETERS task 6: expected a map, found number 7
        8:32 INVALID_PARAMETERS `config.maxConcurrent`: expected a whole number from 1 to 100, found number 101
        8:56 INVALID_PARAMETERS `config.continueOnError`: expected true or false, found text "no"
        8:77 INVALID_PARAMETERS `config.failureMode`: expected stop or continue, found text "x"
        8:93 INVALID_PARAMETERS `config.timeout`: expected a whole number from 1 to 31622400000, found number 0
    "#]].assert_eq(&listed(text));
    expect_said(
        r#"{"tasks": []}"#,
        &expect![[r#"
        error[INVALID_PARAMETERS]: `tasks` must be a list with at least one task
         --> f.json:1:11
          |
        1 | {"tasks": []}
          |           ^^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn faults_of_one_task_are_warnings() {
    let text = r#"{"tasks": [
  {"id": "a", "tool": "no_such_tool", "note": 1},
  {"id": "b", "tool": "shop_find", "params": {"pageSize": "${gone.result.count}", "size": 1}},
  {"id": "c", "tool": "north_find", "params": {"pageSize": "${a.}"}}
]}"#;
    expect_said(
        text,
        &expect![[r#"
            warning[TOOL_NOT_FOUND]: no tool `no_such_tool`
             --> f.json:2:23
              |
            2 |   {"id": "a", "tool": "no_such_tool", "note": 1},
              |                       ^^^^^^^^^^^^^^
            warning[UNKNOWN_KEY]: unknown key `note` in a task
             --> f.json:2:39
              |
            2 |   {"id": "a", "tool": "no_such_tool", "note": 1},
              |                                       ^^^^^^
              = help: it is ignored
            warning[MISSING_PARAM]: `shop.find` needs `site` (where to look), e.g. `"north"`
             --> f.json:3:36
              |
            3 |   {"id": "b", "tool": "shop_find", "params": {"pageSize": "${gone.result.count}", "size": 1}},
              |                                    ^^^^^^^^
            warning[VARIABLE_RESOLUTION_ERROR]: Cannot resolve variable ${gone.result.count}: Task 'gone' not found
             --> f.json:3:62
              |
            3 |   {"id": "b", "tool": "shop_find", "params": {"pageSize": "${gone.result.count}", "size": 1}},
              |                                                              ^^^^^^^^^^^^^^^^^
            warning[UNKNOWN_PARAM]: `shop.find` takes no `size`
             --> f.json:3:83
              |
            3 |   {"id": "b", "tool": "shop_find", "params": {"pageSize": "${gone.result.count}", "size": 1}},
              |                                                                                   ^^^^^^
              = help: did you mean `site`?   gearmesh validate --fix f.json
            warning[VARIABLE_RESOLUTION_ERROR]: Cannot resolve variable ${a.}: expected task.result.path
             --> f.json:4:63
              |
            4 |   {"id": "c", "tool": "north_find", "params": {"pageSize": "${a.}"}}
              |                                                               ^^
              = help: a literal `${` is written `$${`
        "#]],
    );
    let workflow = workflow(text);
    let Kind::Tool { params, .. } = &workflow.tasks[2].kind else {
        panic!("a tool")
    };
    let error = params
        .evaluate(&serde_json::Map::new())
        .expect_err("the reference cannot be read");
    assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
}

#[test]
fn names_of_selected_values_are_data() {
    let text = r#"{"tasks": [
        {"id": "page", "tool": "north_find", "params": {"selectors": {"title": "h1", "url": "a"}}},
        {"id": "use", "tool": "north_find", "params": {"a": "${page.result.url}", "b": "${page.result.url.length}", "c": "${page.result.status}"}}
    ]}"#;
    let workflow = workflow(text);
    let Kind::Tool { params, .. } = &workflow.tasks[1].kind else {
        panic!("a tool")
    };
    let scope = json!({"page": {"result": {"url": "/here", "status": 200, "data": {"url": "/it", "title": "T"}}}});
    let value = params.evaluate(scope.as_object().expect("a map"));
    assert_eq!(
        value.expect("it resolves"),
        json!({"a": "/it", "b": 3, "c": 200})
    );
}
