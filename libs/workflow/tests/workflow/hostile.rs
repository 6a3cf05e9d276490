//! Files that were made to break the reader.

use std::fmt::Write;

use expect_test::expect;
use gearmesh_workflow::{
    ALIASES_MAX, DIAGNOSTICS_MAX, FILE_MAX, INPUTS_MAX, NESTING_MAX, TASKS_MAX,
};

use crate::support::{checked, expect_said, said};

#[test]
fn alias_bomb_ends_at_its_budget() {
    // WF-1.8
    let mut text =
        String::from("name: x\nx-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..=9 {
        let of = level - 1;
        let _ = writeln!(
            text,
            "x-{level}: &a{level} [{}]",
            vec![format!("*a{of}"); 9].join(", ")
        );
    }
    text.push_str("tasks:\n  - id: a\n    set: {v: *a9}\n");
    let said = said(&text);
    assert!(
        said.contains(&format!(
            "the aliases expand to more than {ALIASES_MAX} bytes"
        )),
        "{said}"
    );
}

#[test]
fn alias_inside_of_its_anchor_is_refused() {
    expect_said(
        "name: &a [*a]\n",
        &expect![[r#"
        error[YAML_SYNTAX]: an alias cannot stand inside of what it names
         --> f.yaml:1:11
          |
        1 | name: &a [*a]
          |           ^^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn aliases_within_the_budget_are_values() {
    assert_eq!(
        said(
            "name: x\nx-base: &base {v: 1}\ntasks:\n  - id: a\n    set: *base\n  - id: b\n    set: *base\n"
        ),
        ""
    );
}

#[test]
fn nesting_ends_at_its_limit() {
    // The workflow, its tasks, the task and `set` are four levels.
    let file = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 4), "]".repeat(depth - 4));
        format!("name: x\ntasks:\n  - id: a\n    set: {{v: {open}1{close}}}\n")
    };
    assert_eq!(said(&file(NESTING_MAX)), "");
    assert!(said(&file(NESTING_MAX + 1)).contains("FILE_TOO_LARGE"));
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        assert!(!checked(&text).errors.is_empty());
    }
}

#[test]
fn file_ends_at_its_limit() {
    // WF-1.1, WF-9.8
    let file = |bytes: usize| {
        let head = "name: x\ntasks:\n  - id: a\n    set: {v: 1}\n#";
        format!("{head}{}", "x".repeat(bytes - head.len()))
    };
    assert_eq!(said(&file(FILE_MAX)), "");
    expect!["f.yaml:1:1: FILE_TOO_LARGE: the file has 1048577 bytes; the limit is 1048576"]
        .assert_eq(&checked(&file(FILE_MAX + 1)).errors[0].to_string());
}

#[test]
fn tasks_end_at_their_limit() {
    // WF-1.2
    let file = |tasks: usize| {
        let tasks: String = (0..tasks).fold(String::new(), |mut text, task| {
            let _ = writeln!(text, "- {{id: t{task}, set: {{v: 1}}}}");
            text
        });
        format!("name: x\ntasks:\n{tasks}")
    };
    assert!(checked(&file(TASKS_MAX)).workflow.is_some());
    let errors = checked(&file(TASKS_MAX + 1)).errors;
    expect!["f.yaml:2:1: FILE_TOO_LARGE: the workflow has 10001 tasks; the limit is 10000"]
        .assert_eq(&errors[0].to_string());
}

#[test]
fn faults_end_at_their_limit() {
    let keys: String = (0..2 * DIAGNOSTICS_MAX).fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "wrong{key}: 1");
        text
    });
    let errors = checked(&format!(
        "name: x\n{keys}tasks:\n  - id: a\n    set: {{v: 1}}\n"
    ))
    .errors;
    assert_eq!(errors.len(), DIAGNOSTICS_MAX);
}

#[test]
fn many_unknown_names_are_answered() {
    let tasks: String = (0..8_000).fold(String::new(), |mut text, task| {
        let _ = writeln!(
            text,
            "- {{id: task_{task}, set: {{v: '${{taks_{task}.result}}'}}}}"
        );
        text
    });
    assert_eq!(
        checked(&format!("name: x\ntasks:\n{tasks}")).errors.len(),
        DIAGNOSTICS_MAX
    );
}

#[test]
fn control_characters_are_written_out() {
    let said = said(
        "name: x\ntasks:\n  - id: \"a\\e[31m\"\n    set: {\"\\x07\": \"${n}\"}\n    \"\\e]0;t\": 1\n",
    );
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
}

