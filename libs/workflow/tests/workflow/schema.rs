//! The JSON Schema of the file against what the check says.

use std::collections::{BTreeMap, BTreeSet};

use gearmesh_workflow::{Source, all_keys, check, file_schema};
use serde_json::{Value, json};

use crate::support::{catalog, listed};

fn validator(with_tools: bool) -> jsonschema::Validator {
    let schema = file_schema(with_tools.then_some(catalog()));
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&schema)
        .expect("it is a schema")
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_key_of_the_format_is_in_the_schema_of_its_owner() {
    /// The keys of every map of the format that the schema describes.
    fn maps(value: &Value, found: &mut Vec<BTreeSet<String>>) {
        match value {
            Value::Object(map) => {
                // Where a kind of trigger shuts the keys of others out there is nothing else.
                if let Some(Value::Object(properties)) = map.get("properties")
                    && properties.values().any(|value| *value != json!(false))
                {
                    found.push(properties.keys().cloned().collect());
                }
                map.values().for_each(|value| maps(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| maps(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    maps(&file_schema(None), &mut found);
    let mut owners: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (owner, key) in all_keys() {
        owners.entry(owner).or_default().insert(key.to_owned());
    }
    for (owner, keys) in &owners {
        assert!(
            found.contains(keys),
            "no map of the schema has the keys of {owner}: {keys:?}"
        );
    }
    let more: Vec<_> = found
        .iter()
        .filter(|keys| !owners.values().any(|known| known == *keys))
        .collect();
    assert_eq!(
        more,
        [] as [&BTreeSet<String>; 0],
        "maps that the format does not have"
    );
}

#[test]
fn references_are_those_of_the_check() {
    // WF-2.7
    let validator = validator(false);
    for reference in [
        "vault://a/b",
        "vault://a-1/b_c@12",
        "vault://a/b#x/y",
        "vault://a/b@3#user#1",
        "vault://a/b/c",
        "vault://a/b@0",
        "vault://a/b#",
        "vault://A/b",
        "vault://a/",
    ] {
        let text = format!(
            "name: x\nsecrets: {{s: \"{reference}\"}}\ntasks: [{{id: a, set: {{v: 1}}}}]\n"
        );
        let accepted = listed(&text).is_empty();
        assert_eq!(validator.is_valid(&yaml(&text)), accepted, "{reference}");
    }
}

#[test]
fn examples_fit_the_schema() {
    // WF-12.1
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
    let validator = validator(false);
    let mut read = 0;
    for entry in std::fs::read_dir(folder).expect("the examples are there") {
        let path = entry.expect("it is readable").path();
        let name = path.display().to_string();
        if !name.ends_with(".workflow.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it is readable");
        let faults: Vec<String> = validator
            .iter_errors(&yaml(&text))
            .map(|fault| format!("{name}: {} {fault}", fault.instance_path()))
            .collect();
        assert_eq!(faults, [] as [String; 0]);
        let source = Source {
            text: &text,
            file_name: &name,
            dialect: None,
        };
        assert_eq!(check(&source, None).errors, []);
        read += 1;
    }
    assert!(read >= 5, "{read} examples");
}

const WHOLE: &str = "name: x
x-note: mine
secrets: {key: vault://demo/key}
triggers:
  - {cron: \"0 0 * * *\", timezone: UTC, dst: {gap: skip}}
  - {webhook: {path: /h, auth: token, secret: \"${secrets.key}\"}}
tasks:
  - id: a
    tool: shop.find
    params: {site: \"${'n'}\", page_size: \"${`5`}\"}
    retry: {attempts: 3, delay: 1s}
  - id: b
    tool: north_find
    params: {pageSize: 5}
  - id: c
    tool: shop_order
    connection: mine
    params: {lines: [{name: \"${a.result.goods[0].name}\", count: 1}], password: \"${secrets.key}\", hold: 5s}
  - id: d
    each: [1]
    tasks:
      - {id: e, wait: {for: 1s}, when: true}
      - {id: f, approve: {message: m, approvers: [role:a], form: {note: {type: string}}}}
finally:
  - {id: g, set: {v: 1}, onError: {use: 1}}
";

#[test]
fn schema_accepts_what_the_check_accepts() {
    assert_eq!(listed(WHOLE), "");
    for with_tools in [false, true] {
        let faults: Vec<String> = validator(with_tools)
            .iter_errors(&yaml(WHOLE))
            .map(|fault| format!("{} {fault}", fault.instance_path()))
            .collect();
        assert_eq!(faults, [] as [String; 0]);
    }
}

#[test]
fn schema_refuses_what_the_check_refuses() {
    let broken = |from: &str, to: &str| {
        let text = WHOLE.replacen(from, to, 1);
        assert_ne!(text, WHOLE, "{from}");
        assert_ne!(listed(&text), "", "{to}");
        text
    };
    for (from, to) in [
        ("name: x", "name: X"),
        ("name: x", "title: x"),
        ("tasks:", "steps:"),
        ("attempts: 3", "attempts: 0"),
        ("delay: 1s", "delay: 1000"),
        ("dst: {gap: skip}", "dst: {gap: jump}"),
        ("cron: \"0 0 * * *\"", "cron: \"0 0 * * *\", interval: 5m"),
        ("{webhook:", "{jitter: 1s, webhook:"),
        ("auth: token", "auth: maybe"),
        ("{for: 1s}", "{for: 1s, until: x}"),
        ("{for: 1s}", "{}"),
        ("approvers: [role:a]", "approvers: [a]"),
        ("set: {v: 1}", "set: {v: 1}, tool: shop.find"),
        ("set: {v: 1}", "sett: {v: 1}"),
        ("{use: 1}", "{used: 1}"),
        ("id: a", "id: a-b"),
        ("vault://demo/key", "demo"),
    ] {
        let text = broken(from, to);
        assert!(!validator(false).is_valid(&yaml(&text)), "{to}");
    }
    for (from, to) in [
        ("tool: shop.find", "tool: shop.fnid"),
        ("page_size:", "page_sise:"),
        ("count: 1}]", "count: [1]}]"),
        ("count: 1", "colour: 1"),
    ] {
        let text = broken(from, to);
        assert!(validator(false).is_valid(&yaml(&text)), "{to}");
        assert!(!validator(true).is_valid(&yaml(&text)), "{to}");
    }
    assert!(!validator(false).is_valid(&json!([])));
}
