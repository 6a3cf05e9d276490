//! The rules of the mapping, each on messages of its own.

mod constraint;
mod mapping;
mod schema;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Proto};
use serde_json::{Value, json};

use super::{ViolationKind, check, decode, encode, reference, schema_in, schema_out, validate};
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
