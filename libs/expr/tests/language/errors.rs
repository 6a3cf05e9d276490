//! What is wrong with a text, in one sentence, at its place.

use expect_test::{Expect, expect};

use crate::{evaluate, shown, world};

pub(crate) fn check(texts: &[&str], expected: Expect) {
    let world = world();
    let mut all = String::new();
    for text in texts {
        match evaluate(text, &world) {
            Ok(value) => panic!("{text} gives {value}"),
            Err(error) => {
                assert!(!error.message.contains('\n'), "{error}");
                all += &format!("{text} ->\n  {}", shown(text, &error));
            }
        }
    }
    expected.assert_eq(&all);
}

#[test]
fn broken_syntax_names_what_was_expected() {
    check(
        &[
            "",
            "  ",
            "a.",
            "a..b",
            "a.[",
            "a[",
            "a[0",
            "a[b]",
            "a[0 1]",
            "a[1:2:3:4]",
            "a[::0]",
            "a[99999999999]",
            "a[-0]",
        ],
        expect![[r#"
             ->
              EXPRESSION_SYNTAX at ``: the expression is empty
               ->
              EXPRESSION_SYNTAX at `  `: the expression is empty
            a. ->
              EXPRESSION_SYNTAX at ``: expected a name after the dot, found the end
            a..b ->
              EXPRESSION_SYNTAX at `.`: expected a name after the dot, found `.`
            a.[ ->
              EXPRESSION_SYNTAX at ``: expected a name, a value or a function, found the end
            a[ ->
              EXPRESSION_SYNTAX at ``: expected a number, `:` or `*`, found the end
            a[0 ->
              EXPRESSION_SYNTAX at ``: expected `:` or `]`, found the end
            a[b] ->
              EXPRESSION_SYNTAX at `b`: expected a number, `:` or `*`, found `b`
            a[0 1] ->
              EXPRESSION_SYNTAX at `1`: expected `:` or `]`, found `1`
            a[1:2:3:4] ->
              EXPRESSION_SYNTAX at `:`: expected at most two colons in a slice, found `:`
            a[::0] ->
              EXPRESSION_SYNTAX at `[::0]`: the step of a slice cannot be 0
            a[99999999999] ->
              EXPRESSION_SYNTAX at `99999999999`: the index 99999999999 is too large
            a[-0] ->
              EXPRESSION_SYNTAX at `-0`: -0 is not an index
        "#]],
    );
}

#[test]
fn broken_brackets_and_operators_name_what_was_expected() {
    check(
        &[
            "a[?b",
            "(a",
            "a)",
            "{a}",
            "{a: b",
            "{a: b,}",
            "{1: b}",
            "f(",
            "length(a,)",
            "a ==",
            "== a",
            "a &&",
            "a | | b",
            "\"f\"(a)",
            "(a.b)(c)",
            "a\n  .b\n  .",
        ],
        expect![[r#"
            a[?b ->
              EXPRESSION_SYNTAX at ``: expected `]`, found the end
            (a ->
              EXPRESSION_SYNTAX at ``: expected `)`, found the end
            a) ->
              EXPRESSION_SYNTAX at `)`: expected an operator or the end, found `)`
            {a} ->
              EXPRESSION_SYNTAX at `}`: expected `:` after the key, found `}`
            {a: b ->
              EXPRESSION_SYNTAX at ``: expected `}` or `,`, found the end
            {a: b,} ->
              EXPRESSION_SYNTAX at `}`: expected a key, found `}`
            {1: b} ->
              EXPRESSION_SYNTAX at `1`: expected a key, found `1`
            f( ->
              EXPRESSION_SYNTAX at ``: expected a name, a value or a function, found the end
            length(a,) ->
              EXPRESSION_SYNTAX at `)`: expected one more value after the comma, found `)`
            a == ->
              EXPRESSION_SYNTAX at ``: expected a name, a value or a function, found the end
            == a ->
              EXPRESSION_SYNTAX at `==`: expected a name, a value or a function, found `==`
            a && ->
              EXPRESSION_SYNTAX at ``: expected a name, a value or a function, found the end
            a | | b ->
              EXPRESSION_SYNTAX at `|`: expected a name, a value or a function, found `|`
            "f"(a) ->
              EXPRESSION_SYNTAX at `(`: a function name takes no double quotes
            (a.b)(c) ->
              EXPRESSION_SYNTAX at `c`: expected a function name before the parenthesis, found `c`
            a
              .b
              . ->
              EXPRESSION_SYNTAX at ``: expected a name after the dot, found the end
        "#]],
    );
}

#[test]
fn operators_of_other_languages_get_their_own_words() {
    check(
        &[
            "a = 'b'",
            "a === b",
            "a b",
            "[a b]",
            "length(a b)",
            "a and b",
            "a or b",
            "a is 'x'",
            "'x' in a",
            "a & b",
        ],
        expect![[r#"
            a = 'b' ->
              EXPRESSION_SYNTAX at `=`: `=` is not an operator
              hint: it is written `==`
              fixed: a == 'b'
            a === b ->
              EXPRESSION_SYNTAX at `===`: `===` is not an operator
              hint: it is written `==`
              fixed: a == b
            a b ->
              EXPRESSION_SYNTAX at `b`: expected an operator before `b`
            [a b] ->
              EXPRESSION_SYNTAX at `b`: expected an operator before `b`
            length(a b) ->
              EXPRESSION_SYNTAX at `b`: expected an operator before `b`
            a and b ->
              EXPRESSION_SYNTAX at `and`: expected an operator before `and`
              hint: `and` is written `&&`
              fixed: a && b
            a or b ->
              EXPRESSION_SYNTAX at `or`: expected an operator before `or`
              hint: `or` is written `||`
              fixed: a || b
            a is 'x' ->
              EXPRESSION_SYNTAX at `is`: expected an operator before `is`
              hint: `is` is written `==`
              fixed: a == 'x'
            'x' in a ->
              EXPRESSION_SYNTAX at `in`: expected an operator before `in`
              hint: `a in b` is written `contains(b, a)`
            a & b ->
              EXPRESSION_SYNTAX at `&`: expected an operator before `&`
              hint: `&` is written `&&`
              fixed: a && b
        "#]],
    );
}

#[test]
fn arithmetic_and_strange_characters_get_their_own_words() {
    check(
        &[
            "a !== b",
            "a + b",
            "a / b",
            "a * b",
            "a - b",
            "a -1",
            "fetch-data.result",
            "$.a",
            "größe",
            "a # b",
        ],
        expect![[r#"
            a !== b ->
              EXPRESSION_SYNTAX at `!==`: `!==` is not an operator
              hint: it is written `!=`
              fixed: a != b
            a + b ->
              EXPRESSION_SYNTAX at `+`: `+` has no meaning in an expression
              hint: there is no arithmetic in expressions
            a / b ->
              EXPRESSION_SYNTAX at `/`: `/` has no meaning in an expression
              hint: there is no arithmetic in expressions
            a * b ->
              EXPRESSION_SYNTAX at `*`: expected an operator before `*`
              hint: there is no arithmetic in expressions
            a - b ->
              EXPRESSION_SYNTAX at `-`: `-` must be followed by a number
              hint: a name with a hyphen stands in double quotes: "a-b"
              hint: there is no arithmetic in expressions
            a -1 ->
              EXPRESSION_SYNTAX at `-1`: expected an operator before `-1`
              hint: there is no arithmetic in expressions
            fetch-data.result ->
              EXPRESSION_SYNTAX at `-`: `-` must be followed by a number
              hint: a name with a hyphen stands in double quotes: "a-b"
              hint: there is no arithmetic in expressions
            $.a ->
              EXPRESSION_SYNTAX at `$`: `$` has no meaning in an expression
              hint: names are written without `$`
            größe ->
              EXPRESSION_SYNTAX at `ö`: `ö` has no meaning in an expression
              hint: a name with such letters stands in double quotes
            a # b ->
              EXPRESSION_SYNTAX at `#`: `#` has no meaning in an expression
        "#]],
    );
}

#[test]
fn bare_literals_and_open_quotes_get_their_own_words() {
    check(
        &[
            "5 < inputs.limit",
            "default(inputs.limit, 5)",
            "default(inputs.flag, true)",
            "null",
            "inputs.limit == 007",
            "`open`",
            "`it's`",
            "'open",
            "\"open",
            "`open",
            "\"a\\x\"",
        ],
        expect![[r#"
            5 < inputs.limit ->
              EXPRESSION_SYNTAX at `5`: the number 5 stands in backticks here: `5`
              hint: only to the right of a comparison may a number stand alone
              fixed: `5` < inputs.limit
            default(inputs.limit, 5) ->
              EXPRESSION_SYNTAX at `5`: the number 5 stands in backticks here: `5`
              hint: only to the right of a comparison may a number stand alone
              fixed: default(inputs.limit, `5`)
            default(inputs.flag, true) ->
              EXPRESSION_SYNTAX at `true`: true stands in backticks here: `true`
              hint: only to the right of a comparison may it stand alone
              fixed: default(inputs.flag, `true`)
            null ->
              EXPRESSION_SYNTAX at `null`: null stands in backticks here: `null`
              hint: only to the right of a comparison may it stand alone
              fixed: `null`
            inputs.limit == 007 ->
              EXPRESSION_SYNTAX at `007`: `007` is not a number
            `open` ->
              EXPRESSION_SYNTAX at ``open``: backticks hold JSON, and `open` is not JSON
              hint: text is 'open'
              fixed: 'open'
            `it's` ->
              EXPRESSION_SYNTAX at ``it's``: backticks hold JSON, and `it's` is not JSON
            'open ->
              EXPRESSION_SYNTAX at `'open`: the single quote is not closed
            "open ->
              EXPRESSION_SYNTAX at `"open`: the double quote is not closed
            `open ->
              EXPRESSION_SYNTAX at ``open`: the backtick is not closed
            "a\x" ->
              EXPRESSION_SYNTAX at `"a\x"`: `"a\x"` is not a quoted name
              hint: inside double quotes the escapes are those of JSON
        "#]],
    );
}

#[test]
fn nothing_current_on_top() {
    check(
        &[
            "@",
            "length(@)",
            "[*].a",
            "[0]",
            "[1:2]",
            "[]",
            "[?a]",
            "*",
            "*.a",
            "&a",
            "a.&b",
        ],
        expect![[r#"
            @ ->
              EXPRESSION_SYNTAX at `@`: `@` has no meaning here outside a filter or projection
            length(@) ->
              EXPRESSION_SYNTAX at `@`: `@` has no meaning here outside a filter or projection
            [*].a ->
              EXPRESSION_SYNTAX at `[`: the brackets need a name before them
            [0] ->
              EXPRESSION_SYNTAX at `[0]`: `[0]` needs a name before it
            [1:2] ->
              EXPRESSION_SYNTAX at `[1:2]`: `[1:2]` needs a name before it
            [] ->
              EXPRESSION_SYNTAX at `[]`: `[]` needs a name before it
            [?a] ->
              EXPRESSION_SYNTAX at `[?`: the filter needs a name before it
            * ->
              EXPRESSION_SYNTAX at `*`: `*` needs a name before it
            *.a ->
              EXPRESSION_SYNTAX at `*`: `*` needs a name before it
            &a ->
              EXPRESSION_SYNTAX at `&`: `&` stands only before an argument of `map` and of the functions that end in `_by`
            a.&b ->
              EXPRESSION_SYNTAX at `&`: `&` stands only before an argument of `map` and of the functions that end in `_by`
        "#]],
    );
}

#[test]
fn a_quoted_word_right_of_an_equality_is_a_field() {
    check(
        &[
            "fetch.status == \"running\"",
            "fetch.status != \"it's\"",
            "fetch.result.items[?name == \"a\"]",
        ],
        expect![[r#"
            fetch.status == "running" ->
              QUOTED_FIELD at `"running"`: "running" in double quotes is a field; text is 'running'
              fixed: fetch.status == 'running'
            fetch.status != "it's" ->
              QUOTED_FIELD at `"it's"`: "it's" in double quotes is a field; text is 'it\'s'
              fixed: fetch.status != 'it\'s'
            fetch.result.items[?name == "a"] ->
              QUOTED_FIELD at `"a"`: "a" in double quotes is a field; text is 'a'
              fixed: fetch.result.items[?name == 'a']
        "#]],
    );
    // Elsewhere it is a name like any other.
    let world = world();
    for text in [
        "\"fetch\".\"status\" == 'succeeded'",
        "'text/plain' == fetch.result.headers.\"content-type\"",
        "fetch.status == \"fetch\".status",
        "fetch.result.items[*].\"name\" | length(@) == 3",
    ] {
        assert_eq!(evaluate(text, &world), Ok(true.into()), "{text}");
    }
}
