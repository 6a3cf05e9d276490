//! Values there and back.

use super::*;

#[test]
fn values_come_back_as_they_went_in() {
    let kinds = kinds();
    same(
        &kinds,
        json!({"text": "héllo", "flag": true, "i32": -5, "u32": 7, "single": 0.1, "doubleValue": 2.5}),
    );
    same(
        &kinds,
        json!({"child": {"name": "a", "children": [{"name": "b", "children": []}]}}),
    );
    same(
        &kinds,
        json!({"labels": {"a": "1", "b": "2"}, "texts": ["x", "y"], "nothing": {}}),
    );
    same(
        &kinds,
        json!({"byNumber": {"-1": {"name": "a", "children": []}, "7": {"name": "", "children": []}}}),
    );
    same(
        &kinds,
        json!({"mask": "text,doubleValue", "open": {"a": [1.5, null]}, "value": null, "wrapped": 5}),
    );
    same(&kinds, json!({"left": "", "maybe": ""}));
}

#[test]
fn both_spellings_are_read_and_one_is_written() {
    let decoded = decode(&kinds(), json!({"double_value": 1.5, "by_number": {}})).expect("fits");
    assert_eq!(encode(&decoded)["doubleValue"], json!(1.5));
    refuses(
        &kinds(),
        json!({"doubleValue": 1, "double_value": 2}),
        expect!["`double_value`: is given twice, also as `doubleValue`\n"],
    );
}

#[test]
fn defaults_are_written_and_absent_values_are_not() {
    let written = encode(&DynamicMessage::new(kinds()));
    let keys = written.as_object().expect("an object");
    assert_eq!(written["text"], json!(""));
    assert_eq!(written["i64"], json!(0));
    assert_eq!(written["texts"], json!([]));
    assert_eq!(written["labels"], json!({}));
    assert_eq!(written["color"], json!("COLOR_UNSPECIFIED"));
    for absent in [
        "maybe", "child", "time", "wait", "free", "wrapped", "left", "right", "any",
    ] {
        assert!(!keys.contains_key(absent), "{absent}");
    }
}

#[test]
fn wide_integers_are_numbers_while_exact() {
    let kinds = kinds();
    let exact = (1_i64 << 53) - 1;
    same(
        &kinds,
        json!({"i64": exact, "u64": exact, "numbers": [-exact]}),
    );
    let round_trip = round(
        &kinds,
        json!({"i64": exact + 1, "u64": u64::MAX, "numbers": [i64::MIN]}),
    );
    assert_eq!(
        round_trip,
        json!({"i64": "9007199254740992", "u64": "18446744073709551615", "numbers": ["-9223372036854775808"]})
    );
    same(&kinds, round_trip);
    assert_eq!(
        round(&kinds, json!({"i32": 5.0, "i64": "7"})),
        json!({"i32": 5, "i64": 7})
    );
}

#[test]
fn free_values_keep_integers_and_order() {
    let kinds = kinds();
    let value =
        json!({"z": 9_007_199_254_740_993_u64, "a": [1, 1.5, null, {"m": -3}], "k": u64::MAX});
    let written = round(
        &kinds,
        json!({"free": value, "frees": [null, 1, "x"], "named": {"n": null}}),
    );
    assert_eq!(
        written.to_string(),
        r#"{"free":{"z":9007199254740993,"a":[1,1.5,null,{"m":-3}],"k":18446744073709551615},"frees":[null,1,"x"],"named":{"n":null}}"#
    );
    assert_eq!(round(&kinds, json!({"free": null})), json!({"free": null}));
}

