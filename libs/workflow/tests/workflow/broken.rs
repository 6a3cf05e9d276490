//! Twelve broken files: every fault of each at once, at its place.

use expect_test::expect;

use crate::support::{codes, expect_said, mended, said};

const HEAD: &str = "name: broken\ninputs:\n  q: {type: string}\ntasks:\n  - id: fetch\n    tool: shop.find\n    params: {site: \"${inputs.q}\"}\n";

fn file(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn unknown_key() {
    let text = file("  - id: b\n    dependson: [fetch]\n    set: {v: 1}\n");
    expect_said(
        &text,
        &expect![[r#"
        error[UNKNOWN_KEY]: unknown key `dependson` in task `b`
         --> f.yaml:9:5
          |
        9 |     dependson: [fetch]
          |     ^^^^^^^^^
          = help: did you mean `needs`?   gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&mended(&text)), "");
}

#[test]
fn cycle() {
    expect_said(
        &file(
            "  - id: b\n    needs: [c]\n    set: {v: 1}\n  - id: c\n    set: {v: \"${b.result.v}\"}\n",
        ),
        &expect![[r#"
            error[CIRCULAR_DEPENDENCY]: Circular dependency detected: b -> c -> b
             --> f.yaml:8:9
              |
            8 |   - id: b
              |         ^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn unknown_tool() {
    expect_said(
        &file("  - id: b\n    tool: shop.ordr\n    params: {lines: []}\n"),
        &expect![[r#"
            error[TOOL_NOT_FOUND]: no tool `shop.ordr`; nearest: shop.order
             --> f.yaml:9:11
              |
            9 |     tool: shop.ordr
              |           ^^^^^^^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn wrong_type() {
    expect_said(
        &file("  - id: b\n    tool: shop.find\n    params: {site: north, pageSize: ten}\n"),
        &expect![[r#"
            error[PARAM_TYPE]: `pageSize` of `shop.find`: must be a whole number
              --> f.yaml:10:37
               |
            10 |     params: {site: north, pageSize: ten}
               |                                     ^^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn missing_parameter() {
    expect_said(
        &file("  - id: b\n    tool: shop.find\n    params: {pageSize: 10}\n"),
        &expect![[r#"
            error[MISSING_PARAM]: `shop.find` needs `site` (where to look), e.g. `"north"`
              --> f.yaml:10:5
               |
            10 |     params: {pageSize: 10}
               |     ^^^^^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn duration_without_unit() {
    let text = file("  - id: b\n    set: {v: 1}\n    timeout: 30000\n");
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
    "#]],
    );
    assert_eq!(said(&mended(&text)), "");
}

#[test]
fn template_in_a_condition() {
    let text = file("  - id: b\n    when: ${fetch.result.count > 0}\n    set: {v: 1}\n");
    expect_said(
        &text,
        &expect![[r#"
        error[TEMPLATE_IN_CONDITION]: write the condition without `${}`
         --> f.yaml:9:11
          |
        9 |     when: ${fetch.result.count > 0}
          |           ^^^^^^^^^^^^^^^^^^^^^^^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&mended(&text)), "");
}

#[test]
fn hyphen_in_an_id() {
    let text = file(
        "  - id: b-c\n    set: {v: 1}\n  - id: d\n    needs: [b-c]\n    set: {v: \"${b-c.result.v}\"}\n",
    );
    expect_said(
        &text,
        &expect![[r#"
        error[INVALID_ID]: `b-c`: hyphens are not allowed in ids; try `b_c`
         --> f.yaml:8:9
          |
        8 |   - id: b-c
          |         ^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&mended(&text)), "");
}

#[test]
fn duplicate_key() {
    expect_said(
        &file("  - id: b\n    set: {v: 1}\n    set: {v: 2}\n"),
        &expect![[r#"
            error[DUPLICATE_KEY]: `set` is used twice (first at line 9)
              --> f.yaml:10:5
               |
            10 |     set: {v: 2}
               |     ^^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn bad_expression() {
    expect_said(
        &file("  - id: b\n    set: {v: \"${fetch.result.goods[?}\"}\n"),
        &expect![[r#"
            error[EXPRESSION_SYNTAX]: expected a name, a value or a function, found the end
             --> f.yaml:9:37
              |
            9 |     set: {v: "${fetch.result.goods[?}"}
              |                                     ^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn expression_of_nine_kib() {
    let text = file(&format!(
        "  - id: b\n    set: {{v: \"${{inputs.q || '{}'}}\"}}\n",
        "x".repeat(9 * 1024)
    ));
    expect![[r#"
        9:17 EXPRESSION_LIMIT
    "#]]
    .assert_eq(&codes(&text));
}

#[test]
fn all_together() {
    let long = "x".repeat(9 * 1024);
    let text = file(&format!(
        "  - id: b\n    dependson: [fetch]\n    set: {{v: 1}}\n  - id: c\n    needs: [d]\n    set: {{v: 1}}\n  - id: d\n    needs: [c]\n    set: {{v: 1}}\n  - id: e\n    tool: shop.ordr\n  - id: f\n    tool: shop.find\n    params: {{pageSize: ten}}\n    timeout: 30000\n  - id: g-h\n    when: ${{inputs.q}}\n    set: {{v: 1, v: 2, w: \"${{fetch.result.goods[?}}\", x: \"${{inputs.q || '{long}'}}\", y: \"${{fetsh.result}}\"}}\n"
    ));
    expect![[r#"
        9:5 UNKNOWN_KEY
        11:9 CIRCULAR_DEPENDENCY
        18:11 TOOL_NOT_FOUND
        21:5 MISSING_PARAM
        21:24 PARAM_TYPE
        22:14 UNITLESS_DURATION
        23:9 INVALID_ID
        24:11 TEMPLATE_IN_CONDITION
        25:17 DUPLICATE_KEY
        25:49 EXPRESSION_SYNTAX
        25:59 EXPRESSION_LIMIT
        25:9299 UNKNOWN_NAME
    "#]]
    .assert_eq(&codes(&text));
}
