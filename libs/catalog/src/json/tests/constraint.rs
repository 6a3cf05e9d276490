//! REQUIRED, `min`, `max`, `pattern`, and values that are not known yet.

use super::*;

/// Parameters that fit the rules, with others added or replaced.
fn with(more: Value) -> Value {
    let mut all = json!({"path": "ab", "count": 0});
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

#[test]
fn values_at_the_edges_fit() {
    let rules = rules();
    for fits in [
        json!({}),
        json!({"path": "abcd"}),
        json!({"path": "éééé"}),
        json!({"count": 9}),
        json!({"word": ""}),
        json!({"items": []}),
        json!({"items": [{"source": "a"}, {"source": "b"}]}),
        json!({"labels": {"a": "1"}, "data": "AAAA"}),
        json!({"ttl": 1000}),
        json!({"ttl": "60s"}),
        json!({"ratio": 0.5}),
        json!({"ratio": 0}),
        json!({"size": 0}),
        json!({"size": 10}),
        json!({"mode": 0}),
    ] {
        let value = with(fits);
        assert_eq!(faults(&rules, &value), "", "{value}");
        let decoded = decode(&rules, value).expect("just checked");
        assert_eq!(validate(&decoded), []);
    }
}

#[test]
fn values_beyond_the_edges_are_refused() {
    let rules = rules();
    for (value, line) in [
        (
            json!({"path": "a"}),
            "`path`: must be at least 2 characters, not 1",
        ),
        (
            json!({"path": "abcde"}),
            "`path`: must be at most 4 characters, not 5",
        ),
        (
            json!({"path": ""}),
            "`path`: is required and must not be empty",
        ),
        (json!({"count": 10}), "`count`: must be at most 9, not 10"),
        (json!({"count": -1}), "`count`: must be at least 0, not -1"),
        (
            json!({"word": "a"}),
            "`word`: must be at least 2 characters, not 1",
        ),
        (json!({"word": "ab1"}), "`word`: does not match `[a-z]+`"),
        (
            json!({"maybe": ""}),
            "`maybe`: must be at least 1 character, not 0",
        ),
        (
            json!({"items": [{"source": "a"}]}),
            "`items`: must be at least 2 elements, not 1",
        ),
        (
            json!({"labels": {"a": "", "b": ""}}),
            "`labels`: must be at most 1 entry, not 2",
        ),
        (
            json!({"data": "AAAAAA=="}),
            "`data`: must be at most 3 bytes, not 4",
        ),
        (
            json!({"ttl": 999}),
            "`ttl`: must be at least 1 second, not 0.999",
        ),
        (
            json!({"ttl": "60.001s"}),
            "`ttl`: must be at most 60 seconds, not 60.001",
        ),
        (
            json!({"ratio": 0.49}),
            "`ratio`: must be at least 0.5, not 0.49",
        ),
        (
            json!({"ratio": "NaN"}),
            "`ratio`: must be at most 1, not NaN",
        ),
        (json!({"size": 9}), "`size`: must be at least 10, not 9"),
        (
            json!({"tags": ["a", "B"]}),
            "`tags[1]`: does not match `[a-z]+`",
        ),
    ] {
        assert_eq!(faults(&rules, &with(value)), format!("{line}\n"));
    }
}

#[test]
fn required_fields_are_missed_in_json_and_in_messages() {
    let rules = rules();
    refuses(
        &rules,
        json!({"items": [{}, {"source": null}]}),
        expect![[r#"
            `items[0].source`: is required
            `items[1].source`: is required
            `path`: is required
            `count`: is required
        "#]],
    );
    // As bytes, a number that is 0 may have been sent; a text that is empty has not.
    let empty = validate(&DynamicMessage::new(rules));
    assert_eq!(
        empty
            .iter()
            .map(|v| (v.path.as_str(), &v.kind))
            .collect::<Vec<_>>(),
        [("path", &ViolationKind::Missing)]
    );
}

#[test]
fn message_breaks_the_same_rules_as_its_json() {
    let rules = rules();
    let mut message = DynamicMessage::new(rules);
    message.set_field_by_name("path", Proto::String("abcde".into()));
    message.set_field_by_name("count", Proto::I32(10));
    message.set_field_by_name("word", Proto::String("A".into()));
    message.set_field_by_name(
        "modes",
        Proto::List(vec![Proto::EnumNumber(0), Proto::EnumNumber(4)]),
    );
    let lines: Vec<_> = validate(&message).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "`path`: must be at most 4 characters, not 5",
            "`count`: must be at most 9, not 10",
            "`word`: must be at least 2 characters, not 1",
            "`word`: does not match `[a-z]+`",
            "`modes[1]`: `4` is none of `MODE_FAST`",
        ]
    );
}

#[test]
fn values_that_are_not_known_yet_fit_everywhere() {
    let skip = |v: &Value| v.as_str().is_some_and(|s| s.starts_with("${"));
    let value = json!({"path": "${a}", "count": "${b}", "items": ["${c}", {"source": "${d}"}], "tags": "${e}", "labels": {"x": "${f}"}, "mode": "${g}"});
    assert_eq!(check(&rules(), &value, &skip), []);
    let one = json!({"path": "ab", "count": 1, "items": ["${c}"]});
    let found = check(&rules(), &one, &skip);
    assert_eq!(found.len(), 1, "an unknown element still counts: {found:?}");
    assert_eq!(check(&rules(), &json!("${all}"), &skip), []);
}

#[test]
fn reference_stands_for_a_secret_of_any_form() {
    let body = r#"message Login {
      string token = 1 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {secret: true, max: 4, pattern: "[a-z]+"}];
      string name = 2 [(gearmesh.tool.v1.field) = {max: 4}];
    }"#;
    let login = fixture::message(body, "Login");
    assert_eq!(
        faults(&login, &json!({"token": "vault://team/token#value"})),
        ""
    );
    assert_eq!(faults(&login, &json!({"token": "abcd"})), "");
    refuses(
        &login,
        json!({"token": "ABCDE", "name": "vault://team/token"}),
        expect![[r#"
            `token`: must be at most 4 characters, not 5
            `token`: does not match `[a-z]+`
            `name`: must be at most 4 characters, not 18
        "#]],
    );
}
