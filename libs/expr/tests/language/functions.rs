//! Calls that cannot be right, before and during evaluation.

use expect_test::expect;

use crate::errors::check;

#[test]
fn functions_are_checked_before_they_run() {
    check(
        &[
            "lenght(a)",
            "frobnicate(a)",
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
              hint: the functions are abs, avg, base64, base64_decode, ceil, contains, date_add, date_format, default, ends_with, floor, group_by, if, iso_week, join, keys, length, lower, map, max, max_by, merge, min, min_by, not_null, parse_json, range, regex_match, replace, reverse, sha256, sort, sort_by, split, starts_with, sum, to_array, to_json, to_number, to_string, trim, type, unique_by, upper, url_encode, uuid, values
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

#[test]
fn added_functions_are_checked_before_they_run() {
    check(
        &[
            "lower()",
            "uuid(a, b)",
            "range()",
            "date_format(now)",
            "date_format(now, 'YYYY-MM-DD')",
            "date_format(now, 'yyyy \\'of')",
            "date_format(now, 'yyyy', 'Mars/Base')",
            "iso_week(now, 'CET+1')",
            "date_add(now, '24')",
            "date_add(now, `1`)",
            "a[?regex_match(b, '(x')]",
            "regex_match(a, '(?=x)')",
            "unique_by(a, b)",
        ],
        expect![[r#"
            lower() ->
              EXPRESSION_SYNTAX at `lower`: `lower` takes 1 argument, not 0
            uuid(a, b) ->
              EXPRESSION_SYNTAX at `uuid`: `uuid` takes at most 1 argument, not 2
            range() ->
              EXPRESSION_SYNTAX at `range`: `range` takes 1 to 3 arguments, not 0
            date_format(now) ->
              EXPRESSION_SYNTAX at `date_format`: `date_format` takes 2 to 3 arguments, not 1
            date_format(now, 'YYYY-MM-DD') ->
              EXPRESSION_TYPE at `'YYYY-MM-DD'`: `YYYY` has no meaning in the date pattern `YYYY-MM-DD`; known are yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm m ss s S a XXX xxx VV
            date_format(now, 'yyyy \'of') ->
              EXPRESSION_TYPE at `'yyyy \'of'`: a quote in the date pattern `yyyy 'of` is not closed
            date_format(now, 'yyyy', 'Mars/Base') ->
              EXPRESSION_TYPE at `'Mars/Base'`: no time zone is called `Mars/Base`, as `Europe/Chisinau` is
            iso_week(now, 'CET+1') ->
              EXPRESSION_TYPE at `'CET+1'`: no time zone is called `CET+1`, as `Europe/Chisinau` is
            date_add(now, '24') ->
              EXPRESSION_TYPE at `'24'`: `24` is not a duration; one is written like `+24h` or `-1h30m`, with ms s m h d w
            date_add(now, `1`) ->
              EXPRESSION_TYPE at ``1``: argument 2 of `date_add` must be text, not a number
            a[?regex_match(b, '(x')] ->
              EXPRESSION_TYPE at `'(x'`: `(x` is not a regular expression: unclosed group
            regex_match(a, '(?=x)') ->
              EXPRESSION_TYPE at `'(?=x)'`: `(?=x)` is not a regular expression: look-around, including look-ahead and look-behind, is not supported
            unique_by(a, b) ->
              EXPRESSION_TYPE at `b`: argument 2 of `unique_by` must be an expression after `&`, not a value
        "#]],
    );
}

#[test]
fn values_that_an_added_function_cannot_take_are_named() {
    check(
        &[
            "date_format(inputs.name, 'yyyy')",
            "date_add('2026-01-25', '+1d')",
            "date_add('9999-12-30T00:00:00Z', '+99999w')",
            "date_format('2026-01-25T12:00:00Z', inputs.name)",
            "iso_week('2026-01-25T12:00:00Z', inputs.name)",
            "regex_match('x', join('', ['(', inputs.name]))",
            "base64_decode('a b')",
            "base64_decode('/w==')",
            "replace('abc', '', 'x')",
            "range(`1.5`)",
            "range(`1`, `1e30`)",
            "range(`1`, `2`, `0`)",
            "group_by(fetch.result.items, &tags)",
            "group_by(fetch.result.items, &nothing)",
            "uuid()",
            "lower(inputs.none)",
        ],
        expect![[r#"
            date_format(inputs.name, 'yyyy') ->
              EXPRESSION_TYPE at `date_format`: `Ada` is not an instant; one is written like `2026-01-25T12:00:00Z`
            date_add('2026-01-25', '+1d') ->
              EXPRESSION_TYPE at `date_add`: `2026-01-25` is not an instant; one is written like `2026-01-25T12:00:00Z`
            date_add('9999-12-30T00:00:00Z', '+99999w') ->
              EXPRESSION_TYPE at `date_add`: 9999-12-30T00:00:00Z and +99999w give an instant that no calendar has
            date_format('2026-01-25T12:00:00Z', inputs.name) ->
              EXPRESSION_TYPE at `date_format`: `A` has no meaning in the date pattern `Ada`; known are yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm m ss s S a XXX xxx VV
            iso_week('2026-01-25T12:00:00Z', inputs.name) ->
              EXPRESSION_TYPE at `iso_week`: no time zone is called `Ada`, as `Europe/Chisinau` is
            regex_match('x', join('', ['(', inputs.name])) ->
              EXPRESSION_TYPE at `regex_match`: `(Ada` is not a regular expression: unclosed group
            base64_decode('a b') ->
              EXPRESSION_TYPE at `base64_decode`: the text given to `base64_decode` is not base64
            base64_decode('/w==') ->
              EXPRESSION_TYPE at `base64_decode`: what `base64_decode` decoded is not UTF-8 text
            replace('abc', '', 'x') ->
              EXPRESSION_TYPE at `replace`: argument 2 of `replace` must be text that is not empty
            range(`1.5`) ->
              EXPRESSION_TYPE at `range`: argument 1 of `range` must be a whole number of 64 bits, not 1.5
            range(`1`, `1e30`) ->
              EXPRESSION_TYPE at `range`: argument 2 of `range` must be a whole number of 64 bits, not 1e+30
            range(`1`, `2`, `0`) ->
              EXPRESSION_TYPE at `range`: the step of `range` cannot be 0
            group_by(fetch.result.items, &tags) ->
              EXPRESSION_TYPE at `tags`: `group_by` needs text, numbers or booleans, but item 1 gives a list
              hint: give the others a key: `default(key, 'none')`
            group_by(fetch.result.items, &nothing) ->
              EXPRESSION_TYPE at `nothing`: `group_by` needs text, numbers or booleans, but item 1 gives null
              hint: give the others a key: `default(key, 'none')`
            uuid() ->
              VARIABLE_RESOLUTION_ERROR at `uuid`: `uuid` is made from the run, and there is none here
            lower(inputs.none) ->
              EXPRESSION_TYPE at `inputs.none`: argument 1 of `lower` must be text, not null
        "#]],
    );
}
