//! Each rule of the workflow format has a test that says so, and each key a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gearmesh_testkit::tree;
use gearmesh_workflow::{RULES, all_keys};

/// Where tests are.
const FOLDERS: [&str; 4] = ["libs", "services", "gateway", "tests"];

/// Where numbers stand that show nothing: the rules themselves, and this file.
const OWN: [&str; 2] = ["libs/workflow/src/rules.rs", "tests/tests/rules.rs"];

/// The numbers that a text names. One that is no number of a rule would show nothing, in
/// silence: whoever meant one must hear of it.
///
/// # Panics
/// What follows `WF-` is not two numbers with a full stop between them.
fn numbers(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices("WF-").map(|(at, _)| {
        let rest = &text[at + 3..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        let number = rest[..length.unwrap_or(rest.len())].trim_end_matches('.');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let well_formed = number
            .split_once('.')
            .is_some_and(|(section, rule)| is_number(section) && is_number(rule));
        assert!(
            well_formed,
            "`WF-{number}` is no number of a rule, as WF-5.3"
        );
        format!("WF-{number}")
    })
}

/// Whether a file has tests: it is one, or has some at its end.
fn has_tests(path: &Path, text: &str) -> bool {
    let in_folder = path.iter().any(|part| part == "tests");
    in_folder || path.ends_with("tests.rs") || text.contains("#[cfg(test)]")
}

fn collect(folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, found);
            }
            continue;
        }
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("rs" | "py" | "yaml" | "toml"))
            || OWN.iter().any(|own| path.ends_with(own))
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the source is text");
        if kind == Some("rs") && !has_tests(&path, &text) {
            continue;
        }
        for number in numbers(&text) {
            let files = found.entry(number).or_default();
            files.insert(path.display().to_string());
        }
    }
}

fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        collect(&tree().join(folder), &mut found);
    }
    found
}

#[test]
fn every_rule_is_shown_by_a_test() {
    let found = shown();
    let missing: Vec<String> = RULES
        .iter()
        .filter(|rule| !found.contains_key(rule.id))
        .map(|rule| format!("{} {}", rule.id, rule.text))
        .collect();
    assert!(
        missing.is_empty(),
        "no test names these rules; write `// WF-x.y` in the one that shows it:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_number_that_a_test_names_is_a_rule() {
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    let unknown: Vec<String> = shown()
        .into_iter()
        .filter(|(number, _)| !known.contains(number.as_str()))
        .flat_map(|(number, files)| {
            files
                .into_iter()
                .map(move |file| format!("{number} in {file}"))
        })
        .collect();
    assert!(
        unknown.is_empty(),
        "no rule has these numbers:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn every_key_has_a_rule() {
    let text: String = RULES.iter().map(|rule| rule.text).collect();
    let missing: Vec<String> = all_keys()
        .filter(|(_, key)| !text.contains(&format!("`{key}`")))
        .map(|(owner, key)| format!("`{key}` of {owner}"))
        .collect();
    assert!(
        missing.is_empty(),
        "no rule tells of these keys: {}",
        missing.join(", ")
    );
}

#[test]
fn numbers_are_read_from_any_text() {
    let text = "// WF-1.2, WF-10.11. and (WF-3.4)";
    let found: Vec<_> = numbers(text).collect();
    assert_eq!(found, ["WF-1.2", "WF-10.11", "WF-3.4"]);
}

#[test]
fn malformed_number_is_refused() {
    for text in ["WF-3", "WF-3.approve", "WF-x", "WF-1.2.3", "WF-", "WF-3."] {
        let read = std::panic::catch_unwind(|| numbers(text).count());
        assert!(read.is_err(), "{text}");
    }
}
