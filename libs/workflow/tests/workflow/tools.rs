//! Tasks against the tools that they call.

use expect_test::expect;
use gearmesh_workflow::{Source, check};

use crate::support::{expect_said, mended, said, with_task};

#[test]
fn unknown_tool_is_named_with_the_nearest() {
    // WF-9.16
    expect_said(
        &with_task("tool: shop.fnid\nparams: {site: a}"),
        &expect![[r#"
            error[TOOL_NOT_FOUND]: no tool `shop.fnid`; nearest: shop.find
             --> f.yaml:8:11
              |
            8 |     tool: shop.fnid
              |           ^^^^^^^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn missing_parameter_is_named_with_an_example() {
    // WF-9.17
    expect_said(
        &with_task("tool: shop.find"),
        &expect![[r#"
        error[MISSING_PARAM]: `shop.find` needs `site` (where to look), e.g. `"north"`
         --> f.yaml:8:11
          |
        8 |     tool: shop.find
          |           ^^^^^^^^^
          = note: nothing was run
    "#]],
    );
    expect_said(
        &with_task("tool: shop.order\nparams: {lines: [{count: 1}]}"),
        &expect![[r#"
            error[MISSING_PARAM]: `shop.order` needs `lines[0].name` (the name of the good)
             --> f.yaml:9:14
              |
            9 |     params: {lines: [{count: 1}]}
              |              ^^^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn unknown_parameter_is_named_with_what_was_meant() {
    // WF-9.17
    let text = with_task("tool: shop.find\nparams: {site: a, pagesize: 5, colour: red}");
    expect_said(
        &text,
        &expect![[r#"
        error[UNKNOWN_PARAM]: `shop.find` takes no `pagesize`
         --> f.yaml:9:23
          |
        9 |     params: {site: a, pagesize: 5, colour: red}
          |                       ^^^^^^^^
          = help: did you mean `pageSize`?   gearmesh validate --fix f.yaml
          = note: nothing was run
        error[UNKNOWN_PARAM]: `shop.find` takes no `colour`
         --> f.yaml:9:36
          |
        9 |     params: {site: a, pagesize: 5, colour: red}
          |                                    ^^^^^^
          = note: nothing was run
    "#]],
    );
    assert!(mended(&text).contains("pageSize: 5"));
}

#[test]
fn constants_have_the_types_of_the_fields() {
    // WF-3.9, WF-9.17
    let text = "tool: shop.order\nparams:\n  lines:\n    - {name: a, count: many}\n    - {name: \"${inputs.q}\", count: \"${first.result.count}\"}\n  mode: fast\n  hold: soon\n";
    expect_said(
        &with_task(text),
        &expect![[r#"
        error[PARAM_TYPE]: `lines[0].count` of `shop.order`: must be a whole number
          --> f.yaml:11:28
           |
        11 |         - {name: a, count: many}
           |                            ^^^^
           = note: nothing was run
        error[PARAM_TYPE]: `mode` of `shop.order`: does not match `|draft|final`
          --> f.yaml:13:13
           |
        13 |       mode: fast
           |             ^^^^
           = note: nothing was run
        error[PARAM_TYPE]: `hold` of `shop.order`: must be a duration such as `30s`
          --> f.yaml:14:13
           |
        14 |       hold: soon
           |             ^^^^
           = note: nothing was run
    "#]],
    );
    expect_said(
        &with_task("tool: shop.find\nparams: {site: a, page_size: 101}"),
        &expect![[r#"
            error[PARAM_TYPE]: `page_size` of `shop.find`: must be at most 100, not 101
             --> f.yaml:9:34
              |
            9 |     params: {site: a, page_size: 101}
              |                                  ^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn both_spellings_and_presets_are_taken() {
    // WF-3.3
    assert_eq!(
        said(&with_task(
            "tool: shop_find\nparams: {site: a, page_size: 5}"
        )),
        ""
    );
    assert_eq!(
        said(&with_task("tool: north_find\nparams: {pageSize: 100}")),
        ""
    );
    assert_eq!(said(&with_task("tool: north_find")), "");
}

#[test]
fn connection_goes_where_the_tool_takes_one() {
    // WF-3.10
    assert_eq!(
        said(&with_task(
            "tool: shop.order\nconnection: mine\nparams: {lines: [{name: a}]}"
        )),
        ""
    );
    expect_said(
        &with_task("tool: shop.find\nconnection: mine\nparams: {site: a}"),
        &expect![[r#"
            error[UNKNOWN_PARAM]: `shop.find` takes no connection
             --> f.yaml:9:5
              |
            9 |     connection: mine
              |     ^^^^^^^^^^
              = note: nothing was run
        "#]],
    );
    expect_said(
        &with_task(
            "tool: shop.order\nconnection: mine\nparams: {account: other, lines: [{name: a}]}",
        ),
        &expect![[r#"
            error[UNKNOWN_PARAM]: `connection` and `params.account` of task `a` name a connection both; give one
              --> f.yaml:10:14
               |
            10 |     params: {account: other, lines: [{name: a}]}
               |              ^^^^^^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn tool_that_takes_a_stream_is_no_task() {
    expect_said(
        &with_task("tool: shop.return\nparams: {site: a}"),
        &expect![[r#"
            error[TOOL_NOT_FOUND]: `shop.return` takes a stream and cannot be a task
             --> f.yaml:8:11
              |
            8 |     tool: shop.return
              |           ^^^^^^^^^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn literal_secret_is_a_warning() {
    // WF-4.6, WF-9.22
    expect_said(
        &with_task("tool: shop.order\nparams: {lines: [{name: a}], password: hunter2}"),
        &expect![[r#"
            warning[LITERAL_SECRET]: a secret stands in the file as it is
             --> f.yaml:9:44
              |
            9 |     params: {lines: [{name: a}], password: hunter2}
              |                                            ^^^^^^^
              = help: keep it in the vault and write `vault://vault/secret`
        "#]],
    );
    for value in ["vault://vault/shop", "${inputs.q}"] {
        assert_eq!(
            said(&with_task(&format!(
                "tool: shop.order\nparams: {{lines: [{{name: a}}], password: \"{value}\"}}"
            ))),
            ""
        );
    }
}

#[test]
fn broken_expression_hides_no_other_fault_and_makes_none() {
    let text = with_task("tool: shop.find\nparams: {site: \"${length(}\", pageSize: many}");
    expect_said(
        &text,
        &expect![[r#"
        error[EXPRESSION_SYNTAX]: expected a name, a value or a function, found the end
         --> f.yaml:9:30
          |
        9 |     params: {site: "${length(}", pageSize: many}
          |                              ^
          = note: nothing was run
        error[PARAM_TYPE]: `pageSize` of `shop.find`: must be a whole number
         --> f.yaml:9:44
          |
        9 |     params: {site: "${length(}", pageSize: many}
          |                                            ^^^^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn without_a_catalogue_tools_are_not_looked_at() {
    let text = with_task("tool: no.such\nparams: {any: thing}");
    let source = Source {
        text: &text,
        file_name: "f.yaml",
        dialect: None,
    };
    assert!(check(&source, None).workflow.is_some());
}
