//! Expressions that only mean harm, with what they are let loose on. The test says what becomes of them, the bench how long
//! that takes.

use serde_json::{Map, Value, json};

/// One attack.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) scope: Map<String, Value>,
    /// The code of the error; none where the expression has a value.
    pub(crate) code: Option<&'static str>,
}

const LIMIT: Option<&str> = Some("EXPRESSION_LIMIT");
const SYNTAX: Option<&str> = Some("EXPRESSION_SYNTAX");
const TYPE: Option<&str> = Some("EXPRESSION_TYPE");

fn case(
    name: &'static str,
    text: impl Into<String>,
    scope: Value,
    code: Option<&'static str>,
) -> Case {
    let Value::Object(scope) = scope else {
        panic!("{name}: not an object");
    };
    Case {
        name,
        text: text.into(),
        scope,
        code,
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut all = texts();
    all.extend(lists());
    all.extend(large());
    all.extend(patterns());
    all.extend(programs());
    all.extend(built());
    all
}

fn texts() -> Vec<Case> {
    let none = || json!({});
    vec![
        case("5,000 open brackets", "(".repeat(5_000), none(), LIMIT),
        case("5,000 negations", "!".repeat(5_000), none(), LIMIT),
        case("5,000 lists", "[".repeat(5_000), none(), LIMIT),
        case("1,600 objects", "{a:".repeat(1_600), none(), LIMIT),
        case("2,000 calls", "length(".repeat(1_100), none(), LIMIT),
        case("4,000 filters", "a[?".repeat(2_000), none(), LIMIT),
        case(
            "a list of 4,000 names",
            format!("[{}a]", "a,".repeat(4_000)),
            json!({"a": 1}),
            None,
        ),
        case("2,700 operators", "a||".repeat(2_700) + "a", none(), LIMIT),
        case(
            "deep JSON in backticks",
            format!("`{}`", "[".repeat(8_000)),
            none(),
            SYNTAX,
        ),
        case(
            "a number of 8,000 digits",
            format!("`{}`", "9".repeat(8_000)),
            none(),
            SYNTAX,
        ),
        case("a number beyond doubles", "a > 1e400", none(), SYNTAX),
        case(
            "an index beyond 32 bits",
            "a[99999999999999999999]",
            none(),
            SYNTAX,
        ),
        case(
            "9 KiB",
            format!("'{}'", "x".repeat(9 * 1_024)),
            none(),
            LIMIT,
        ),
    ]
}

fn items(count: usize) -> Value {
    let items: Vec<Value> = (0..count)
        .map(|n| json!({"n": n, "t": [n, "x", "y"]}))
        .collect();
    json!({"items": items})
}

fn lists() -> Vec<Case> {
    let ten = "[@,@,@,@,@,@,@,@,@,@][]";
    vec![
        case(
            "three multiplying flattens",
            format!("items | {ten} | {ten} | {ten}"),
            items(1_000),
            LIMIT,
        ),
        case(
            "all pairs",
            format!("map(&map(&n, @), [{}])", ["items"; 600].join(",")),
            items(1_000),
            LIMIT,
        ),
        case(
            "200 comparisons of 1,000 objects",
            format!("[{}]", ["items == items"; 200].join(",")),
            items(1_000),
            LIMIT,
        ),
        case(
            "keys that are objects",
            "unique_by(items, &@)",
            items(100_000),
            LIMIT,
        ),
        case(
            "100,000 groups",
            "length(group_by(items, &n))",
            items(100_000),
            LIMIT,
        ),
        case(
            "sorting 60,000",
            "length(sort_by(items, &n))",
            items(60_000),
            LIMIT,
        ),
        case(
            "a range of 10^18",
            "range(`1000000000000000000`)",
            json!({}),
            LIMIT,
        ),
        case(
            "a range that passes 64 bits",
            "range(`9223372036854775800`, `9223372036854775807`, `5`)",
            json!({}),
            None,
        ),
        case(
            "30,000 instants",
            "length(map(&date_format('2026-01-25T12:00:00Z', 'EEEE', 'Europe/Chisinau'), items))",
            items(30_000),
            LIMIT,
        ),
        case(
            "30,000 UUIDs",
            "length(map(&uuid('x'), items))",
            {
                let mut scope = items(30_000);
                scope["run"] = json!({"id": "run_1"});
                scope
            },
            LIMIT,
        ),
    ]
}

/// Lists and objects that are long.
fn large() -> Vec<Case> {
    let fields = |count: usize| {
        let fields: Map<String, Value> = (0..count).map(|n| (format!("f{n}"), json!(n))).collect();
        json!({"fields": fields})
    };
    vec![
        case(
            "40,000 groups",
            "length(group_by(items, &n))",
            items(40_000),
            LIMIT,
        ),
        case(
            "sorting 40,000",
            "length(sort_by(items, &n))",
            items(40_000),
            LIMIT,
        ),
        case("a field of 100,000", "items[*].n", items(100_000), LIMIT),
        case(
            "a filter of 100,000",
            "length(items[?n > `5`])",
            items(100_000),
            LIMIT,
        ),
        case(
            "60,000 lists in one",
            "length(items[].t[])",
            items(60_000),
            LIMIT,
        ),
        case(
            "merging 20,000 fields",
            format!("length(merge({}))", ["fields"; 10].join(",")),
            fields(20_000),
            LIMIT,
        ),
        case(
            "values of 20,000 fields",
            format!("[{}]", ["length(values(fields))"; 20].join(",")),
            fields(20_000),
            LIMIT,
        ),
    ]
}

/// Text of `a` and `b` in no order.
fn random(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        if state >> 63 == 0 { 'a' } else { 'b' }
    };
    (0..bytes).map(|_| next()).collect()
}

