//! The rules of the mapping, each on messages of its own.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Proto};
use serde_json::{Value, json};

use super::{ViolationKind, check, decode, encode, schema_in, schema_out, validate};
use crate::fixture;

const KINDS: &str = r#"
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_BLUE = 2; }
message Child { string name = 1; repeated Child children = 2; }
message Kinds {
  string text = 1; bool flag = 2; bytes data = 3;
  int32 i32 = 4; uint32 u32 = 5; int64 i64 = 6; uint64 u64 = 7;
  float single = 8; double double_value = 9; Color color = 10;
  repeated string texts = 11; map<string, string> labels = 12; repeated int64 numbers = 13;
  optional string maybe = 14; Child child = 15; map<int32, Child> by_number = 16;
  google.protobuf.Timestamp time = 17;
  google.protobuf.Duration plain = 18;
  google.protobuf.Duration wait = 19 [(gearmesh.tool.v1.field) = {unit: "ms"}];
  google.protobuf.Duration life = 20 [(gearmesh.tool.v1.field) = {unit: "s"}];
  gearmesh.tool.v1.Json free = 21; repeated gearmesh.tool.v1.Json frees = 22;
  map<string, gearmesh.tool.v1.Json> named = 23;
  google.protobuf.Int64Value wrapped = 24; google.protobuf.FieldMask mask = 25;
  google.protobuf.Struct open = 26; google.protobuf.Value value = 27; google.protobuf.Any any = 28;
  google.protobuf.Empty nothing = 29; google.protobuf.NullValue none = 30;
  oneof choice { string left = 31; int32 right = 32; }
  repeated google.protobuf.Duration waits = 33 [(gearmesh.tool.v1.field) = {unit: "ms"}];
}
"#;

const RULES: &str = r#"
enum Mode { MODE_UNSPECIFIED = 0; MODE_FAST = 1; }
message Item { string source = 1 [(google.api.field_behavior) = REQUIRED]; }
message Rules {
  string path = 1 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {min: 2, max: 4}];
  int32 count = 2 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {min: 0, max: 9}];
  string word = 3 [(gearmesh.tool.v1.field) = {pattern: "[a-z]+", min: 2}];
  optional string maybe = 4 [(gearmesh.tool.v1.field) = {min: 1}];
  repeated Item items = 5 [(gearmesh.tool.v1.field) = {min: 2, max: 3}];
  map<string, string> labels = 6 [(gearmesh.tool.v1.field) = {max: 1}];
  bytes data = 7 [(gearmesh.tool.v1.field) = {max: 3}];
  google.protobuf.Duration ttl = 8 [(gearmesh.tool.v1.field) = {unit: "ms", min: 1, max: 60}];
  Mode mode = 9;
  double ratio = 10 [(gearmesh.tool.v1.field) = {min: 0.5, max: 1}];
  repeated string tags = 11 [(gearmesh.tool.v1.field) = {pattern: "[a-z]+"}];
  uint64 size = 12 [(gearmesh.tool.v1.field) = {min: 10}];
  repeated Mode modes = 13;
}
message Secrets {
  string token = 1 [(gearmesh.tool.v1.field) = {secret: true}];
  string hidden = 2 [debug_redact = true];
  map<string, string> headers = 3 [(gearmesh.tool.v1.field) = {secret: true}];
  repeated string keys = 4 [(gearmesh.tool.v1.field) = {secret: true}];
  string plain = 5;
}
"#;

fn kinds() -> MessageDescriptor {
    fixture::message(KINDS, "Kinds")
}

fn rules() -> MessageDescriptor {
    fixture::message(RULES, "Rules")
}

