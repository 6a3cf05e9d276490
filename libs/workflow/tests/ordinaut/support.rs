//! Short ways to check a text, and the documents of the tree.

use std::path::{Path, PathBuf};

use gearmesh_workflow::{Checked, Dialect, Source, Workflow, check};
use serde_json::{Value, json};

pub(crate) fn checked(text: &str) -> Checked {
    let source = Source {
        text,
        file_name: "morning.json",
        dialect: None,
    };
    check(&source, None)
}

pub(crate) fn workflow(text: &str) -> Workflow {
    let checked = checked(text);
    assert!(checked.errors.is_empty(), "{:?}", checked.errors);
    checked.workflow.expect("without errors there is one")
}

/// Every fault, one a line, with its place.
pub(crate) fn listed(text: &str) -> String {
    let checked = checked(text);
    let all = checked.errors.iter().chain(&checked.warnings);
    all.map(|d| {
        let part = &text[d.location.start..d.location.end.min(d.location.start + 40)];
        format!("{} {} <{part}>\n", d.code, d.message)
    })
    .collect()
}

/// A task of these steps and these params.
pub(crate) fn pipeline(steps: &Value, params: &Value) -> String {
    json!({"title": "T", "payload": {"params": params, "pipeline": steps}}).to_string()
}

/// The briefing of each working day, as its user has it.
pub(crate) const MORNING: &str = include_str!("../../../../tests/ordinaut/morning-briefing.json");

/// Files of a folder of the tree with this end, with their texts.
pub(crate) fn files(folder: &str, end: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder);
    let mut found: Vec<(PathBuf, String)> = std::fs::read_dir(folder)
        .expect("a folder of the tree")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text");
            (path, text)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The same text in our own format.
pub(crate) fn native(text: &str) -> Workflow {
    let source = Source {
        text,
        file_name: "f.yaml",
        dialect: None,
    };
    let checked = check(&source, None);
    assert!(checked.errors.is_empty(), "{:?}\n{text}", checked.errors);
    assert_eq!(checked.dialect, Dialect::Native);
    checked.workflow.expect("without errors there is one")
}
