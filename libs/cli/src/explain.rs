//! `gearmesh explain CODE`.

use gearmesh_catalog::Catalog;
use gearmesh_workflow::{RULES, Rule};
use serde_json::{Value, json};

use crate::error::Error;
use crate::nearest::nearest;
use crate::output::{Format, Output};
use crate::text::printable_lines;

mod codes;

use codes::OWN;

/// Explains a code.
pub(crate) fn explain(output: &mut Output, catalog: &Catalog, code: &str) -> Result<(), Error> {
    if let Some(rule) = rule(code) {
        return show_rule(output, rule);
    }
    let wanted = code.to_uppercase().replace('-', "_");
    let own = OWN.iter().find(|(own, _)| *own == wanted);
    let mut found: Vec<Value> = own.iter().map(|(code, text)| of_ours(code, text)).collect();
    let told = catalog.explain(&wanted).into_iter();
    found.extend(told.map(gearmesh_catalog::FaultInfo::describe));
    if found.is_empty() {
        return Err(unknown(catalog, &wanted));
    }
    match output.format {
        Format::Table => {
            let blocks: Vec<String> = found.iter().map(block).collect();
            output.data(&blocks.join("\n\n"))
        }
        _ => output.list(&found, "reason"),
    }
}

/// The rule of the format with this number.
fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(code))
}

fn show_rule(output: &mut Output, rule: &Rule) -> Result<(), Error> {
    if output.for_people() {
        let head = format!("{}   a rule of workflow files", rule.id);
        return output.data(&format!("{head}\n{}", indent(rule.text)));
    }
    output.list(&[of_ours(rule.id, rule.text)], "reason")
}

/// What no tool answers with, in the shape of what tools do.
fn of_ours(reason: &str, text: &str) -> Value {
    json!({"reason": reason, "domain": "", "code": "", "retryable": false, "varies": false, "text": text})
}

fn unknown(catalog: &Catalog, wanted: &str) -> Error {
    let faults = catalog
        .common_faults()
        .iter()
        .chain(catalog.engines().iter().flat_map(|e| &e.faults));
    let names = faults
        .map(|f| f.reason.as_str())
        .chain(OWN.iter().map(|(code, _)| *code))
        .chain(RULES.iter().map(|rule| rule.id));
    Error::NotFound {
        code: "UNKNOWN_CODE",
        message: format!("no code is called `{wanted}`"),
        help: nearest(wanted, names)
            .map(|near| format!("did you mean `{near}`?   gearmesh explain {near}")),
    }
}

fn block(found: &Value) -> String {
    let text = |name: &str| crate::text::field(found, name);
    let mut head = text("reason").to_owned();
    if text("domain").is_empty() {
        head.push_str("   of the command line and of workflow files");
    } else {
        head.push_str(&format!(
            "   of {}, gRPC code {}",
            text("domain"),
            text("code")
        ));
        head.push_str(
            match (found["varies"] == true, found["retryable"] == true) {
                (true, _) => "; the answer says whether a retry helps",
                (_, true) => "; a retry may help",
                _ => "; a retry does not help",
            },
        );
    }
    format!("{head}\n{}", indent(&printable_lines(text("text"))))
}

