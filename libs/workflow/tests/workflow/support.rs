//! A small catalogue of its own, and short ways to check a text.

use std::sync::OnceLock;

use expect_test::Expect;
use gearmesh_catalog::{Catalog, Engines, Source as Descriptors};
use gearmesh_workflow::{Checked, Source, Workflow, apply_edits, check, check_at, render};

/// The tools of `shop.proto`.
pub(crate) fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let here = env!("CARGO_MANIFEST_DIR");
        let folders = [
            format!("{here}/tests/workflow"),
            format!("{here}/../../proto"),
        ];
        let mut compiler = protox::Compiler::new(folders).expect("the folders are there");
        compiler.include_imports(true).include_source_info(true);
        compiler
            .open_file("shop.proto")
            .expect("the proto compiles");
        let descriptors = compiler.encode_file_descriptor_set();
        let source = Descriptors {
            descriptors: &descriptors,
            engines: Engines::All,
        };
        Catalog::build(&[source]).expect("the proto describes tools")
    })
}

pub(crate) fn checked(text: &str) -> Checked {
    let file_name = if text.trim_start().starts_with('{') {
        "f.json"
    } else {
        "f.yaml"
    };
    check(
        &Source {
            text,
            file_name,
            dialect: None,
        },
        Some(catalog()),
    )
}

/// Everything that is said of a file, errors before warnings.
pub(crate) fn said(text: &str) -> String {
    let checked = checked(text);
    let whole = checked.errors.is_empty();
    assert_eq!(
        checked.workflow.is_some(),
        whole,
        "there is a workflow when there are no errors"
    );
    let all = checked.errors.iter().chain(&checked.warnings);
    all.map(|diagnostic| render(diagnostic, text) + "\n")
        .collect()
}

/// One task with these lines, in a workflow that has nothing else.
pub(crate) fn with_task(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "name: x\ninputs: {{q: {{type: string}}}}\ntasks:\n  - id: first\n    tool: shop.find\n    params: {{site: \"${{inputs.q}}\"}}\n  - id: a\n{lines}"
    )
}

/// Compares what is said of a file.
pub(crate) fn expect_said(text: &str, expected: &Expect) {
    expected.assert_eq(&said(text));
}

/// What is said of a file without the file's own lines, one fault a line.
pub(crate) fn listed(text: &str) -> String {
    let checked = checked(text);
    let all = checked.errors.iter().chain(&checked.warnings);
    all.map(|d| {
        format!(
            "{}:{} {} {}\n",
            d.location.line, d.location.column, d.code, d.message
        )
    })
    .collect()
}

/// As [`listed`], at a time.
pub(crate) fn listed_at(text: &str, now: &str) -> String {
    let source = Source {
        text,
        file_name: "f.yaml",
        dialect: None,
    };
    let checked = check_at(&source, Some(catalog()), now.parse().expect("an instant"));
    assert_eq!(checked.workflow.is_some(), checked.errors.is_empty());
    let all = checked.errors.iter().chain(&checked.warnings);
    all.map(|d| {
        let hints: String = d.hints.iter().map(|hint| format!(" [{hint}]")).collect();
        let (line, column) = (d.location.line, d.location.column);
        format!("{line}:{column} {} {}{hints}\n", d.code, d.message)
    })
    .collect()
}

/// Codes with their places, one a line.
pub(crate) fn codes(text: &str) -> String {
    let checked = checked(text);
    let all = checked.errors.iter().chain(&checked.warnings);
    all.map(|d| format!("{}:{} {}\n", d.location.line, d.location.column, d.code))
        .collect()
}

/// The file with all safe edits made.
pub(crate) fn mended(text: &str) -> String {
    apply_edits(text, &checked(text).errors)
}

/// A workflow that must have no faults.
pub(crate) fn workflow(text: &str) -> Workflow {
    checked(text)
        .workflow
        .unwrap_or_else(|| panic!("{}", said(text)))
}
