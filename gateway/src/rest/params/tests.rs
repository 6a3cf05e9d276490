use expect_test::{Expect, expect};
use prost_reflect::DescriptorPool;
use serde_json::json;

use super::*;
use crate::rest::query::Query;

fn input(name: &str) -> MessageDescriptor {
    let pool = DescriptorPool::decode(gearmesh_api::DESCRIPTORS).unwrap();
    pool.get_message_by_name(name).unwrap()
}

/// What a request to `/{key}` with this body field comes to.
fn check(
    message: &str,
    body_field: &str,
    path: Option<(&str, &str)>,
    query: &str,
    body: Option<Value>,
    expected: Expect,
) {
    let input = input(message);
    let name: Vec<String> = path
        .iter()
        .flat_map(|(n, _)| n.split('.'))
        .map(str::to_owned)
        .collect();
    let path: Vec<(&[String], String)> = path
        .iter()
        .map(|(_, v)| (name.as_slice(), (*v).to_owned()))
        .collect();
    let query = Query::parse(Some(query)).unwrap();
    let joined = join(Parts {
        input: &input,
        body_field,
        body,
        path: &path,
        query: &query.fields,
    });
    expected.assert_eq(&joined.map_or_else(|e| e.to_string(), |v| v.to_string()));
}

const PUT: &str = "gearmesh.state.v1.PutRequest";
const LIST: &str = "gearmesh.state.v1.ListRequest";

#[test]
fn query_gives_typed_fields_in_both_spellings() {
    check(
        LIST,
        "",
        None,
        "prefix=a/&page_size=7",
        None,
        expect![[r#"{"prefix":"a/","pageSize":7}"#]],
    );
    check(
        LIST,
        "",
        None,
        "pageSize=7&pageToken=t",
        None,
        expect![[r#"{"pageSize":7,"pageToken":"t"}"#]],
    );
    check(
        PUT,
        "",
        Some(("key", "k")),
        "value=[1,{}]&ttl=60",
        None,
        expect![[r#"{"key":"k","value":[1,{}],"ttl":60}"#]],
    );
}

#[test]
fn mistyped_parameter_is_refused_with_the_nearest() {
    check(
        LIST,
        "",
        None,
        "prefx=a",
        None,
        expect!["`prefx`: is no field here; `prefix`?"],
    );
    check(
        LIST,
        "",
        None,
        "pageSize=many",
        None,
        expect!["`pageSize`: takes a whole number"],
    );
    check(
        LIST,
        "",
        None,
        "prefix.x=1",
        None,
        expect!["`prefix`: has no fields"],
    );
    check(
        LIST,
        "",
        None,
        "prefix[x]=1&prefix[y=1",
        None,
        expect!["2 parameters do not fit: `prefix[x]`: is no map; `prefix[y`: has `[` without `]`"],
    );
    check(
        PUT,
        "",
        None,
        "value=oops",
        None,
        expect!["`value`: takes JSON text: expected value at line 1 column 1"],
    );
}

#[test]
fn two_values_for_one_field_must_agree() {
    check(
        PUT,
        "*",
        Some(("key", "k")),
        "",
        Some(json!({"key": "k", "value": 1})),
        expect![[r#"{"key":"k","value":1}"#]],
    );
    check(
        PUT,
        "*",
        Some(("key", "k")),
        "",
        Some(json!({"key": "x"})),
        expect![[r#"`key`: is given twice, as "x" and "k""#]],
    );
    check(
        PUT,
        "",
        Some(("key", "k")),
        "key=k",
        None,
        expect![[r#"{"key":"k"}"#]],
    );
    check(
        PUT,
        "",
        Some(("key", "k")),
        "key=x",
        None,
        expect![[r#"`key`: is given twice, as "k" and "x""#]],
    );
    check(
        LIST,
        "",
        None,
        "pageSize=1&page_size=1",
        None,
        expect!["`page_size`: is there twice, and takes one value"],
    );
    check(
        PUT,
        "",
        Some(("version", "5")),
        "version=5",
        None,
        expect![[r#"{"version":5}"#]],
    );
}

#[test]
fn body_goes_where_the_route_says() {
    check(
        PUT,
        "value",
        Some(("key", "k")),
        "",
        Some(json!([1])),
        expect![[r#"{"value":[1],"key":"k"}"#]],
    );
    check(
        PUT,
        "*",
        None,
        "key=k",
        Some(json!({})),
        expect!["`key`: belongs in the body on this route"],
    );
    check(
        PUT,
        "*",
        None,
        "",
        Some(json!([])),
        expect!["the body must be an object"],
    );
    check(
        PUT,
        "",
        None,
        "",
        Some(json!({"key": "k"})),
        expect!["this route takes no body"],
    );
}

#[test]
fn maps_lists_and_nested_fields_come_from_the_query() {
    const START: &str = "gearmesh.orchestrator.v1.StartRunRequest";
    check(
        START,
        "",
        None,
        "inputs[a]=1&inputs[b]=%22x%22",
        None,
        expect![[r#"{"inputs":{"a":1,"b":"x"}}"#]],
    );
    check(
        START,
        "",
        None,
        "inputs=1",
        None,
        expect!["`inputs`: is a map; write it as `NAME[key]=value`"],
    );
    check(
        START,
        "inputs",
        None,
        "inputs[a]=2",
        Some(json!({"a": 1})),
        expect!["`inputs[a]`: differs from the body"],
    );
}
