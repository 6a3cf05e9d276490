//! What a start gives.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{expect_said, listed, workflow};

const FILE: &str = "name: x\ninputs:\n  amount: {type: number, required: true, minimum: 1}\n  count: {type: integer, default: 3}\n  city: {type: string, enum: [Rome, Oslo]}\n  on: {type: boolean}\n  tags: {type: array, items: {type: string}}\n  any: {}\n  key: {type: string, pattern: '^[a-z]+$', sensitive: true}\ntasks:\n  - id: a\n    set: {v: \"${inputs.amount}\"}\n";

fn bound(given: &Value, expected: &Expect) {
    let answer = workflow(FILE).bind_inputs(given.as_object().expect("a map"));
    expected.assert_eq(&match answer {
        Ok(values) => Value::Object(values).to_string(),
        Err(errors) => errors
            .iter()
            .map(|error| {
                format!(
                    "{} {}: {error} {:?}\n",
                    error.code, error.input, error.hints
                )
            })
            .collect(),
    });
}

fn bound_texts(given: &[(&str, &str)], expected: &Expect) {
    let given: Vec<(String, String)> = given
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    expected.assert_eq(&match workflow(FILE).bind_input_texts(&given) {
        Ok(values) => Value::Object(values).to_string(),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    });
}

#[test]
fn defaults_fill_and_absent_is_null() {
    // WF-2.3, WF-2.4
    bound(
        &json!({"amount": 5}),
        &expect![[
            r#"{"amount":5,"count":3,"city":null,"on":null,"tags":null,"any":null,"key":null}"#
        ]],
    );
}