fn indent(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use expect_test::expect;
    use gearmesh_testkit::tree;

    use super::*;
    use crate::client::built_in;
    use crate::output::capture;

    fn shown(code: &str) -> String {
        let (mut output, out, _) = capture::output(Format::Table);
        explain(&mut output, &built_in().unwrap(), code).unwrap();
        out.text()
    }

    #[test]
    fn code_of_a_tool_is_explained_by_the_catalogue() {
        expect![[r#"
            RUN_NOT_FOUND   of orchestrator.gearmesh, gRPC code NOT_FOUND; a retry does not help
              No run has this id. List the runs to see which there are.
        "#]]
        .assert_eq(&shown("run_not_found"));
    }

    #[test]
    fn code_of_a_file_is_explained() {
        assert!(shown("CIRCULAR_DEPENDENCY").contains("circle"));
    }

    #[test]
    fn code_of_the_command_line_and_of_tools_is_explained_as_both() {
        expect![[r#"
            TIMEOUT   of the command line and of workflow files
              The command did not end within --timeout. A run goes on; `gearmesh run watch` follows it again.

            TIMEOUT   of gearmesh, gRPC code DEADLINE_EXCEEDED; a retry may help
              The call did not end within its deadline. Raise `timeout`, or ask for less.
        "#]]
        .assert_eq(&shown("timeout"));
    }

    #[test]
    fn every_code_of_the_command_line_is_explained() {
        let skips = ["CONDITION", "NEED_FAILED", "NEEDS_SKIPPED", "RUN_STOPPED"];
        let started = ["INSECURE_CONFIG", "RUN_NOT_FOUND", "TOOL_NOT_FOUND"];
        let own = Error::one_of_each();
        let own: Vec<String> = own.iter().map(|e| e.report().code).collect();
        let all = own.iter().map(String::as_str).chain(skips).chain(started);
        let catalog = built_in().unwrap();
        for code in all {
            let (mut output, out, _) = capture::output(Format::Table);
            explain(&mut output, &catalog, code).unwrap_or_else(|e| panic!("{e}"));
            assert!(out.text().starts_with(code), "{}", out.text());
        }
    }

    /// Reasons for which a task is skipped, as the orchestrator writes them.
    const SKIPS: [&str; 5] = [
        "CONDITION",
        "NEED_FAILED",
        "NEEDS_SKIPPED",
        "RUN_STOPPED",
        "LEFT_OUT",
    ];

    /// Words in capitals in our sources that are no codes: names of the environment.
    fn is_no_code(word: &str) -> bool {
        let prefixes = ["GEARMESH_", "CARGO_", "CLICOLOR_", "NO_COLOR"];
        prefixes.iter().any(|prefix| word.starts_with(prefix))
    }

    /// The codes that the sources of a folder report, with `report.error("CODE", ..)` and
    /// the like: words in capitals that stand alone in quotes.
    fn codes_of(path: &Path, found: &mut BTreeSet<String>) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                codes_of(&entry.unwrap().path(), found);
            }
            return;
        }
        if path.ends_with("tests.rs") || path.parent().is_some_and(|p| p.ends_with("tests")) {
            return;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let tested = text.find("#[cfg(test)]").unwrap_or(text.len());
        for word in text[..tested].split('"').skip(1).step_by(2) {
            let capital = |c: char| c.is_ascii_uppercase() || c == '_';
            if word.contains('_')
                && word.len() > 4
                && word.chars().all(capital)
                && !is_no_code(word)
            {
                found.insert(word.to_owned());
            }
        }
    }

    #[test]
    fn every_code_of_files_faults_and_rules_is_explained() {
        let catalog = built_in().unwrap();
        let mut codes = BTreeSet::new();
        // Where errors are made that have no proto: files, this program, its start.
        for place in [
            "libs/workflow/src",
            "libs/cli/src",
            "services/gearmesh/src",
            "services/identity/src/init.rs",
        ] {
            codes_of(&tree().join(place), &mut codes);
        }
        assert!(
            codes.contains("UNKNOWN_KEY") && codes.len() > 20,
            "{codes:?}"
        );
        let faults = catalog
            .common_faults()
            .iter()
            .chain(catalog.engines().iter().flat_map(|e| &e.faults));
        codes.extend(faults.map(|fault| fault.reason.clone()));
        codes.extend(SKIPS.map(str::to_owned));
        codes.extend(RULES.iter().map(|rule| rule.id.to_owned()));
        let unexplained: Vec<&String> = codes
            .iter()
            .filter(|code| {
                let (mut output, ..) = capture::output(Format::Table);
                explain(&mut output, &catalog, code).is_err()
            })
            .collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }

    #[test]
    fn rule_of_the_format_is_explained() {
        let text = shown("wf-1.4");
        assert!(
            text.starts_with("WF-1.4   a rule of workflow files\n  "),
            "{text}"
        );
    }

    #[test]
    fn unknown_code_names_the_nearest() {
        let (mut output, ..) = capture::output(Format::Table);
        let error = explain(&mut output, &built_in().unwrap(), "RUN_NOT_FUOND").unwrap_err();
        assert_eq!(
            error.report().help,
            ["did you mean `RUN_NOT_FOUND`?   gearmesh explain RUN_NOT_FOUND"]
        );
        assert_eq!(error.exit() as u8, 5);
    }
}