/// What is left of a value after reading and writing it: the keys that it named.
#[track_caller]
fn round(message: &MessageDescriptor, input: Value) -> Value {
    let keys: Vec<String> = input
        .as_object()
        .map(|o| o.keys().cloned().collect())
        .unwrap_or_default();
    let decoded = decode(message, input).expect("the value fits");
    assert_eq!(validate(&decoded), []);
    let written = encode(&decoded);
    keys.into_iter()
        .map(|k| (k.clone(), written[k].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[track_caller]
fn same(message: &MessageDescriptor, value: Value) {
    assert_eq!(round(message, value.clone()), value);
}

/// Violations, one line each.
fn faults(message: &MessageDescriptor, value: &Value) -> String {
    let mut out = String::new();
    for v in check(message, value, &|_| false) {
        let _ = writeln!(out, "{v}");
    }
    out
}

#[track_caller]
fn refuses(message: &MessageDescriptor, value: Value, expected: Expect) {
    expected.assert_eq(&faults(message, &value));
    assert_eq!(
        decode(message, value.clone()).map(|_| ()),
        Err(check(message, &value, &|_| false)),
        "reading refuses what checking does"
    );
}

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
fn constraints_hold_at_their_edges() {
    let rules = rules();
    let base = json!({"path": "ab", "count": 0});
    let with = |more: Value| {
        let mut all = base.clone();
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    };
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
            "`maybe`: must be at least 1 characters, not 0",
        ),
        (
            json!({"items": [{"source": "a"}]}),
            "`items`: must be at least 2 elements, not 1",
        ),
        (
            json!({"labels": {"a": "", "b": ""}}),
            "`labels`: must be at most 1 entries, not 2",
        ),
        (
            json!({"data": "AAAAAA=="}),
            "`data`: must be at most 3 bytes, not 4",
        ),
        (
            json!({"ttl": 999}),
            "`ttl`: must be at least 1 seconds, not 0.999",
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
    for _ in 0..super::write::ANY_DEPTH_MAX + 1 {
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
    assert_eq!(depth, super::write::ANY_DEPTH_MAX);
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
fn schema_says_what_is_checked() {
    expect![[r#"{"type":"object","properties":{"path":{"type":"string","minLength":2,"maxLength":4},"count":{"type":"integer","minimum":0,"maximum":9},"word":{"type":"string","minLength":2,"pattern":"^(?:[a-z]+)$"},"maybe":{"type":"string","minLength":1},"items":{"type":"array","items":{"type":"object","properties":{"source":{"type":"string"}},"required":["source"],"additionalProperties":false},"minItems":2,"maxItems":3},"labels":{"type":"object","additionalProperties":{"type":"string"},"maxProperties":1},"data":{"type":"string","contentEncoding":"base64"},"ttl":{"type":["string","integer"],"minimum":1000,"maximum":60000,"description":"Text with a unit, as `30s`, or a number of ms."},"mode":{"type":"string","enum":["MODE_FAST"]},"ratio":{"type":"number","minimum":0.5,"maximum":1},"tags":{"type":"array","items":{"type":"string","pattern":"^(?:[a-z]+)$"}},"size":{"type":"integer","minimum":10},"modes":{"type":"array","items":{"type":"string","enum":["MODE_FAST"]}}},"required":["path","count"],"additionalProperties":false}"#]]
    .assert_eq(&schema_in(&rules()).to_string());
}

#[test]
fn schema_of_an_answer_shows_what_is_written() {
    let schema = schema_out(&kinds());
    let of = |name: &str| schema["properties"][name].clone();
    assert_eq!(of("i64"), json!({"type": ["integer", "string"]}));
    assert_eq!(of("time"), json!({"type": "string", "format": "date-time"}));
    assert_eq!(of("free"), json!({}));
    assert_eq!(
        of("wait"),
        json!({"type": "integer", "description": "Unit: ms."})
    );
    assert_eq!(of("wrapped"), json!({"type": ["integer", "string"]}));
    assert_eq!(
        of("color")["enum"],
        json!(["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"])
    );
    assert_eq!(schema.get("additionalProperties"), None);
}

#[test]
fn schema_tells_secrets_choices_and_directions() {
    let body = r#"message Both {
      string token = 1 [(gearmesh.tool.v1.field) = {secret: true}];
      string made = 2 [(google.api.field_behavior) = OUTPUT_ONLY];
      string given = 3 [(google.api.field_behavior) = INPUT_ONLY];
      oneof choice { string left = 4; string right = 5; }
      // The old one.
      string old = 6 [deprecated = true, (gearmesh.tool.v1.field) = {example: "\"x\""}];
    }"#;
    let both = fixture::message(body, "Both");
    let names = |schema: &Value| -> Vec<String> {
        schema["properties"]
            .as_object()
            .map(|o| o.keys().cloned().collect())
            .unwrap_or_default()
    };
    let input = schema_in(&both);
    assert_eq!(names(&input), ["token", "given", "left", "right", "old"]);
    assert_eq!(
        names(&schema_out(&both)),
        ["token", "made", "left", "right", "old"]
    );
    assert_eq!(
        input["properties"]["token"],
        json!({"type": "string", "description": "Give a `vault://` reference.", "writeOnly": true})
    );
    assert_eq!(
        input["properties"]["left"]["description"],
        json!("At most one of `left`, `right`.")
    );
    assert_eq!(
        input["properties"]["old"],
        json!({"type": "string", "description": "The old one.", "examples": ["x"], "deprecated": true})
    );
}

#[test]
fn schema_of_a_message_within_itself_ends() {
    let child = fixture::message(KINDS, "Child");
    let schema = schema_in(&child);
    assert_eq!(
        schema["properties"]["children"]["items"],
        json!({"type": "object"})
    );
}

#[test]
fn schema_of_deep_and_wide_messages_is_bounded() {
    let mut body = String::new();
    for level in 0..8 {
        let _ = write!(
            body,
            "message L{level} {{ L{} a = 1; L{} b = 2; }}",
            level + 1,
            level + 1
        );
    }
    body.push_str("message L8 { string end = 1; }");
    let schema = schema_in(&fixture::message(&body, "L0"));
    let mut depth = 0;
    let mut at = &schema;
    while at["properties"].is_object() {
        at = &at["properties"]["a"];
        depth += 1;
    }
    assert_eq!(depth, super::schema::DEPTH_MAX);
}
