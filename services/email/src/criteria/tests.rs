//! Criteria become commands, and nothing else does.

use super::*;
use serde_json::json;

fn command(criteria: Value) -> String {
    match Criteria::parse(criteria.as_array().unwrap()) {
        Ok(criteria) => criteria.command().join("|"),
        Err(e) => format!("refused: {e}"),
    }
}

#[test]
fn criteria_become_one_command() {
    for (criteria, expected) in [
        (json!([]), "UID SEARCH ALL"),
        (json!(["unseen"]), "UID SEARCH UNSEEN"),
        (
            json!(["!SEEN", "FROM ann b"]),
            "UID SEARCH NOT SEEN FROM \"ann b\"",
        ),
        (json!(["FROM \"a\""]), "UID SEARCH FROM \"a\""),
        (
            json!([
                ["SINCE", "2026-11-01"],
                ["BEFORE", "May 2, 2026"],
                ["ON", "3-Nov-2026"],
                ["SENTON", "2026-11-01T10:00:00Z"]
            ]),
            "UID SEARCH SINCE 01-Nov-2026 BEFORE 02-May-2026 ON 03-Nov-2026 SENTON 01-Nov-2026",
        ),
        (
            json!([["OR", "FLAGGED", ["NOT", ["SUBJECT", "x"]]]]),
            "UID SEARCH OR FLAGGED NOT SUBJECT \"x\"",
        ),
        (
            json!([["OR", [["FROM", "a"], "SEEN"], "NEW"]]),
            "UID SEARCH OR (FROM \"a\" SEEN) NEW",
        ),
        (
            json!([["HEADER", "X-A", "b"]]),
            "UID SEARCH HEADER \"X-A\" \"b\"",
        ),
        (
            json!([["UID", "1,5:*"], ["LARGER", 100]]),
            "UID SEARCH UID 1,5:* LARGER 100",
        ),
        (json!([["KEYWORD", "$Work"]]), "UID SEARCH KEYWORD $Work"),
        (
            json!([["SUBJECT", "grün"], "SEEN", ["BODY", "é"]]),
            "UID SEARCH CHARSET UTF-8 SUBJECT {5}|grün SEEN BODY {2}|é",
        ),
        (
            json!([["TO", "日"], ["CC", "本"]]),
            "UID SEARCH CHARSET UTF-8 TO {3}|日 CC {3}|本",
        ),
    ] {
        assert_eq!(command(criteria), expected);
    }
}

#[test]
fn text_of_the_caller_is_never_a_command() {
    for (criteria, expected) in [
        (
            json!([["FROM", "\" OR ALL \\"]]),
            "UID SEARCH FROM \"\\\" OR ALL \\\\\"",
        ),
        (
            json!([["FROM", "{9999999}"]]),
            "UID SEARCH FROM \"{9999999}\"",
        ),
    ] {
        assert_eq!(command(criteria), expected);
    }
    for bad in [
        json!([["FROM", "\"\r\nA1 LOGOUT"]]),
        json!([["FROM", "a\0"]]),
        json!([["FROM", "x".repeat(TEXT_MAX + 1)]]),
        json!(["UNSEEN\r\nA1 LOGOUT"]),
        json!(["LOGOUT"]),
        json!(["1:5"]),
        json!([["KEYWORD", "a)"]]),
        json!([["KEYWORD", "a b"]]),
        json!([["UID", "1 ALL"]]),
        json!([["UID", "0"]]),
        json!([["SINCE", "yesterday"]]),
        json!([["SINCE", "2026-02-30"]]),
        json!([["LARGER", "x"]]),
        json!([["FROM"]]),
        json!([["SEEN", "x"]]),
        json!([["OR", "SEEN"]]),
        json!([[]]),
        json!([1]),
        json!([{}]),
        json!([["FROM", {}]]),
    ] {
        assert!(
            command(bad.clone()).starts_with("refused"),
            "{bad}: {}",
            command(bad.clone())
        );
    }
}

#[test]
fn depth_and_number_of_terms_are_bounded() {
    let nested = |n| (0..n).fold(json!("SEEN"), |t, _| json!(["NOT", t]));
    assert!(!command(json!([nested(DEPTH_MAX)])).starts_with("refused"));
    assert!(command(json!([nested(DEPTH_MAX + 1)])).starts_with("refused"));
    assert!(!command(json!(vec!["SEEN"; TERMS_MAX])).starts_with("refused"));
    assert!(command(json!(vec!["SEEN"; TERMS_MAX + 1])).starts_with("refused"));
}