/// What a run was started with can start another.
#[test]
fn null_is_as_good_as_absent_where_there_is_no_default() {
    let first = workflow(FILE).bind_inputs(json!({"amount": 5}).as_object().expect("an object"));
    let first = first.expect("they fit");
    let again = workflow(FILE).bind_inputs(&first);
    assert_eq!(again.expect("they fit again"), first);
    bound(
        &json!({"amount": null, "count": null}),
        &expect![[r#"
            INPUT_INVALID amount: input `amount`: expected number, found null []
            INPUT_INVALID count: input `count`: expected integer, found null []
        "#]],
    );
}

#[test]
fn every_wrong_input_is_named() {
    // WF-2.3, WF-9.18
    bound(
        &json!({"amount": "ten", "count": 1.5, "city": "Bonn", "tags": [1], "key": "SECRET", "amonut": 1}),
        &expect![[r#"
            INPUT_INVALID amonut: no input is called `amonut`; did you mean `amount`? ["the inputs are `amount`, `count`, `city`, `on`, `tags`, `any`, `key`"]
            INPUT_INVALID amount: input `amount`: expected number, found text "ten" []
            INPUT_INVALID count: input `count`: expected integer, found 1.5 []
            INPUT_INVALID city: input `city`: expected one of ["Rome","Oslo"], found text "Bonn" []
            INPUT_INVALID tags: input `tags` at `[0]`: expected text, found 1 []
            INPUT_INVALID key: input `key`: the value does not fit `pattern` of its schema []
        "#]],
    );
    bound(
        &json!({"amount": 0}),
        &expect![[r#"
            INPUT_INVALID amount: input `amount`: expected at least 1, found 0 []
        "#]],
    );
    bound(
        &json!({}),
        &expect![[r#"
        INPUT_INVALID amount: input `amount` is required []
    "#]],
    );
}

#[test]
fn texts_are_read_as_the_declared_type() {
    bound_texts(
        &[
            ("amount", "1.5"),
            ("count", "7"),
            ("city", "Rome"),
            ("on", "true"),
            ("tags", "[\"a\"]"),
            ("any", "12"),
        ],
        &expect![[
            r#"{"amount":1.5,"count":7,"city":"Rome","on":true,"tags":["a"],"any":"12","key":null}"#
        ]],
    );
    bound_texts(
        &[("amount", "ten"), ("on", "yes"), ("tags", "a,b")],
        &expect![[r#"
            input `amount`: expected number, found text "ten"
            input `on`: expected boolean, found text "yes"
            input `tags`: expected list, found text "a,b"
        "#]],
    );
    bound_texts(
        &[("amount", "1"), ("amount", "2"), ("other", "1")],
        &expect![[r#"
            input `amount` is given twice
            no input is called `other`
        "#]],
    );
}

#[test]
fn declarations_are_checked() {
    // WF-2.3, WF-9.18
    let text = "name: x\ninputs:\n  a: {type: strin}\n  a2: {type: list}\n  a3: {type: [string, odd]}\n  b: {type: number, default: ten}\n  c: text\n  d: {type: string, required: maybe}\n  e: {type: string, default: \"${vars.x}\"}\n  f-g: {type: string}\n  h: {$ref: \"http://example.test/schema.json\"}\n  i: {type: string, pattern: \"(\"}\n  j: {type: object, required: [k], properties: {k: {type: string}}, default: {}}\ntasks:\n  - id: a\n    set: {v: 1}\n";
    expect_said(
        text,
        &expect![[r#"
            error[INPUT_INVALID]: input `a`: no type is called `strin`
             --> f.yaml:3:13
              |
            3 |   a: {type: strin}
              |             ^^^^^
              = help: did you mean `string`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[INPUT_INVALID]: input `a2`: no type is called `list`
             --> f.yaml:4:14
              |
            4 |   a2: {type: list}
              |              ^^^^
              = help: did you mean `array`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[INPUT_INVALID]: input `a3` has no valid schema: ["string","odd"] is not valid under any of the schemas listed in the 'anyOf' keyword
             --> f.yaml:5:7
              |
            5 |   a3: {type: [string, odd]}
              |       ^^^^^^^^^^^^^^^^^^^^^
              = note: nothing was run
            error[INPUT_INVALID]: default of input `b`: expected number, found text "ten"
             --> f.yaml:6:30
              |
            6 |   b: {type: number, default: ten}
              |                              ^^^
              = note: nothing was run
            error[INVALID_VALUE]: input `c`: expected a schema as `{type: string}`, found text "text"
             --> f.yaml:7:6
              |
            7 |   c: text
              |      ^^^^
              = note: nothing was run
            error[INVALID_VALUE]: `required` of input `d`: expected true or false, found text "maybe"
             --> f.yaml:8:31
              |
            8 |   d: {type: string, required: maybe}
              |                               ^^^^^
              = note: nothing was run
            error[UNKNOWN_NAME]: `vars` is not known here: there is no run yet
             --> f.yaml:9:33
              |
            9 |   e: {type: string, default: "${vars.x}"}
              |                                 ^^^^^^
              = note: nothing was run
            error[INVALID_ID]: `f-g`: an input has letters, digits and `_` only
              --> f.yaml:10:3
               |
            10 |   f-g: {type: string}
               |   ^^^
               = note: nothing was run
            error[INPUT_INVALID]: input `h` has no valid schema: a `$ref` names nothing inside of it
              --> f.yaml:11:6
               |
            11 |   h: {$ref: "http://example.test/schema.json"}
               |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = note: nothing was run
            error[INPUT_INVALID]: input `i` has no valid schema: "(" is not a "regex"
              --> f.yaml:12:6
               |
            12 |   i: {type: string, pattern: "("}
               |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = note: nothing was run
            error[INPUT_INVALID]: default of input `j`: "k" is missing
              --> f.yaml:13:78
               |
            13 |   j: {type: object, required: [k], properties: {k: {type: string}}, default: {}}
               |                                                                              ^^
               = note: nothing was run
        "#]],
    );
}

#[test]
fn default_may_use_now() {
    // WF-2.5
    let text = "name: x\ninputs:\n  day: {type: string, default: \"${date_format(now, 'yyyy-MM-dd')}\"}\n  least: {type: string, minLength: 50, default: \"${now}\"}\ntasks:\n  - id: a\n    set: {v: \"${inputs}\"}\n";
    let workflow = workflow(text);
    let fill = |given: &Value| {
        let given = given.as_object().cloned().unwrap_or_default();
        let mut bound = workflow.bind_inputs(&given).expect("nothing is wrong");
        let filled = workflow.fill_inputs(&mut bound, "2027-01-31T09:00:00.000Z");
        (json!(bound), filled)
    };
    let long = "x".repeat(50);
    let (bound, filled) = fill(&json!({"least": long}));
    assert_eq!((&bound["day"], filled), (&json!("2027-01-31"), Ok(())));
    assert_eq!(fill(&json!({"least": long, "day": "d"})).0["day"], "d");
    let errors = fill(&json!({})).1.expect_err("the default is too short");
    assert_eq!(
        errors[0].message,
        "default of input `least`: expected at least 50 characters, found text \"2027-01-31T09:00:00.000Z\""
    );
    let other = text.replace("${now}", "${trigger.id}");
    assert_eq!(
        listed(&other),
        "4:49 UNKNOWN_NAME `default` of input `least` names `trigger`; it knows `now` only\n"
    );
}
