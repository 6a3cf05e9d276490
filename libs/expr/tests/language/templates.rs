//! Text with expressions in it.

use expect_test::{Expect, expect};
use gearmesh_expr::Template;
use serde_json::{Value, json};

use crate::{scope, shown, world};

fn run(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|errors| shown(text, &errors[0]))?;
    template
        .evaluate(&world())
        .map_err(|error| shown(text, &error))
}

// WF-4.3
#[test]
fn one_expression_alone_keeps_its_type() {
    for (text, expected) in [
        ("${inputs.limit}", "5"),
        ("${ inputs.big }", "9007199254740993"),
        ("${inputs.none}", "null"),
        ("${inputs.flag}", "false"),
        ("${fetch.result.items[1].tags}", "[]"),
        (
            "${fetch.result.items[?open].{n: name}}",
            "[{\"n\":\"b\"},{\"n\":\"c\"}]",
        ),
        ("${'}'}", "\"}\""),
        ("${`\"}\"`}", "\"}\""),
        ("${fetch.result.headers.\"content-type\"}", "\"text/plain\""),
        ("${'$${x}'}", "\"$${x}\""),
    ] {
        assert_eq!(
            run(text).map(|value| value.to_string()),
            Ok(expected.to_owned()),
            "{text}"
        );
    }
}

// WF-4.3
#[test]
fn inside_text_values_become_text() {
    for (text, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("Hello ${inputs.name}!", "Hello Ada!"),
        ("${inputs.name}${inputs.limit}", "Ada5"),
        (" ${inputs.limit}", " 5"),
        ("${inputs.limit}\n", "5\n"),
        (
            "is ${inputs.flag}, ${inputs.big}, ${`1.0`}",
            "is false, 9007199254740993, 1.0",
        ),
        ("tags ${fetch.result.items[0].tags}", "tags [\"x\",\"y\"]"),
        (
            "o ${fetch.result.items[1]}",
            "o {\"name\":\"a\",\"price\":10,\"tags\":[],\"open\":false}",
        ),
        ("new ${[inputs.name, inputs.none]}", "new [\"Ada\",null]"),
        ("$${inputs.name}", "${inputs.name}"),
        ("$$${inputs.name}", "$${inputs.name}"),
        ("$${a} ${inputs.name} $${b}", "${a} Ada ${b}"),
        ("cost $5 and $ {x} {y}", "cost $5 and $ {x} {y}"),
        ("größe ${inputs.name} ü", "größe Ada ü"),
    ] {
        assert_eq!(run(text), Ok(json!(expected)), "{text}");
    }
}

// WF-4.1
#[test]
fn results_are_not_scanned_again() {
    let scope = scope(json!({"a": "${b}", "b": "no", "c": "$${"}));
    for (text, expected) in [("${a}", "${b}"), ("x${a}", "x${b}"), ("x${c}b}", "x$${b}")] {
        let value = Template::parse(text).unwrap().evaluate(&scope);
        assert_eq!(value, Ok(json!(expected)), "{text}");
    }
}

#[test]
fn a_template_tells_what_it_is() {
    let constant = Template::parse("$${x} y").unwrap();
    assert_eq!(constant.constant(), Some("${x} y"));
    assert!(constant.is_constant() && !constant.is_whole());
    let whole = Template::parse("${a}").unwrap();
    assert!(whole.is_whole() && !whole.is_constant());
    assert_eq!(whole.constant(), None);
    let text = "ü $${} ${ a.b } and ${'}'}";
    let mixed = Template::parse(text).unwrap();
    assert!(!mixed.is_whole() && !mixed.is_constant());
    let found: Vec<&str> = mixed
        .expressions()
        .map(|(expression, span)| {
            assert_eq!(expression.text(), &text[span.start..span.end]);
            expression.text()
        })
        .collect();
    assert_eq!(found, [" a.b ", "'}'"]);
}

fn check(text: &str, expected: Expect) {
    let errors = match Template::parse(text) {
        Ok(template) => vec![template.evaluate(&world()).expect_err(text)],
        Err(errors) => errors,
    };
    let all: String = errors.iter().map(|error| shown(text, error)).collect();
    expected.assert_eq(&all);
}

#[test]
fn all_errors_come_at_once_with_their_places() {
    check(
        "ü ${a..b} and ${lenght(x)} and ${x == \"y\"} ${open",
        expect![[r#"
        EXPRESSION_SYNTAX at `.`: expected a name after the dot, found `.`
        EXPRESSION_SYNTAX at `lenght`: no function is called `lenght`; did you mean `length`?
          hint: did you mean `length`?
        QUOTED_FIELD at `"y"`: "y" in double quotes is a field; text is 'y'
          fixed: ü ${a..b} and ${lenght(x)} and ${x == 'y'} ${open
        EXPRESSION_SYNTAX at `${open`: `${` is not closed by `}`
          hint: a literal `${` is written `$${`
    "#]],
    );
    check(
        "${}",
        expect![[r#"
        EXPRESSION_SYNTAX at ``: the expression is empty
    "#]],
    );
    check(
        "${a == 'open}",
        expect![[r#"
            EXPRESSION_SYNTAX at `'open}`: the single quote is not closed
              hint: a quote inside `${..}` must be closed before its `}`
        "#]],
    );
}

// WF-4.3
#[test]
fn null_and_missing_do_not_stand_inside_text() {
    check(
        "a ${inputs.none} b",
        expect![[r#"
        VARIABLE_RESOLUTION_ERROR at `inputs.none`: `inputs.none` is null and cannot stand inside text
    "#]],
    );
    check(
        "a ${inputs.nothing} b",
        expect![[r#"
        VARIABLE_RESOLUTION_ERROR at `nothing`: cannot resolve `inputs.nothing`: `nothing` is not in `inputs`
    "#]],
    );
    check(
        "${inputs.nothing}",
        expect![[r#"
        VARIABLE_RESOLUTION_ERROR at `nothing`: cannot resolve `inputs.nothing`: `nothing` is not in `inputs`
    "#]],
    );
    check(
        "a ${inputs.name} ${abs(inputs.name)}",
        expect![[r#"
        EXPRESSION_TYPE at `inputs.name`: argument 1 of `abs` must be a number, not text
    "#]],
    );
}
