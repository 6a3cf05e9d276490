//! Calls that cannot be right, before and during evaluation.

use expect_test::expect;

use crate::errors::check;

#[test]
fn functions_are_checked_before_they_run() {
    check(
        &[
            "lenght(a)",
            "frobnicate(a)",
            "lower(a)",
            "date_format(now, 'x')",
            "a[?regex_match(b, 'x')]",
            "length()",
            "length(a, b)",
            "contains(a)",
            "not_null()",
            "merge()",
            "if(a, b)",
            "abs('x')",
            "join(`1`, a)",
            "join(',', `[1]`)",
            "keys(`[]`)",
            "sort(`[1, \"a\"]`)",
            "length(&a)",
            "sort_by(a, b)",
            "map(a, &b)",
        ],
        expect![[r#"
            lenght(a) ->
              EXPRESSION_SYNTAX at `lenght`: no function is called `lenght`; did you mean `length`?
              hint: did you mean `length`?
            frobnicate(a) ->
              EXPRESSION_SYNTAX at `frobnicate`: no function is called `frobnicate`
              hint: the functions are abs, avg, ceil, contains, default, ends_with, floor, if, join, keys, length, map, max, max_by, merge, min, min_by, not_null, parse_json, reverse, sort, sort_by, starts_with, sum, to_array, to_json, to_number, to_string, type, values
            lower(a) ->
              NOT_IMPLEMENTED at `lower`: function `lower` is not built yet
            date_format(now, 'x') ->
              NOT_IMPLEMENTED at `date_format`: function `date_format` is not built yet
            a[?regex_match(b, 'x')] ->
              NOT_IMPLEMENTED at `regex_match`: function `regex_match` is not built yet
            length() ->
              EXPRESSION_SYNTAX at `length`: `length` takes 1 argument, not 0
            length(a, b) ->
              EXPRESSION_SYNTAX at `length`: `length` takes 1 argument, not 2
            contains(a) ->
              EXPRESSION_SYNTAX at `contains`: `contains` takes 2 arguments, not 1
            not_null() ->
              EXPRESSION_SYNTAX at `not_null`: `not_null` takes at least 1 argument, not 0
            merge() ->
              EXPRESSION_SYNTAX at `merge`: `merge` takes at least 1 argument, not 0
            if(a, b) ->
              EXPRESSION_SYNTAX at `if`: `if` takes 3 arguments, not 2
            abs('x') ->
              EXPRESSION_TYPE at `'x'`: argument 1 of `abs` must be a number, not text
            join(`1`, a) ->
              EXPRESSION_TYPE at ``1``: argument 1 of `join` must be text, not a number
            join(',', `[1]`) ->
              EXPRESSION_TYPE at ``[1]``: argument 2 of `join` must be a list of texts, not a list whose item 1 is a number
            keys(`[]`) ->
              EXPRESSION_TYPE at ``[]``: argument 1 of `keys` must be an object, not a list
            sort(`[1, "a"]`) ->
              EXPRESSION_TYPE at ``[1, "a"]``: argument 1 of `sort` must be a list of numbers or a list of texts, not a list whose item 2 is text
            length(&a) ->
              EXPRESSION_TYPE at `&a`: argument 1 of `length` must be text, a list or an object, not an expression after `&`
            sort_by(a, b) ->
              EXPRESSION_TYPE at `b`: argument 2 of `sort_by` must be an expression after `&`, not a value
            map(a, &b) ->
              EXPRESSION_TYPE at `a`: argument 1 of `map` must be an expression after `&`, not a value
        "#]],
    );
}

#[test]
fn values_of_the_wrong_type_are_named() {
    check(
        &[
            "abs(inputs.name)",
            "abs(inputs.nothing)",
            "length(inputs.limit)",
            "join(', ', fetch.result.items[*].price)",
            "join(', ', [inputs.name, inputs.limit])",
            "sum(fetch.result.items[*].name)",
            "sort([inputs.limit, inputs.name])",
            "sort_by(fetch.result.items, &tags)",
            "sort_by(fetch.result.items, &[name, price][1] || 'x')[0].x.abs(@)",
            "max_by(fetch.result.items, &nothing)",
            "sort_by([{k: 'a'}, {k: `1`}], &k)",
            "parse_json('{\"a\": ')",
            "if(inputs.limit, 'a', 'b')",
            "starts_with(inputs.name, inputs.limit)",
            "sum(`[1e308, 1e308]`)",
        ],
        expect![[r#"
            abs(inputs.name) ->
              EXPRESSION_TYPE at `inputs.name`: argument 1 of `abs` must be a number, not text
            abs(inputs.nothing) ->
              EXPRESSION_TYPE at `inputs.nothing`: argument 1 of `abs` must be a number, not null
            length(inputs.limit) ->
              EXPRESSION_TYPE at `inputs.limit`: argument 1 of `length` must be text, a list or an object, not a number
            join(', ', fetch.result.items[*].price) ->
              EXPRESSION_TYPE at `fetch.result.items[*].price`: argument 2 of `join` must be a list of texts, not a list whose item 1 is a number
            join(', ', [inputs.name, inputs.limit]) ->
              EXPRESSION_TYPE at `[inputs.name, inputs.limit]`: argument 2 of `join` must be a list of texts, not a list whose item 2 is a number
            sum(fetch.result.items[*].name) ->
              EXPRESSION_TYPE at `fetch.result.items[*].name`: argument 1 of `sum` must be a list of numbers, not a list whose item 1 is text
            sort([inputs.limit, inputs.name]) ->
              EXPRESSION_TYPE at `[inputs.limit, inputs.name]`: argument 1 of `sort` must be a list of numbers or a list of texts, not a list whose item 2 is text
            sort_by(fetch.result.items, &tags) ->
              EXPRESSION_TYPE at `tags`: `sort_by` needs all numbers or all texts, but item 1 gives a list
            sort_by(fetch.result.items, &[name, price][1] || 'x')[0].x.abs(@) ->
              EXPRESSION_TYPE at `@`: argument 1 of `abs` must be a number, not null
            max_by(fetch.result.items, &nothing) ->
              EXPRESSION_TYPE at `nothing`: `max_by` needs all numbers or all texts, but item 1 gives null
            sort_by([{k: 'a'}, {k: `1`}], &k) ->
              EXPRESSION_TYPE at `k`: `sort_by` needs all numbers or all texts, but item 1 gives text and item 2 gives a number
            parse_json('{"a": ') ->
              EXPRESSION_TYPE at `parse_json`: the text given to `parse_json` is not JSON: EOF while parsing a value at line 1 column 6
            if(inputs.limit, 'a', 'b') ->
              EXPRESSION_TYPE at `inputs.limit`: the condition of `if` is the number 5
              hint: compare it, as in `length(x) > 0`
            starts_with(inputs.name, inputs.limit) ->
              EXPRESSION_TYPE at `inputs.limit`: argument 2 of `starts_with` must be text, not a number
            sum(`[1e308, 1e308]`) ->
              EXPRESSION_TYPE at `sum`: the number is too large
        "#]],
    );
}
