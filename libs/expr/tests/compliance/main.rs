//! The public test suite of JMESPath: every case holds, or is listed with the reason why it does not.

mod differing;

use std::collections::BTreeSet;
use std::path::Path;

use gearmesh_expr::{Expression, Query};
use serde_json::{Map, Value};

use differing::DIFFERING;

/// One case of the suite.
struct Case {
    file: String,
    given: Value,
    expression: String,
    expected: Expected,
}

enum Expected {
    Value(Value),
    Error(String),
    /// It has to be understood, no more.
    Parsed,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compliance");
    let entries = std::fs::read_dir(folder).expect("the suite's folder");
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "json"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = std::fs::read(&path).expect("a file of the suite");
        let suites: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        let file = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        for suite in &suites {
            for case in suite["cases"].as_array().expect("cases") {
                cases.push(Case {
                    file: file.clone().unwrap_or_default(),
                    given: suite["given"].clone(),
                    expression: case["expression"]
                        .as_str()
                        .expect("an expression")
                        .to_owned(),
                    expected: expected(case),
                });
            }
        }
    }
    cases
}

fn expected(case: &Value) -> Expected {
    match (case.get("result"), case.get("error")) {
        (Some(value), None) => Expected::Value(value.clone()),
        (None, Some(Value::String(kind))) => Expected::Error(kind.clone()),
        (None, None) if case.get("bench").is_some() => Expected::Parsed,
        _ => panic!("not a case: {case}"),
    }
}

/// Equal as JMESPath has it: 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// What is not as the case has it.
fn difference(case: &Case) -> Option<String> {
    let found = Query::parse(&case.expression)
        .and_then(|query| query.search(&case.given))
        .map_err(|error| (error.code, error.to_string()));
    match (&case.expected, found) {
        (Expected::Value(expected), Ok(found)) if same(&found, expected) => None,
        (Expected::Parsed, Ok(_)) => None,
        (Expected::Error(kind), Err((code, message))) => {
            let expected: &[&str] = match kind.as_str() {
                "syntax" => &["EXPRESSION_SYNTAX", "QUOTED_FIELD"],
                "invalid-arity" | "unknown-function" | "invalid-value" => &["EXPRESSION_SYNTAX"],
                "invalid-type" => &["EXPRESSION_TYPE"],
                other => panic!("unknown kind of error {other}"),
            };
            (!expected.contains(&code)).then(|| format!("{code} {message}, not {kind}"))
        }
        (Expected::Error(kind), Ok(found)) => Some(format!("{found}, not the error {kind}")),
        (_, Err((code, message))) => Some(format!("{code} {message}")),
        (Expected::Value(expected), Ok(found)) => Some(format!("{found}, not {expected}")),
    }
}

#[test]
fn every_case_holds_or_is_listed() {
    let cases = cases();
    let listed: BTreeSet<(&str, &str)> = DIFFERING
        .iter()
        .map(|(file, text, _)| (*file, *text))
        .collect();
    assert_eq!(listed.len(), DIFFERING.len(), "a case is listed twice");
    let mut met = BTreeSet::new();
    let (mut passed, mut wrong) = (0, String::new());
    for case in &cases {
        let known = listed.get(&(case.file.as_str(), case.expression.as_str()));
        match (difference(case), known) {
            (None, None) => passed += 1,
            (Some(_), Some(known)) => {
                met.insert(*known);
            }
            (Some(why), None) => wrong += &format!("{}: {}\n  {why}\n", case.file, case.expression),
            (None, Some(_)) => {
                wrong += &format!("{}: {} is listed and holds\n", case.file, case.expression)
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(met, listed, "a listed case is not in the suite");
    println!(
        "{passed} of {} cases hold, {} differ",
        cases.len(),
        cases.len() - passed
    );
    assert!(cases.len() >= 875, "the suite has lost cases");
}

/// Expressions over names give what queries give, and their strict form gives the same in another implementation.
#[test]
fn names_and_the_strict_form_give_the_same() {
    let (mut named, mut strict) = (0, 0);
    for case in &cases() {
        let (Value::Object(scope), Ok(expression)) =
            (&case.given, Expression::parse(&case.expression))
        else {
            continue;
        };
        let Ok(expected) = Query::parse(&case.expression).unwrap().search(&case.given) else {
            continue;
        };
        if !expression.is_plain_path() {
            let found = expression.evaluate(scope).unwrap();
            assert_eq!(found, expected, "{}", case.expression);
            named += 1;
        }
        let written = expression.strict();
        let again = Expression::parse(&written).unwrap();
        assert_eq!(again.strict(), written, "{}", case.expression);
        let foreign = jmespath::compile(&written).unwrap();
        let data = jmespath::Variable::from_json(&case.given.to_string()).unwrap();
        if let Ok(found) = foreign.search(data) {
            let found = serde_json::to_value(&found).unwrap();
            assert!(
                same(&found, &expected),
                "{}: {found} and {expected}",
                case.expression
            );
            strict += 1;
        }
    }
    println!("{named} expressions over names, {strict} strict forms");
    assert!(named > 200 && strict > 400);
}

#[test]
fn the_strict_form_is_pure() {
    let scope: Map<String, Value> = serde_json::from_str(
        r#"{"a": {"b": null, "c": [1, 2], "d": {"e": 5}}, "l": [{"x": 1, "y": {"z": true}}, {"x": 6}], "n": 5}"#,
    )
    .unwrap();
    for (text, expected) in [
        ("n == 5", "n == `5`"),
        ("n > -1.5e3 && a.b == null", "n > `-1.5e3` && a.b == `null`"),
        ("l[?x > 5 && y != true]", "l[?x > `5` && y != `true`]"),
        ("!a.b", "!(a.b)"),
        ("!a", "!a"),
        ("!!a.b.c", "!!(a.b.c)"),
        ("!(a.b)", "!(a.b)"),
        ("!(a).d.e", "!((a).d.e)"),
        ("!length(a.c)", "!length(a.c)"),
        ("!a.c[?@ == 2] || n == 5", "!(a.c[?@ == `2`]) || n == `5`"),
        ("!a.c[].q | @", "!(a.c[].q) | @"),
        ("!l[*].y.z", "!(l[*].y.z)"),
        ("l[?!y.z].x", "l[?!(y.z)].x"),
        ("!a.{x: b, y: d.e}.x", "!(a.{x: b, y: d.e}.x)"),
        ("!a.d.length(@)", "!(a.d.length(@))"),
        ("'n == 5'", "'n == 5'"),
        ("a.d.*", "a.d.*"),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.strict(), expected, "WF-4.7 {text}");
        let value = expression.evaluate(&scope).unwrap();
        let again = Expression::parse(expected)
            .unwrap()
            .evaluate(&scope)
            .unwrap();
        assert_eq!(value, again, "{text}");
        let data =
            jmespath::Variable::from_json(&Value::Object(scope.clone()).to_string()).unwrap();
        let foreign = jmespath::compile(expected).unwrap().search(data).unwrap();
        let foreign = serde_json::to_value(&foreign).unwrap();
        assert!(same(&foreign, &value), "{text}: {foreign} and {value}");
    }
}
