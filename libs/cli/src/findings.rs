//! What was found in files, in the words of other programs.

use std::collections::BTreeSet;

use gearmesh_workflow::{Diagnostic, Severity};
use serde_json::{Value, json};

use crate::markup::{Case, Suite, junit};

/// A file and what was found in it.
#[derive(Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) file: &'a str,
    pub(crate) errors: &'a [Diagnostic],
    pub(crate) warnings: &'a [Diagnostic],
}

impl Finding<'_> {
    fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.errors.iter().chain(self.warnings)
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The message with what may help.
fn sentence(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    for hint in &diagnostic.hints {
        text.push_str(&format!("; {hint}"));
    }
    text
}

/// SARIF 2.1.0, as code scanners exchange it.
pub(crate) fn sarif(files: &[Finding<'_>]) -> Value {
    let codes: BTreeSet<&str> = files
        .iter()
        .flat_map(Finding::all)
        .map(|d| d.code)
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    let mut results = Vec::new();
    for finding in files {
        for diagnostic in finding.all() {
            let at = &diagnostic.location;
            let mut result = json!({
                "ruleId": diagnostic.code,
                "level": level(diagnostic.severity),
                "message": {"text": sentence(diagnostic)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": finding.file},
                    "region": {
                        "startLine": at.line,
                        "startColumn": at.column,
                        "endColumn": at.column + at.length,
                    },
                }}],
            });
            if !diagnostic.edits.is_empty() {
                let replacements: Vec<Value> = diagnostic
                    .edits
                    .iter()
                    .map(|edit| {
                        json!({
                            "deletedRegion": {"byteOffset": edit.start, "byteLength": edit.end - edit.start},
                            "insertedContent": {"text": edit.text},
                        })
                    })
                    .collect();
                result["fixes"] = json!([{"artifactChanges": [{
                    "artifactLocation": {"uri": finding.file},
                    "replacements": replacements,
                }]}]);
            }
            results.push(result);
        }
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gearmesh",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A JUnit report: one case for each file, which fails by its errors.
pub(crate) fn report(files: &[Finding<'_>]) -> String {
    let cases = files
        .iter()
        .map(|finding| Case {
            name: finding.file.to_owned(),
            failures: finding
                .errors
                .iter()
                .map(|d| {
                    let at = &d.location;
                    format!("{}:{}: {}: {}", at.line, at.column, d.code, sentence(d))
                })
                .collect(),
        })
        .collect();
    junit(&[Suite {
        name: "gearmesh validate".to_owned(),
        cases,
    }])
}

/// The commands by which a workflow of GitHub marks lines.
pub(crate) fn github(files: &[Finding<'_>]) -> String {
    let lines: Vec<String> = files
        .iter()
        .flat_map(|finding| {
            finding.all().map(|d| {
                let at = &d.location;
                format!(
                    "::{} file={},line={},col={},title={}::{}",
                    level(d.severity),
                    property(finding.file),
                    at.line,
                    at.column,
                    property(d.code),
                    data(&sentence(d)),
                )
            })
        })
        .collect();
    lines.join("\n")
}

/// Text behind the `::` of such a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text of one of its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gearmesh_workflow::{Source, check};

    use super::*;

    fn found(work: impl Fn(&[Finding<'_>])) {
        let text = "name: x\ntasks:\n  - id: a\n    sett: {x: 1}\n  - id: a-b\n    set: {}\n";
        let source = Source {
            text,
            file_name: "a,b.yaml",
            dialect: None,
        };
        let checked = check(&source, None);
        work(&[Finding {
            file: "a,b.yaml",
            errors: &checked.errors,
            warnings: &checked.warnings,
        }]);
    }

    #[test]
    fn github_gets_a_command_for_each_fault() {
        found(|files| {
            let text = github(files);
            assert_eq!(text.lines().count(), files[0].errors.len());
            assert!(text.starts_with("::error file=a%2Cb.yaml,line="), "{text}");
        });
        assert_eq!(data("a\n%b"), "a%0A%25b");
    }

    #[test]
    fn sarif_has_rule_place_and_fix() {
        found(|files| {
            let log = sarif(files);
            let run = &log["runs"][0];
            let results = run["results"].as_array().unwrap();
            assert_eq!(results.len(), files[0].errors.len());
            let unknown = results
                .iter()
                .find(|r| r["ruleId"] == "UNKNOWN_KEY")
                .unwrap();
            expect![[r#"{"startLine":4,"startColumn":5,"endColumn":9}"#]]
                .assert_eq(&unknown["locations"][0]["physicalLocation"]["region"].to_string());
            let fix = &unknown["fixes"][0]["artifactChanges"][0]["replacements"][0];
            assert_eq!(fix["insertedContent"]["text"], "set");
            assert_eq!(fix["deletedRegion"]["byteLength"], 4);
            let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
            assert!(rules.contains(&json!({"id": "INVALID_ID"})));
        });
    }

    #[test]
    fn junit_has_a_case_for_each_file() {
        found(|files| {
            let text = report(files);
            assert!(text.contains("tests=\"1\" failures=\"1\""), "{text}");
            assert!(text.contains("4:5: UNKNOWN_KEY"), "{text}");
        });
    }
}