#[test]
fn durations_count_in_their_unit() {
    let kinds = kinds();
    for (input, output) in [
        (json!({"wait": 1500}), json!({"wait": 1500})),
        (json!({"wait": "1.5s"}), json!({"wait": 1500})),
        (json!({"life": "1h30m"}), json!({"life": 5400})),
        (json!({"life": 1.5}), json!({"life": 1})),
        (json!({"plain": "1h30m"}), json!({"plain": "5400s"})),
        (json!({"plain": "250ms"}), json!({"plain": "0.25s"})),
        (json!({"plain": "-0.5s"}), json!({"plain": "-0.5s"})),
        (json!({"waits": [1, "2s"]}), json!({"waits": [1, 2000]})),
    ] {
        assert_eq!(round(&kinds, input), output);
    }
    refuses(
        &kinds,
        json!({"plain": 5, "wait": "5", "life": true}),
        expect![[r#"
            `plain`: must be a duration such as `30s`, not a number
            `wait`: must be a duration such as `30s`, or a number of ms
            `life`: must be a duration such as `30s`, or a number of s, not a bool
        "#]],
    );
}

#[test]
fn times_end_in_z() {
    let kinds = kinds();
    for (input, output) in [
        ("2027-03-28T12:00:00Z", "2027-03-28T12:00:00Z"),
        ("2027-03-28T12:00:00+02:00", "2027-03-28T10:00:00Z"),
        ("2027-03-28T12:00:00.5Z", "2027-03-28T12:00:00.500Z"),
        ("2027-03-28T12:00:00.000001Z", "2027-03-28T12:00:00.000001Z"),
    ] {
        assert_eq!(
            round(&kinds, json!({"time": input})),
            json!({"time": output})
        );
    }
    refuses(
        &kinds,
        json!({"time": "yesterday"}),
        expect!["`time`: must be a time such as `2027-03-28T12:00:00Z`\n"],
    );
}

#[test]
fn one_text_is_a_list_of_one() {
    assert_eq!(
        round(&kinds(), json!({"texts": "a"})),
        json!({"texts": ["a"]})
    );
    refuses(
        &kinds(),
        json!({"numbers": 5}),
        expect!["`numbers`: must be a list, not a number\n"],
    );
}

#[test]
fn bytes_are_read_in_every_base64_and_written_in_one() {
    let kinds = kinds();
    for text in ["-_8=", "-_8", "+/8=", "+/8"] {
        assert_eq!(
            round(&kinds, json!({"data": text})),
            json!({"data": "+/8="})
        );
    }
    refuses(
        &kinds,
        json!({"data": "%"}),
        expect!["`data`: must be base64 text\n"],
    );
}

#[test]
fn enums_go_by_name_and_come_by_number_too() {
    let kinds = kinds();
    same(&kinds, json!({"color": "COLOR_BLUE"}));
    assert_eq!(
        round(&kinds, json!({"color": 1})),
        json!({"color": "COLOR_RED"})
    );
    refuses(
        &kinds,
        json!({"color": "RED"}),
        expect!["`color`: `RED` is none of `COLOR_RED`, `COLOR_BLUE`\n"],
    );
    refuses(
        &kinds,
        json!({"color": 9}),
        expect!["`color`: `9` is none of `COLOR_RED`, `COLOR_BLUE`\n"],
    );
    let mut unknown = DynamicMessage::new(kinds);
    unknown.set_field_by_name("color", Proto::EnumNumber(9));
    assert_eq!(encode(&unknown)["color"], json!(9));
    assert_eq!(
        validate(&unknown).first().map(|v| v.kind.clone()),
        Some(ViolationKind::Enum)
    );
}

#[test]
fn numbers_that_are_none_have_names() {
    let kinds = kinds();
    same(&kinds, json!({"doubleValue": "NaN", "single": "-Infinity"}));
    refuses(
        &kinds,
        json!({"doubleValue": "inf", "single": 1e300, "i32": 1.5, "u32": -1, "i64": "x"}),
        expect![[r#"
            `doubleValue`: must be a number
            `single`: does not fit into 32 bits
            `i32`: must be a whole number, not a fraction
            `u32`: does not fit into 32 bits
            `i64`: must be a whole number
        "#]],
    );
}

#[test]
fn null_is_an_absent_field() {
    assert_eq!(
        faults(
            &kinds(),
            &json!({"text": null, "child": null, "texts": null, "color": null})
        ),
        ""
    );
    assert_eq!(faults(&kinds(), &Value::Null), "");
    refuses(
        &kinds(),
        json!({"texts": [null], "labels": {"a": null}}),
        expect![[r#"
            `texts[0]`: must be text, not null
            `labels.a`: must be text, not null
        "#]],
    );
}

#[test]
fn every_fault_is_told_at_once() {
    refuses(
        &kinds(),
        json!({"txt": 1, "flag": "yes", "child": {"children": [{}, {"nam": 1}]}, "left": "a", "right": 1, "labels": {"a b": 1}, "whatever": 0}),
        expect![[r#"
            `txt`: is no field here; `text`?
            `flag`: must be true or false, not text
            `child.children[1].nam`: is no field here; `name`?
            `right`: cannot be given together with `left`
            `labels["a b"]`: must be text, not a number
            `whatever`: is no field here
        "#]],
    );
    refuses(
        &kinds(),
        json!([1]),
        expect!["must be an object, not a list\n"],
    );
}

#[test]
fn secrets_are_never_written() {
    let secrets = fixture::message(RULES, "Secrets");
    let value = json!({"token": "t0ken", "hidden": "h1dden", "headers": {"a": "s3cret"}, "keys": ["k3y"], "plain": "seen"});
    let decoded = decode(&secrets, value).expect("fits");
    assert_eq!(
        encode(&decoded),
        json!({"token": "***", "hidden": "***", "headers": {"a": "***"}, "keys": ["***"], "plain": "seen"})
    );
    assert_eq!(encode(&DynamicMessage::new(secrets))["token"], json!(""));
}

#[test]
fn reference_is_found_wherever_a_secret_may_stand() {
    let secrets = fixture::message(RULES, "Secrets");
    for (value, path) in [
        (json!({"token": "vault://a/b"}), Some("token")),
        (
            json!({"token": "postgres://me:vault://a/b@db/x"}),
            Some("token"),
        ),
        (
            json!({"headers": {"a": "x", "b": "vault://a/b"}}),
            Some("headers.b"),
        ),
        (json!({"keys": ["x", "vault://a/b"]}), Some("keys[1]")),
        (json!({"plain": "vault://a/b", "token": "t"}), None),
        (json!({"token": "vault://~run/a-b"}), None),
        (
            json!({"token": "vault://~run/a-b vault://a/b"}),
            Some("token"),
        ),
        (json!({}), None),
    ] {
        let decoded = decode(&secrets, value.clone()).expect("fits");
        assert_eq!(reference(&decoded).as_deref(), path, "{value}");
    }
}

#[test]
fn any_of_an_unknown_type_shows_its_bytes() {
    let kinds = kinds();
    same(
        &kinds,
        json!({"any": {"@type": "type.googleapis.com/gearmesh.lab.v1.Child", "name": "a", "children": []}}),
    );
    let mut any = DynamicMessage::new(
        kinds
            .parent_pool()
            .get_message_by_name("google.protobuf.Any")
            .expect("imported"),
    );
    any.set_field_by_name(
        "type_url",
        Proto::String("type.googleapis.com/no.such.Type".into()),
    );
    any.set_field_by_name("value", Proto::Bytes(vec![1, 2].into()));
    assert_eq!(
        encode(&any),
        json!({"@type": "type.googleapis.com/no.such.Type", "value": "AQI="})
    );
}

#[test]
fn any_within_any_is_unpacked_only_so_deep() {
    use prost::Message as _;
    let kinds = kinds();
    let pool = kinds.parent_pool();
    let any = pool
        .get_message_by_name("google.protobuf.Any")
        .expect("imported");
    let mut inner = DynamicMessage::new(any.clone());
    for _ in 0..crate::json::write::ANY_DEPTH_MAX + 1 {
        let mut outer = DynamicMessage::new(any.clone());
        outer.set_field_by_name("type_url", Proto::String("x/google.protobuf.Any".into()));
        outer.set_field_by_name("value", Proto::Bytes(inner.encode_to_vec().into()));
        inner = outer;
    }
    let mut written = encode(&inner);
    let mut depth = 0;
    while written["value"].is_object() {
        written = written["value"].take();
        depth += 1;
    }
    assert_eq!(depth, crate::json::write::ANY_DEPTH_MAX);
    assert!(written["value"].is_string());
}

#[test]
fn maps_are_written_in_the_order_of_their_keys() {
    let decoded =
        decode(&kinds(), json!({"labels": {"c": "1", "a": "2", "b": "3"}})).expect("fits");
    assert_eq!(
        encode(&decoded)["labels"].to_string(),
        r#"{"a":"2","b":"3","c":"1"}"#
    );
}

#[test]
fn free_value_that_is_no_json_is_shown_as_text() {
    let mut message = DynamicMessage::new(kinds());
    let mut free = DynamicMessage::new(message_of(&message, "gearmesh.tool.v1.Json"));
    free.set_field_by_name("text", Proto::Bytes(b"{broken".to_vec().into()));
    message.set_field_by_name("free", Proto::Message(free));
    assert_eq!(encode(&message)["free"], json!("{broken"));
}

fn message_of(message: &DynamicMessage, name: &str) -> MessageDescriptor {
    use prost_reflect::ReflectMessage as _;
    message
        .descriptor()
        .parent_pool()
        .get_message_by_name(name)
        .expect("imported")
}

#[test]
fn one_text_is_a_list_of_one_where_anything_is_listed() {
    let kinds = fixture::message("message M { repeated gearmesh.tool.v1.Json any = 1; }", "M");
    assert_eq!(
        round(&kinds, json!({"any": "ALL"})),
        json!({"any": ["ALL"]})
    );
    refuses(
        &kinds,
        json!({"any": {"a": 1}}),
        expect!["`any`: must be a list, not an object\n"],
    );
}