fn patterns() -> Vec<Case> {
    let text = |text: String| json!({"t": text});
    let kib = |count: usize| count * 1_024;
    let call = |pattern: &str| format!("regex_match(t, '{pattern}')");
    vec![
        case(
            "1 MiB for a pattern",
            call("a"),
            text("x".repeat(kib(1_024))),
            LIMIT,
        ),
        case(
            "nested repetitions",
            call("^(a+)+$"),
            text("a".repeat(kib(256) - 1) + "b"),
            None,
        ),
        case(
            "alternatives that overlap",
            call("^(a|aa|a|aa)*$"),
            text("a".repeat(kib(256) - 1) + "b"),
            None,
        ),
        case(
            "x*x*x*x*x*x*",
            call("^x*x*x*x*x*x*x*x*x*x*$"),
            text("x".repeat(kib(256) - 1) + "y"),
            None,
        ),
        case(
            "states without end",
            call("[ab]*a[ab]{400}c"),
            text(random(kib(256))),
            LIMIT,
        ),
        case(
            "Unicode states without end",
            call("\\w*a\\w{8}!"),
            text(random(kib(255)) + "ö"),
            LIMIT,
        ),
    ]
}

/// Patterns that are too large, too deep or too many.
fn programs() -> Vec<Case> {
    let call = |pattern: &str| format!("regex_match(t, '{pattern}')");
    let text = |text: &str| json!({"t": text});
    let patterns: Vec<String> = (0..1_000).map(|n| format!("x{n}")).collect();
    vec![
        case(
            "a pattern that grows",
            call("(((a{50}){50}){50}){50}"),
            text("a"),
            LIMIT,
        ),
        case(
            "classes that grow",
            call("[\\w\\d]{50}\\pL{50}"),
            text("a"),
            LIMIT,
        ),
        case(
            "a pattern of 2 KiB",
            call(&"a".repeat(2_048)),
            text("a"),
            LIMIT,
        ),
        case(
            "a pattern 500 deep",
            call(&"(".repeat(500)),
            text("a"),
            TYPE,
        ),
        case(
            "1,000 patterns",
            "patterns[?regex_match('x', @)]",
            json!({"patterns": patterns}),
            LIMIT,
        ),
        case(
            "280 patterns written out",
            {
                let calls: Vec<String> = (0..280)
                    .map(|n| format!("regex_match(t, '\\w{{{n}}}')"))
                    .collect();
                format!("[{}]", calls.join(","))
            },
            text("a"),
            LIMIT,
        ),
        case("a word boundary in Greek", call("\\bx"), text("αβγ"), LIMIT),
    ]
}

fn built() -> Vec<Case> {
    let text = |bytes: usize| json!({"t": "a".repeat(bytes), "new": "x".repeat(1_000)});
    let mib = |count: usize| count * 1_024 * 1_024;
    vec![
        case(
            "replacing one by a thousand",
            "replace(t, 'a', new)",
            text(mib(1)),
            LIMIT,
        ),
        case(
            "doubling",
            format!("t{}", " | replace(@, 'a', 'aa')".repeat(40)),
            text(100),
            LIMIT,
        ),
        case(
            "a list of 3 million letters",
            "split(t, '')",
            text(mib(3)),
            LIMIT,
        ),
        case("text of 4 MiB", "length(upper(t))", text(mib(4)), LIMIT),
        case("base64 of 4 MiB", "length(base64(t))", text(mib(4)), LIMIT),
        case(
            "digests of 1 MiB",
            format!("[{}]", vec!["sha256(t)"; 20].join(",")),
            text(mib(1)),
            LIMIT,
        ),
        case(
            "a pattern of dates of 1 MiB",
            "date_format('2026-01-25T12:00:00Z', t)",
            text(mib(1)),
            LIMIT,
        ),
        case("output above 4 MiB", "[t, t, t, t, t]", text(mib(1)), LIMIT),
        case(
            "JSON of JSON",
            format!("t{}", " | to_json([@, @])".repeat(40)),
            text(100),
            LIMIT,
        ),
        case(
            "escapes of escapes",
            format!("t{}", " | to_json(@)".repeat(40)),
            json!({"t": "\"".repeat(10_000)}),
            LIMIT,
        ),
        case(
            "numbers as JSON",
            format!(
                "[{}]",
                vec!["length(to_json(range(`20000`)))"; 20].join(",")
            ),
            json!({}),
            LIMIT,
        ),
        case(
            "deep JSON in text",
            "parse_json(t)",
            json!({"t": "[".repeat(100_000)}),
            TYPE,
        ),
    ]
}
