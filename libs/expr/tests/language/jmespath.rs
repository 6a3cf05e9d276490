//! JMESPath itself: expression and value, as JSON text so that key order and the kind of number are compared too.

use serde_json::json;

use crate::{evaluate, scope};

const CASES: &[(&str, &str)] = &[
    // Names and indexes.
    ("n", "1"),
    ("o.a", "1"),
    ("o.b.c", "\"deep\""),
    ("\"with space\"", "\"quoted\""),
    ("o.\"k-1\"", "true"),
    ("l[0]", "1"),
    ("l[-1]", "3"),
    ("l[-3]", "1"),
    ("o.b | c", "\"deep\""),
    ("o.missing || `null`", "null"),
    ("o.a.b.c || 'none'", "\"none\""),
    ("l[3] || 'none'", "\"none\""),
    ("l[-4] || 'none'", "\"none\""),
    ("l.a || 'none'", "\"none\""),
    // Slices.
    ("l[0:2]", "[1,2]"),
    ("l[1:]", "[2,3]"),
    ("l[:-1]", "[1,2]"),
    ("l[::-1]", "[3,2,1]"),
    ("l[::2]", "[1,3]"),
    ("l[2:0:-1]", "[3,2]"),
    ("l[-100:100]", "[1,2,3]"),
    ("l[100:]", "[]"),
    ("l[:-100:-1]", "[3,2,1]"),
    ("l[2147483646:2147483647:2147483647]", "[]"),
    ("n[0:1]", "null"),
    // Projections.
    ("rows[*].k", "[\"b\",\"a\",\"b\"]"),
    ("rows[*].v", "[2,1.5]"),
    ("rows[].tags[]", "[1,2,3]"),
    ("rows[].tags", "[[1,2],[3]]"),
    ("rows[*].tags[0]", "[1,3]"),
    ("rows[*].tags | [0]", "[1,2]"),
    ("nested[]", "[1,2,[3],4]"),
    ("nested[][]", "[1,2,3,4]"),
    ("o.*", "[1,{\"c\":\"deep\"},true]"),
    ("o.*.c", "[\"deep\"]"),
    ("n[*]", "null"),
    ("l.*", "null"),
    ("n[]", "null"),
    ("rows[:2].k", "[\"b\",\"a\"]"),
    // Filters.
    ("rows[?k == 'b'].v", "[2]"),
    ("rows[?v > `1.6`].k", "[\"b\"]"),
    ("rows[?v].k", "[\"b\",\"a\"]"),
    ("rows[?!v].k", "[\"b\"]"),
    ("rows[?k == 'b' && v == `2`].tags[]", "[1,2]"),
    ("rows[?k == 'z' || v == `1.5`].k", "[\"a\"]"),
    ("rows[?contains(tags || `[]`, `3`)].k", "[\"a\"]"),
    ("l[?@ > `1`]", "[2,3]"),
    ("rows[?tags[?@ == `3`]].k", "[\"a\"]"),
    // Selections.
    ("[n, o.a]", "[1,1]"),
    ("{z: n, a: o.a}", "{\"z\":1,\"a\":1}"),
    ("{\"x y\": n}", "{\"x y\":1}"),
    (
        "rows[*].{key: k, n: v}",
        "[{\"key\":\"b\",\"n\":2},{\"key\":\"a\",\"n\":1.5},{\"key\":\"b\",\"n\":null}]",
    ),
    ("rows[*].[k, v]", "[[\"b\",2],[\"a\",1.5],[\"b\",null]]"),
    ("missing.{a: b}", "null"),
    ("missing.[a]", "null"),
    ("o.[a, b.c]", "[1,\"deep\"]"),
    // Literals.
    ("'text'", "\"text\""),
    ("'it\\'s'", "\"it's\""),
    ("`{\"b\": 1, \"a\": [1.0, 2]}`", "{\"b\":1,\"a\":[1.0,2]}"),
    ("`\"a\\`b\"`", "\"a`b\""),
    ("`9007199254740993`", "9007199254740993"),
    ("`1`", "1"),
    ("`1.0`", "1.0"),
    ("`true`", "true"),
    // Operators.
    ("n == `1.0`", "true"),
    ("n != `1`", "false"),
    ("n < `2` && n >= `1`", "true"),
    ("big == `9007199254740992`", "false"),
    ("big > `9007199254740992`", "true"),
    ("big", "9007199254740993"),
    (
        "o == `{\"k-1\": true, \"b\": {\"c\": \"deep\"}, \"a\": 1}`",
        "true",
    ),
    ("l == `[1, 2]`", "false"),
    ("s == 'abc'", "true"),
    ("s < 'b'", "null"),
    ("s == n", "false"),
    ("missing == `null`", "true"),
    ("!missing", "true"),
    ("!n", "false"),
    ("!empty", "true"),
    ("!!l", "true"),
    ("!o.a", "false"),
    ("!o.missing.x", "true"),
    ("!o.a | @", "false"),
    ("!rows[?v]", "false"),
    ("!missing && s", "\"abc\""),
    ("missing || empty || s", "\"abc\""),
    ("s && n", "1"),
    ("empty && n", "[]"),
    ("(missing || l)[1]", "2"),
    ("n == `1` == `true`", "true"),
    // Functions on numbers.
    ("abs(`-3`)", "3"),
    ("abs(`-3.5`)", "3.5"),
    ("abs(big)", "9007199254740993"),
    ("ceil(`1.2`)", "2"),
    ("floor(`-1.2`)", "-2"),
    ("floor(big)", "9007199254740993"),
    ("avg(l)", "2"),
    ("avg(`[1, 2]`)", "1.5"),
    ("avg(empty)", "null"),
    ("sum(l)", "6"),
    ("sum(empty)", "0"),
    ("sum(`[0.5, 1]`)", "1.5"),
    ("max(l)", "3"),
    ("min(l)", "1"),
    ("max(empty)", "null"),
    ("max(`[\"a\", \"c\", \"b\"]`)", "\"c\""),
    ("min(`[1, 0.5]`)", "0.5"),
    // Functions on lists and objects.
    ("contains(l, `2.0`)", "true"),
    ("contains(s, 'bc')", "true"),
    ("contains(s, n)", "false"),
    ("contains(rows, `{}`)", "false"),
    ("join(', ', rows[*].k)", "\"b, a, b\""),
    ("join('-', empty)", "\"\""),
    ("keys(o)", "[\"a\",\"b\",\"k-1\"]"),
    ("values(o.b)", "[\"deep\"]"),
    ("length(s)", "3"),
    ("length('größe')", "5"),
    ("length(o)", "3"),
    ("length(l)", "3"),
    ("map(&k, rows)", "[\"b\",\"a\",\"b\"]"),
    ("map(&v, rows)", "[2,1.5,null]"),
    ("max_by(rows[?v], &v).k", "\"b\""),
    ("min_by(rows[?v], &v).k", "\"a\""),
    ("max_by(empty, &v)", "null"),
    ("merge(o.b, `{\"c\": 1, \"d\": 2}`)", "{\"c\":1,\"d\":2}"),
    ("not_null(missing, o.missing, s, n)", "\"abc\""),
    ("reverse(l)", "[3,2,1]"),
    ("reverse('größe')", "\"eßörg\""),
    ("sort(`[3, 1.5, 2]`)", "[1.5,2,3]"),
    ("sort(`[\"b\", \"B\", \"a\"]`)", "[\"B\",\"a\",\"b\"]"),
    ("sort_by(rows[?v], &v)[*].k", "[\"a\",\"b\"]"),
    ("sort_by(rows, &k)[*].v", "[1.5,2]"),
    ("to_array(n)", "[1]"),
    ("to_array(l)", "[1,2,3]"),
    ("rows | length(@)", "3"),
    ("rows[*].length(k)", "[1,1,1]"),
    // Functions on text, and those that JMESPath has not.
    ("starts_with(s, 'ab')", "true"),
    ("ends_with(s, 'ab')", "false"),
    ("to_string(s)", "\"abc\""),
    ("to_string(o.b)", "\"{\\\"c\\\":\\\"deep\\\"}\""),
    ("to_number('1e2')", "100.0"),
    ("to_number('x')", "null"),
    ("to_number('9007199254740993')", "9007199254740993"),
    (
        "[type(n), type(s), type(l), type(o), type(missing), type(`true`)]",
        "[\"number\",\"string\",\"array\",\"object\",\"null\",\"boolean\"]",
    ),
    ("to_json(s)", "\"\\\"abc\\\"\""),
    (
        "parse_json('{\"b\": 1, \"a\": [9007199254740993, 1.0]}')",
        "{\"b\":1,\"a\":[9007199254740993,1.0]}",
    ),
    (
        "[default(missing.x, s), default(n, s), default(missing, `null`)]",
        "[\"abc\",1,null]",
    ),
];

