//! Words in any order.

use gearmesh_expr::{Expression, Template};
use serde_json::json;

use crate::scope;

#[rustfmt::skip]
const WORDS: [&str; 58] = [
    "a", "o", "l", "missing", ".", ".", "[", "]", "[]", "[?", "[*]", "[0]", "[1:]", "[::-1]", "*",
    "(", ")", "{", "}", "k:", ",", "|", "||", "&&", "!", "&", "@", "==", "<", " ", "'t'", "`1`", "`[`", "\"q\"", "5", "-1", "true",
    "length(", "sort_by(", "merge(", "to_json(", "ö", "$", "${",
    "group_by(", "unique_by(", "range(", "split(", "replace(", "regex_match(", "date_format(", "date_add(", "uuid(", "upper(", "'2026-01-25T12:00:00Z'", "'yyyy'", "'+1d'", "now",
];

#[test]
fn random_words_never_panic() {
    let scope =
        scope(json!({"a": 1, "o": {"a": {"k": [1, "x"]}, "k": null}, "l": [1, [2], {"a": 3}]}));
    let (mut state, mut parsed) = (1_u64, 0);
    for _ in 0..40_000 {
        let mut text = String::new();
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..1 + next(9) {
            text.push_str(WORDS[next(WORDS.len() as u64) as usize]);
        }
        let errors = match Expression::parse(&text) {
            Ok(expression) => {
                parsed += 1;
                [
                    expression.evaluate(&scope).err(),
                    expression.holds(&scope).err(),
                ]
            }
            Err(error) => [Some(error), Expression::condition(&text).err()],
        };
        for error in errors.into_iter().flatten() {
            assert!(
                text.get(error.span.start..error.span.end).is_some(),
                "{text}: {error:?}"
            );
            if let Some(fix) = error.fix {
                assert!(text.get(fix.span.start..fix.span.end).is_some(), "{text}");
            }
        }
        let whole = format!("x ${{{text}}} ${text}");
        if let Ok(template) = Template::parse(&whole) {
            assert!(
                template
                    .expressions()
                    .all(|(_, span)| whole.get(span.start..span.end).is_some())
            );
        }
    }
    assert!(parsed > 500, "only {parsed} texts were expressions");
}