#[test]
fn bytes_of_every_kind_are_answered() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces = [
        "name: x\n",
        "tasks:\n",
        "  - id: a\n",
        "    set: ",
        "{",
        "}",
        "[",
        "]",
        "${",
        "}",
        "'",
        "\"",
        "\\",
        "&a ",
        "*a ",
        "!t ",
        "|\n",
        ">-\n",
        "# ",
        ": ",
        ", ",
        "- ",
        "\t",
        "\n",
        "\r\n",
        "é",
        "\u{feff}",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "? ",
        "<<: ",
        "0x",
        "~",
    ];
    for _ in 0..20_000 {
        let text: String = (0..random.usize(1..30))
            .map(|_| pieces[random.usize(..pieces.len())])
            .collect();
        let _ = said(&text);
    }
}

/// A file with every key of the format.
const EVERY_KEY: &str = include_str!("every_key.yaml");

#[test]
fn file_with_every_key_is_read() {
    // WF-2.1, WF-3.2, WF-7.1
    assert_eq!(said(EVERY_KEY), "");
    for (owner, key) in gearmesh_workflow::all_keys() {
        let has = |sign: &str| EVERY_KEY.contains(&format!("{key}{sign}"));
        assert!(has(":"), "`{key}` of {owner} is missing");
    }
}

#[test]
fn whatever_becomes_of_a_file_is_answered() {
    let mut random = fastrand::Rng::with_seed(11);
    let lines: Vec<&str> = EVERY_KEY.lines().collect();
    let words: Vec<&str> = EVERY_KEY
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '{' | '}' | '[' | ']' | ':'))
        .filter(|word| !word.is_empty())
        .chain([
            "null",
            "5",
            "-1",
            "\"\"",
            "[]",
            "{}",
            "${",
            "1s",
            "a",
            "${a.result}",
        ])
        .collect();
    let validator = jsonschema::validator_for(&gearmesh_workflow::file_schema(None));
    let validator = validator.expect("it is a schema");
    let mut taken = 0;
    for _ in 0..1_000 {
        let mut lines = lines.clone();
        let mut owned: Vec<String> = Vec::new();
        for _ in 0..random.usize(1..4) {
            let (at, other) = (random.usize(..lines.len()), random.usize(..lines.len()));
            match random.u8(..4) {
                0 => drop(lines.remove(at)),
                1 => lines.swap(at, other),
                2 => lines.insert(at, lines[other]),
                _ => {
                    let from = words[random.usize(..words.len())];
                    let to = words[random.usize(..words.len())];
                    owned.push(lines.join("\n").replacen(from, to, 1));
                    break;
                }
            }
        }
        let text = owned.pop().unwrap_or_else(|| lines.join("\n"));
        // What the check takes, the schema takes too.
        if said(&text).is_empty() {
            let value: serde_json::Value = serde_saphyr::from_str(&text).expect("it is YAML");
            assert!(validator.is_valid(&value), "{text}");
            taken += 1;
        }
    }
    assert!(taken > 50, "{taken} of them have no fault");
}

#[test]
fn many_faults_in_one_line_are_answered() {
    let params: Vec<String> = (0..60_000)
        .map(|key| format!("\"wrong{key}\": 1"))
        .collect();
    let file = format!(
        "{{\"name\": \"x\", \"tasks\": [{{\"id\": \"a\", \"tool\": \"shop.find\", \"params\": {{{}}}}}]}}",
        params.join(",")
    );
    assert!(checked(&file).errors.len() > 10);
    let text = "${nope} ".repeat(100_000);
    let file = format!("name: x\ntasks:\n  - id: a-b\n    set: {{v: \"{text}\"}}\n");
    assert!(checked(&file).errors.len() > 1);
    let keys: Vec<String> = (0..17)
        .map(|at| format!("d{}ependson: 1", "_".repeat(at + 1)))
        .collect();
    let file = format!(
        "name: x\ntasks:\n  - {{id: a, set: {{v: 1}}, {}}}\n",
        keys.join(", ")
    );
    assert_eq!(checked(&file).errors.len(), 17 + 1);
}

#[test]
fn inputs_end_at_their_limit() {
    // WF-2.3
    let file = |inputs: usize| {
        let inputs = (0..inputs).fold(String::new(), |mut text, input| {
            let _ = writeln!(text, "  i{input}: {{type: string}}");
            text
        });
        format!("name: x\ninputs:\n{inputs}tasks:\n  - id: a\n    set: {{v: \"${{inputs}}\"}}\n")
    };
    assert_eq!(said(&file(INPUTS_MAX)), "");
    assert!(said(&file(INPUTS_MAX + 1)).contains("the limit is 1000"));
}
