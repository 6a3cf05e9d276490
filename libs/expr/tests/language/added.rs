//! WF-4.8: the functions that the language adds to JMESPath.

use std::borrow::Cow;

use gearmesh_expr::{Expression, PATTERN_MAX, SEARCHED_TEXT_MAX, Scope};
use serde_json::{Map, Value, json};

use crate::{evaluate, scope};

/// Expression and value as JSON, over a world with an instant and some lists.
fn check(cases: &[(&str, &str)]) {
    let scope = scope(json!({
        "now": "2026-01-25T12:00:00.000Z",
        "run": {"id": "run_36zn0sv00pg07", "scheduledAt": "2026-03-29T00:30:05.123456Z"},
        "empty": [], "text": "a,b,,c", "name": "Ștefan cel Mare",
        "rows": [
            {"k": "b", "v": 1, "url": "/1"}, {"k": "a", "v": 1.0, "url": "/2"},
            {"k": "b", "v": 2, "url": "/1"}, {"k": "c", "url": "/3", "v": null},
        ],
    }));
    for &(text, expected) in cases {
        match evaluate(text, &scope) {
            Ok(value) => assert_eq!(value.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {} {error}", error.code),
        }
    }
}

#[test]
fn instants_are_written_by_patterns() {
    check(&[
        ("date_format(now, 'yyyy-MM-dd')", r#""2026-01-25""#),
        (
            "date_format(run.scheduledAt, 'yyyy-MM-dd', 'Europe/Chisinau')",
            r#""2026-03-29""#,
        ),
        (
            "date_format('2026-01-25T23:30:00Z', 'dd.MM.yy HH:mm:ss', 'Europe/Chisinau')",
            r#""26.01.26 01:30:00""#,
        ),
        (
            "date_format('2026-01-25T02:05:09-05:00', 'H:m:s', 'UTC')",
            r#""7:5:9""#,
        ),
        // Over the gap of that night in Chișinău, from 02:00 to 03:00.
        (
            "date_format('2026-03-29T00:59:59Z', 'HH:mm XXX', 'Europe/Chisinau')",
            r#""02:59 +02:00""#,
        ),
        (
            "date_format('2026-03-29T01:00:00Z', 'HH:mm XXX', 'Europe/Chisinau')",
            r#""04:00 +03:00""#,
        ),
        (
            "date_format(now, 'EEEE, d MMMM yyyy')",
            r#""Sunday, 25 January 2026""#,
        ),
        (
            "date_format(now, 'EEE d MMM yy, M')",
            r#""Sun 25 Jan 26, 1""#,
        ),
        ("date_format(now, 'hh:mm a h')", r#""12:00 PM 12""#),
        (
            "date_format('2026-01-25T00:07:00Z', 'hh:mm a')",
            r#""12:07 AM""#,
        ),
        ("date_format('2026-01-25T13:07:00Z', 'h a')", r#""1 PM""#),
        (
            "date_format(run.scheduledAt, 'ss.S SS SSS SSSSSS SSSSSSSSS')",
            r#""05.1 12 123 123456 123456000""#,
        ),
        ("date_format(now, 'XXX xxx VV')", r#""Z +00:00 UTC""#),
        (
            "date_format(now, 'xxx VV', 'America/New_York')",
            r#""-05:00 America/New_York""#,
        ),
        ("date_format(now, 'XXX', 'Asia/Kolkata')", r#""+05:30""#),
        (
            r"date_format(now, 'yyyy-MM-dd\'T\'HH:mm')",
            r#""2026-01-25T12:00""#,
        ),
        (
            r"date_format(now, '\'day \'d\' o\'\'clock\' \'\'')",
            r#""day 25 o'clock '""#,
        ),
        ("date_format(now, '')", r#""""#),
        ("date_format(now, 'ö d')", r#""ö 25""#),
        (
            "date_format('0033-04-03T12:00:00Z', 'yyyy yy')",
            r#""0033 33""#,
        ),
        ("date_format('9999-12-30T12:00:00Z', 'yyyy')", r#""9999""#),
    ]);
}

#[test]
fn instants_move_and_have_weeks() {
    check(&[
        ("date_add(now, '+24h')", r#""2026-01-26T12:00:00.000Z""#),
        ("date_add(now, '1h30m')", r#""2026-01-25T13:30:00.000Z""#),
        ("date_add(now, '-2w')", r#""2026-01-11T12:00:00.000Z""#),
        ("date_add(now, '250ms')", r#""2026-01-25T12:00:00.250Z""#),
        (
            "date_add('2026-01-25T12:00:00+02:00', '0s')",
            r#""2026-01-25T10:00:00.000Z""#,
        ),
        // A day is 24 hours, also where a clock is put forward.
        (
            "date_add('2026-03-28T12:00:00+02:00', '1d')",
            r#""2026-03-29T10:00:00.000Z""#,
        ),
        ("iso_week(now)", r#""2026-W04""#),
        ("iso_week('2027-01-03T12:00:00Z')", r#""2026-W53""#),
        (
            "iso_week('2026-01-25T23:30:00Z', 'Europe/Chisinau')",
            r#""2026-W05""#,
        ),
        ("iso_week(date_add(now, '+1w'))", r#""2026-W05""#),
    ]);
}

#[test]
fn lists_are_grouped_and_made() {
    check(&[
        ("unique_by(rows, &url)[*].k", r#"["b","a","c"]"#),
        ("unique_by(rows, &v)[*].k", r#"["b","b","c"]"#),
        ("length(unique_by(rows, &missing))", "1"),
        ("unique_by(empty, &x)", "[]"),
        (
            "length(unique_by([`{\"a\": 1, \"b\": [2]}`, `{\"b\": [2.0], \"a\": 1}`, `{\"a\": \"1\"}`], &@))",
            "2",
        ),
        (
            "unique_by(['a:b', 'a', `1`, '1', `true`, 'true', `null`], &@)",
            r#"["a:b","a",1,"1",true,"true",null]"#,
        ),
        (
            "group_by(rows, &k) | {b: b[*].v, order: keys(@)}",
            r#"{"b":[1,2],"order":["b","a","c"]}"#,
        ),
        ("group_by(rows[?v], &v) | keys(@)", r#"["1","2"]"#),
        (
            "group_by(rows, &default(v, 'none')).none[*].url",
            r#"["/3"]"#,
        ),
        (
            "group_by([`true`, 'true', `false`], &@)",
            r#"{"true":[true,"true"],"false":[false]}"#,
        ),
        ("group_by(empty, &x)", "{}"),
        ("range(`3`)", "[0,1,2]"),
        ("range(`2`, `5`)", "[2,3,4]"),
        ("range(`5`, `0`, `-2`)", "[5,3,1]"),
        ("range(`1`, `10.0`, `4`)", "[1,5,9]"),
        ("range(`0`)", "[]"),
        ("range(`3`, `1`)", "[]"),
        ("range(length(rows))", "[0,1,2,3]"),
        (
            "range(`9223372036854775806`, `9223372036854775807`, `9`)",
            "[9223372036854775806]",
        ),
    ]);
}

#[test]
fn text_is_rewritten() {
    check(&[
        ("split(text, ',')", r#"["a","b","","c"]"#),
        ("split(text, ';')", r#"["a,b,,c"]"#),
        ("split('', ',')", r#"[""]"#),
        ("split('aé', '')", r#"["a","é"]"#),
        ("split('a--b', '--')[1]", r#""b""#),
        ("replace(text, ',', ', ')", r#""a, b, , c""#),
        ("replace('aaa', 'aa', 'b')", r#""ba""#),
        ("replace('a.c', '.', '')", r#""ac""#),
        ("replace('abc', 'x', 'y')", r#""abc""#),
        ("lower(name)", r#""ștefan cel mare""#),
        ("upper(name)", r#""ȘTEFAN CEL MARE""#),
        ("upper('straße')", r#""STRASSE""#),
        ("trim('  a b\t\n')", r#""a b""#),
        ("trim('')", r#""""#),
    ]);
}

#[test]
fn text_is_searched_by_patterns() {
    check(&[
        ("regex_match(name, 'cel')", "true"),
        ("regex_match(name, '^cel')", "false"),
        ("regex_match(name, '^Ș.*Mare$')", "true"),
        (r"regex_match('order 4711', '^\w+ \d{4}$')", "true"),
        ("regex_match('', '')", "true"),
        ("regex_match('ABC', '(?i)b')", "true"),
        (r"regex_match('a-b', '\bb\b')", "true"),
        (r"regex_match('größe', '^\w+$')", "true"),
        ("rows[?regex_match(url, '[12]$')].k", r#"["b","a","b"]"#),
        (
            "rows[?regex_match(k, join('', ['^', k, '$']))].k",
            r#"["b","a","b","c"]"#,
        ),
    ]);
    let text = |bytes: usize| scope(json!({"t": "a".repeat(bytes), "p": "a".repeat(PATTERN_MAX)}));
    let found = |bytes: usize| evaluate("regex_match(t, 'b')", &text(bytes));
    assert_eq!(found(SEARCHED_TEXT_MAX), Ok(json!(false)));
    assert_eq!(
        found(SEARCHED_TEXT_MAX + 1).unwrap_err().code,
        "EXPRESSION_LIMIT"
    );
    let scope = text(2_000);
    assert_eq!(evaluate("regex_match(t, p)", &scope), Ok(json!(true)));
    let longer = evaluate("regex_match(t, join('', [p, 'a']))", &scope);
    assert_eq!(longer.unwrap_err().code, "EXPRESSION_LIMIT");
    // More patterns than are kept at once.
    let many: Vec<String> = (0..12)
        .map(|n| format!("regex_match('x{n}y', 'x{n}y')"))
        .collect();
    let twice = format!("[{}, {}]", many.join(","), many.join(","));
    assert_eq!(evaluate(&twice, &scope), Ok(json!(vec![true; 24])));
}

#[test]
fn text_is_encoded() {
    check(&[
        (
            "sha256('')",
            r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
        ),
        (
            "sha256('abc')",
            r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
        ),
        ("base64('foob')", r#""Zm9vYg==""#),
        ("base64('ș?')", r#""yJk/""#),
        ("base64_decode('Zm9vYg==')", r#""foob""#),
        ("base64_decode(base64(name)) == name", "true"),
        ("base64_decode('')", r#""""#),
        ("url_encode('a b/ș?~-._')", r#""a%20b%2F%C8%99%3F~-._""#),
        ("url_encode('')", r#""""#),
    ]);
}

/// A scope that says what it is for.
struct At(Map<String, Value>, Option<&'static str>);

impl Scope for At {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        Map::get(&self.0, name).map(Cow::Borrowed)
    }

    fn instance(&self) -> Option<Cow<'_, str>> {
        self.1.map(Cow::Borrowed)
    }
}

#[test]
fn a_uuid_is_that_of_its_place() {
    let uuid = |text: &str, run: &str, index: Option<u64>, instance| {
        let mut names = scope(json!({"run": {"id": run}}));
        if let Some(index) = index {
            names.insert("index".to_owned(), index.into());
        }
        let value = Expression::parse(text)
            .unwrap()
            .evaluate(&At(names, instance))
            .unwrap();
        value.as_str().unwrap().to_owned()
    };
    let one = uuid("uuid()", "run_1", None, None);
    // What it is must never change: runs that go on after an update meet it again.
    assert_eq!(one, "a421c9f9-7c83-8e4f-a57b-5ca5b96e30e8");
    assert_eq!(one, uuid("uuid()", "run_1", None, None));
    let others = [
        uuid("uuid()", "run_2", None, None),
        uuid("uuid('x')", "run_1", None, None),
        uuid("uuid()", "run_1", Some(0), None),
        uuid("uuid()", "run_1", Some(1), None),
        uuid("uuid()", "run_1", None, Some("a")),
        uuid("uuid()", "run_1", None, Some("b")),
        uuid("uuid('a')", "run_1", None, Some("b")),
        uuid("uuid('ba')", "run_1", None, None),
    ];
    for (at, other) in others.iter().enumerate() {
        assert!(!others[..at].contains(other) && *other != one, "{at}");
        let parts: Vec<usize> = other.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&other[14..15], "8", "version");
        assert!("89ab".contains(&other[19..20]), "variant");
    }
    // Where the scope says what it is for, the position is part of that.
    let placed = |index| uuid("uuid()", "run_1", Some(index), Some("a[1]"));
    assert_eq!(placed(1), placed(2));
}
