//! Conditions: what holds, and what is no condition.

use expect_test::{Expect, expect};
use gearmesh_expr::Expression;

use crate::{shown, world};

// WF-4.5
#[test]
fn truth_is_that_of_jmespath_with_missing_as_null() {
    let world = world();
    for (text, expected) in [
        ("fetch.status == 'succeeded'", true),
        ("fetch.status != 'succeeded'", false),
        ("length(fetch.result.items) > 2", true),
        ("fetch.result.count >= 4", false),
        ("fetch.result.nothing.at.all", false),
        ("nobody", false),
        ("!nobody", true),
        ("inputs.none", false),
        ("inputs.flag", false),
        ("inputs.flag == false", true),
        ("inputs.none == null", true),
        ("inputs.name", true),
        ("''", false),
        ("`[]`", false),
        ("`{}`", false),
        ("fetch.result.items", true),
        ("fetch.result.items[?open]", true),
        ("fetch.result.items[?price > 100]", false),
        ("!fetch.result.items[0].open", false),
        ("inputs.name < 'B'", false),
    ] {
        let condition = Expression::condition(text).unwrap();
        assert_eq!(condition.holds(&world), Ok(expected), "{text}");
    }
}

fn check(text: &str, expected: Expect) {
    let error = match Expression::condition(text) {
        Ok(condition) => condition.holds(&world()).expect_err(text),
        Err(error) => error,
    };
    expected.assert_eq(&shown(text, &error));
}

// WF-4.5
#[test]
fn a_number_is_no_condition() {
    check(
        "length(fetch.result.items)",
        expect![[r#"
        EXPRESSION_TYPE at `length`: the condition is the number 3
          hint: compare it, as in `length(x) > 0`
    "#]],
    );
    check(
        "fetch.result.count",
        expect![[r#"
        EXPRESSION_TYPE at `fetch.result.count`: the condition is the number 3
          hint: compare it, as in `length(x) > 0`
    "#]],
    );
    check(
        "if(inputs.limit, 'a', 'b')",
        expect![[r#"
        EXPRESSION_TYPE at `inputs.limit`: the condition of `if` is the number 5
          hint: compare it, as in `length(x) > 0`
    "#]],
    );
}

// WF-4.1
#[test]
fn a_template_is_no_condition() {
    check(
        "${fetch.status} == 'succeeded'",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${fetch.status}`: write the condition without `${}`
          fixed: fetch.status == 'succeeded'
    "#]],
    );
    check(
        "${ fetch.status == 'succeeded' }",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${ fetch.status == 'succeeded' }`: write the condition without `${}`
          fixed: fetch.status == 'succeeded'
    "#]],
    );
    check(
        "fetch.status == '${inputs.name}'",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${inputs.name}`: write the condition without `${}`
          fixed: fetch.status == inputs.name
    "#]],
    );
    check(
        "fetch.status == 'a ${inputs.name}'",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${inputs.name}`: write the condition without `${}`
    "#]],
    );
    check(
        "${fetch.status",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${fetch.status`: write the condition without `${}`
    "#]],
    );
    check(
        "${fetch..status}",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${fetch..status}`: write the condition without `${}`
    "#]],
    );
    check(
        "${a || b} && '${c.d}' == 'x'",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${a || b}`: write the condition without `${}`
          fixed: (a || b) && c.d == 'x'
    "#]],
    );
    check(
        "'${a || b}'",
        expect![[r#"
        TEMPLATE_IN_CONDITION at `${a || b}`: write the condition without `${}`
          fixed: a || b
    "#]],
    );
}
