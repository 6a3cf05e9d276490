//! What is said of files that are no YAML, or YAML that was not meant so.

use expect_test::expect;

use crate::support::{expect_said, mended, said, workflow};

#[test]
fn tab_in_the_indentation_is_shown() {
    // WF-9.8
    expect_said(
        "name: x\ntasks:\n\t- id: a\n",
        &expect![[r#"
        error[YAML_TAB]: tab in the indentation
         --> f.yaml:3:1
          |
        3 |     - id: a
          | ^^^^
          = help: indent with spaces
          = note: nothing was run
    "#]],
    );
    expect_said(
        "name: x\ntasks:\n  - id: a\n\tset: {v: 1}\n",
        &expect![[r#"
        error[YAML_TAB]: tab in the indentation
         --> f.yaml:4:1
          |
        4 |     set: {v: 1}
          | ^^^^
          = help: indent with spaces
          = note: nothing was run
    "#]],
    );
}

#[test]
fn tabs_indent_json() {
    let text =
        "{\n\t\"name\": \"x\",\n\t\"tasks\": [\n\t\t{\"id\": \"a\", \"set\": {\"v\": 1}}\n\t]\n}\n";
    assert_eq!(workflow(text).name, "x");
}

#[test]
fn unquoted_expression_in_a_flow_gets_quotes() {
    // WF-9.7
    let text = "name: x\ntasks:\n  - id: a\n    set: {v: /api/${run.id}/z, w: 1}\n";
    expect_said(
        text,
        &expect![[r#"
        error[YAML_MAP_FOR_EXPRESSION]: unquoted `${...}` or `{{ }}` was read as a map; put it in quotes
         --> f.yaml:4:19
          |
        4 |     set: {v: /api/${run.id}/z, w: 1}
          |                   ^^^^^^^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    expect![[r#"
        name: x
        tasks:
          - id: a
            set: {v: "/api/${run.id}/z", w: 1}
    "#]]
    .assert_eq(&mended(text));
    assert_eq!(said(&mended(text)), "");
}

#[test]
fn unquoted_expression_with_a_colon_gets_quotes() {
    let text = "name: x\ntasks:\n  - id: a\n    set:\n      v: ${run.url || 'a: b'} # why\n";
    expect_said(
        text,
        &expect![[r#"
        error[YAML_MAP_FOR_EXPRESSION]: unquoted `${...}` or `{{ }}` was read as a map; put it in quotes
         --> f.yaml:5:10
          |
        5 |       v: ${run.url || 'a: b'} # why
          |          ^^^^^^^^^^^^^^^^^^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&mended(text)), "");
}

#[test]
fn double_braces_become_an_expression() {
    // WF-9.7
    let text = "name: x\ntasks:\n  - id: a\n    set:\n      v: {{ run.id }}\n";
    expect_said(
        text,
        &expect![[r#"
        error[YAML_MAP_FOR_EXPRESSION]: unquoted `${...}` or `{{ }}` was read as a map; put it in quotes
         --> f.yaml:5:10
          |
        5 |       v: {{ run.id }}
          |          ^^^^^^^^^^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    expect![[r#"
        name: x
        tasks:
          - id: a
            set:
              v: "${run.id}"
    "#]]
    .assert_eq(&mended(text));
    assert_eq!(said(&mended(text)), "");
}

#[test]
fn syntax_error_ends_the_reading() {
    expect_said(
        "name: x\nbogus: 1\ntasks:\n  - id: a\n   set: {v: 1}\n",
        &expect![[r#"
            error[YAML_SYNTAX]: the indentation fits nothing above
             --> f.yaml:5:4
              |
            5 |    set: {v: 1}
              |    ^
              = note: nothing was run
        "#]],
    );
    expect_said(
        "name: x\ntasks: [\n",
        &expect![[r#"
        error[YAML_SYNTAX]: unclosed bracket '['
         --> f.yaml:2:8
          |
        2 | tasks: [
          |        ^
          = note: nothing was run
    "#]],
    );
    expect_said(
        "name: x\ntasks:\n  - id: a\n    when: \"a\" == 'b'\n    set: {v: 1}\n",
        &expect![[r#"
            error[YAML_SYNTAX]: invalid trailing content after double-quoted scalar
             --> f.yaml:4:15
              |
            4 |     when: "a" == 'b'
              |               ^
              = help: put the whole value in quotes, with '' inside of '..' for a quote
              = note: nothing was run
        "#]],
    );
}

#[test]
fn duplicate_keys_are_found_in_yaml_and_json() {
    // WF-1.11, WF-9.3
    expect_said(
        "name: x\nname: y\ntasks:\n  - id: a\n    set: {v: 1, v: 2}\n",
        &expect![[r#"
            error[DUPLICATE_KEY]: `name` is used twice (first at line 1)
             --> f.yaml:2:1
              |
            2 | name: y
              | ^^^^
              = note: nothing was run
            error[DUPLICATE_KEY]: `v` is used twice (first at line 5)
             --> f.yaml:5:17
              |
            5 |     set: {v: 1, v: 2}
              |                 ^
              = note: nothing was run
        "#]],
    );
    expect_said(
        "{\"name\": \"x\", \"tasks\": [{\"id\": \"a\", \"set\": {\"v\": 1, \"v\": 2}}]}",
        &expect![[r#"
            error[DUPLICATE_KEY]: `v` is used twice (first at line 1)
             --> f.json:1:53
              |
            1 | {"name": "x", "tasks": [{"id": "a", "set": {"v": 1, "v": 2}}]}
              |                                                     ^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn merge_keys_tags_and_odd_keys_are_refused() {
    let text = "name: x\nx-base: &base {v: 1}\ntasks:\n  - id: a\n    set:\n      <<: *base\n      w: !mine 2\n      ? [z]\n      : 3\n";
    expect_said(
        text,
        &expect![[r#"
        error[YAML_SYNTAX]: merge keys (`<<`) are not read; write the keys out
         --> f.yaml:6:7
          |
        6 |       <<: *base
          |       ^^
          = note: nothing was run
        error[YAML_SYNTAX]: the tag `!mine` has no meaning here
         --> f.yaml:7:16
          |
        7 |       w: !mine 2
          |                ^
          = note: nothing was run
        error[YAML_SYNTAX]: a key must be text
         --> f.yaml:8:9
          |
        8 |       ? [z]
          |         ^^^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn second_document_is_refused_where_one_is_wanted() {
    expect_said(
        "name: x\ntasks:\n  - id: a\n    set: {v: 1}\n---\nname: y\n",
        &expect![[r#"
            error[INVALID_VALUE]: the file has several workflows, and one is wanted here
             --> f.yaml:6:1
              |
            6 | name: y
              | ^
              = help: `gearmesh workflow apply` and `gearmesh validate` take all of a file
              = note: nothing was run
        "#]],
    );
}

#[test]
fn file_that_is_no_map_is_refused() {
    expect_said(
        "",
        &expect![[r#"
        error[INVALID_VALUE]: the file is empty
         --> f.yaml:1:1
          |
        1 | 
          | ^
          = note: nothing was run
    "#]],
    );
    expect_said(
        "- a\n",
        &expect![[r#"
        error[INVALID_VALUE]: a workflow is a map, not a list
         --> f.yaml:1:1
          |
        1 | - a
          | ^^^
          = note: nothing was run
    "#]],
    );
    expect_said(
        "just text\n",
        &expect![[r#"
        error[INVALID_VALUE]: a workflow is a map, not text "just text"
         --> f.yaml:1:1
          |
        1 | just text
          | ^^^^^^^^^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn words_of_older_yaml_are_text_and_numbers_stay_exact() {
    // WF-1.12
    let text = "name: x\ntasks:\n  - id: a\n    set: {v: [on, yes, no, off, y, 18446744073709551615, 9007199254740993, 1.0, 0x10, ~, !!str 5]}\n";
    let gearmesh_workflow::Kind::Set {
        values: gearmesh_workflow::Node::Constant(values),
    } = &workflow(text).tasks[0].kind
    else {
        panic!("a set of constants");
    };
    expect![[
        r#"{"v":["on","yes","no","off","y",18446744073709551615,9007199254740993,1.0,16,null,"5"]}"#
    ]]
    .assert_eq(&values.to_string());
}

#[test]
fn strings_of_json_are_read_by_its_rules() {
    let text = r#"{"name": "x", "tasks": [{"id": "a", "set": {"v": "\u00e9\/\ud83d\ude00\n\t\"\\ ${run.id}", "w": [1e3, -0.5, 1.50, null]}}]}"#;
    let gearmesh_workflow::Kind::Set { values } = &workflow(text).tasks[0].kind else {
        panic!("a set")
    };
    let run = serde_json::json!({"run": {"id": "r"}});
    let value = values
        .evaluate(run.as_object().expect("a map"))
        .expect("it has a value");
    expect![[r#"{"v":"é/😀\n\t\"\\ r","w":[1000.0,-0.5,1.5,null]}"#]].assert_eq(&value.to_string());
}

#[test]
fn marks_stand_under_wide_characters_and_in_escapes() {
    expect_said(
        "name: x\ntasks:\n  - id: a\n    set: {\"日本\": \"\\u65e5 ${nope}\"}\n",
        &expect![[r#"
            error[UNKNOWN_NAME]: no task or input is called `nope`
             --> f.yaml:4:27
              |
            4 |     set: {"日本": "\u65e5 ${nope}"}
              |                             ^^^^
              = note: nothing was run
        "#]],
    );
    expect_said(
        "name: x\ntasks:\n  - id: a\n    set:\n      v: >-\n        one\n        ${nope.result} two\n",
        &expect![[r#"
            error[UNKNOWN_NAME]: no task or input is called `nope`
             --> f.yaml:7:11
              |
            7 |         ${nope.result} two
              |           ^^^^
              = note: nothing was run
        "#]],
    );
}
