//! `gearmesh explain CODE`.

use gearmesh_catalog::Catalog;
use serde_json::{Value, json};

use crate::error::Error;
use crate::nearest::nearest;
use crate::output::{Format, Output};
use crate::text::printable_lines;

/// What the codes of this program and of workflow files mean, with the remedy. Those of
/// tools are in the catalogue.
const OWN: &[(&str, &str)] = &[
    (
        "USAGE",
        "The command line is wrong. `gearmesh help` and `--help` behind each verb show what there is.",
    ),
    (
        "SERVER_UNREACHABLE",
        "Nobody answers at the address. Start `gearmesh dev`, or name another server with --server.",
    ),
    (
        "STORE_LOCKED",
        "Another process uses the folder of the state. Use its address, end it, or name another folder with --folder.",
    ),
    (
        "ADDRESS_IN_USE",
        "Another process listens on the port. Give another with --port or --listen.",
    ),
    (
        "UNKNOWN_KEY",
        "A workflow file has a key that does not exist, mostly misspelt. `validate --fix` mends what is certain.",
    ),
    (
        "MISSING_KEY",
        "A workflow, task or section lacks a key that it must have.",
    ),
    (
        "INVALID_VALUE",
        "A key of a workflow file has a value that it cannot take; the message says which it can.",
    ),
    (
        "DUPLICATE_KEY",
        "A map of a workflow file has a key twice; only one of the values can be meant.",
    ),
    (
        "DUPLICATE_ID",
        "Two tasks have one id. Ids name tasks in expressions, so each is used once.",
    ),
    (
        "INVALID_ID",
        "An id is a letter, then letters, digits and `_`. A hyphen would read as minus in expressions.",
    ),
    (
        "TASK_KIND",
        "A task does exactly one thing: it has one of the keys that say what.",
    ),
    (
        "UNITLESS_DURATION",
        "A duration is written with its unit: 250ms, 30s, 1h30m.",
    ),
    (
        "YAML_MAP_FOR_EXPRESSION",
        "YAML read `${..}` or `{{ }}` without quotes as a map. Put it in quotes.",
    ),
    (
        "YAML_TAB",
        "YAML does not allow tabs in the indentation. Use blanks.",
    ),
    (
        "YAML_SYNTAX",
        "The file is no YAML or JSON from this place on.",
    ),
    (
        "FILE_TOO_LARGE",
        "A workflow file has at most 1 MiB. Keep data in files that tasks read.",
    ),
    (
        "EXPRESSION_SYNTAX",
        "An expression cannot be read; the mark stands under the place.",
    ),
    (
        "QUOTED_FIELD",
        "In expressions double quotes name a field; text stands in single quotes.",
    ),
    (
        "TEMPLATE_IN_CONDITION",
        "A condition is an expression as a whole and is written without `${}`.",
    ),
    (
        "UNKNOWN_NAME",
        "An expression names a task, input or field that does not exist.",
    ),
    (
        "CIRCULAR_DEPENDENCY",
        "Tasks need each other in a circle, so none could start. Take one need away.",
    ),
    (
        "MISSING_DEPENDENCY",
        "`needs` names a task that is not in the file.",
    ),
    (
        "TOOL_NOT_FOUND",
        "No engine that can be reached has this tool. `gearmesh tool list` shows all.",
    ),
    (
        "MISSING_PARAM",
        "A tool needs a parameter that the task does not give. `gearmesh tool show` lists them.",
    ),
    (
        "UNKNOWN_PARAM",
        "A tool does not have this parameter. `gearmesh tool show` lists them.",
    ),
    (
        "PARAM_TYPE",
        "A parameter has a value of another type than the tool takes.",
    ),
    (
        "LITERAL_SECRET",
        "A secret stands in the file as plain text, where everyone who reads the file sees it.",
    ),
    (
        "NOT_IMPLEMENTED",
        "The language has this, but it is not built yet. It is refused so that it is never silently left out.",
    ),
];

/// Explains a code.
pub(crate) fn explain(output: &mut Output, catalog: &Catalog, code: &str) -> Result<(), Error> {
    let wanted = code.to_uppercase().replace('-', "_");
    let mut found: Vec<Value> = catalog
        .explain(&wanted)
        .into_iter()
        .map(gearmesh_catalog::FaultInfo::describe)
        .collect();
    if let Some((_, text)) = OWN.iter().find(|(own, _)| *own == wanted)
        && found.is_empty()
    {
        found.push(json!({"reason": wanted, "domain": "", "code": "", "retryable": false, "varies": false, "text": text}));
    }
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

fn unknown(catalog: &Catalog, wanted: &str) -> Error {
    let faults = catalog
        .common_faults()
        .iter()
        .chain(catalog.engines().iter().flat_map(|e| &e.faults));
    let names = faults
        .map(|f| f.reason.as_str())
        .chain(OWN.iter().map(|(code, _)| *code));
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
    if !text("domain").is_empty() {
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
    use expect_test::expect;

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