#[test]
fn every_expression_has_its_value() {
    let scope = scope(json!({
        "n": 1, "s": "abc", "l": [1, 2, 3], "empty": [], "big": 9_007_199_254_740_993_u64,
        "with space": "quoted",
        "o": {"a": 1, "b": {"c": "deep"}, "k-1": true},
        "nested": [[1, 2, [3]], 4],
        "rows": [{"k": "b", "v": 2, "tags": [1, 2]}, {"k": "a", "v": 1.5, "tags": [3]}, {"k": "b"}],
    }));
    for &(text, expected) in CASES {
        match evaluate(text, &scope) {
            Ok(value) => assert_eq!(value.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {} {error}", error.code),
        }
    }
}

#[test]
fn branches_of_if_are_evaluated_only_when_taken() {
    let scope = scope(json!({"ok": true, "no": null}));
    for (text, expected) in [
        ("if(ok, 'yes', abs(to_string(ok)))", json!("yes")),
        ("if(no, abs(to_string(ok)), 'no')", json!("no")),
        ("default(ok, abs(to_string(ok)))", json!(true)),
    ] {
        assert_eq!(evaluate(text, &scope), Ok(expected), "{text}");
    }
}

#[test]
fn objects_with_many_keys_keep_their_order() {
    let keys: Vec<String> = (0..40).rev().map(|n| format!("k{n}")).collect();
    let pairs: Vec<String> = keys.iter().map(|key| format!("{key}: n")).collect();
    let text = format!("merge({{{}}}, {{k3: 'last'}})", pairs.join(", "));
    let scope = scope(json!({"n": 1}));
    let value = evaluate(&text, &scope).unwrap();
    let found: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(found, keys.iter().collect::<Vec<_>>());
    assert_eq!(value["k3"], "last");
    let one = evaluate(&format!("{text}.k17"), &scope).unwrap();
    assert_eq!(one, json!(1));
}

#[test]
fn sorting_is_stable_and_exact() {
    let scope = scope(json!({
        "rows": [
            {"id": "a", "n": 9_007_199_254_740_993_u64}, {"id": "b", "n": 1}, {"id": "c", "n": 1.0},
            {"id": "d", "n": 9_007_199_254_740_992.0}, {"id": "e", "n": -1},
        ]
    }));
    let order = evaluate("join('', sort_by(rows, &n)[*].id)", &scope);
    assert_eq!(order, Ok(json!("ebcda")));
}
