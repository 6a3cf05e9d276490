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
        "SERVER_NOT_TRUSTED",
        "The certificate of the server is not signed by the roots that are trusted: it is another mesh, or somebody in between. Give the file `ca/root.pem` of the mesh with --ca.",
    ),
    (
        "SERVER_NAME_WRONG",
        "The certificate of the server does not name the host of the address. Use a name that it has; `gearmesh init --host HOST` gives a gateway further ones.",
    ),
    (
        "SERVER_CERTIFICATE_EXPIRED",
        "The certificate of the server has ended. See that the identity engine of its mesh runs, and that the clocks agree.",
    ),
    (
        "CERTIFICATE_EXPIRED",
        "Your certificate has ended. `gearmesh init --renew NAME` gets a fresh one.",
    ),
    (
        "CERTIFICATE_REFUSED",
        "The server does not take your certificate: it is of another mesh. `gearmesh init --client NAME` in the folder of the mesh makes one.",
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
        "SERVED_ALREADY",
        "Another process serves the folder, with its own flags. Stop it, use it as it is, or name another folder with --folder.",
    ),
    (
        "CONFIG_INVALID",
        "A setting of the file, the environment or --set cannot be used; the message names its key. The reference of the configuration lists all.",
    ),
    (
        "INSECURE_CONFIG",
        "A setting would open the mesh to others without protection. Listen on 127.0.0.1, and join engines that listen there.",
    ),
    (
        "NOT_STARTED",
        "The mesh in this process did not start; the message says why. Mostly a folder or file cannot be used.",
    ),
    (
        "INTERRUPTED",
        "Ctrl-C ended the command. A run that was watched goes on; `gearmesh run watch` follows it again.",
    ),
    (
        "TIMEOUT",
        "The command did not end within --timeout. A run goes on; `gearmesh run watch` follows it again.",
    ),
    (
        "FILE_NOT_READABLE",
        "A file of the command line cannot be read. Look at its path and permissions; text must be UTF-8.",
    ),
    (
        "NOT_WRITABLE",
        "A file or standard output cannot be written. Look at the permissions and the space that is left.",
    ),
    (
        "WORKFLOW_INVALID",
        "A workflow file has faults. `gearmesh validate` shows each in its line; nothing was run.",
    ),
    (
        "INPUT_INVALID",
        "An input is missing, unknown or of the wrong type. `gearmesh plan` shows what the workflow takes.",
    ),
    (
        "UNKNOWN_CODE",
        "`gearmesh explain` does not know the code. Look at its spelling.",
    ),
    (
        "INTERNAL_ERROR",
        "The program met what it does not expect. The message says what; please report it.",
    ),
    (
        "CONDITION",
        "A task was skipped since its `when` was false.",
    ),
    (
        "NEED_FAILED",
        "A task was skipped since one that it needs has failed. `runIf` lets it run all the same.",
    ),
    (
        "NEEDS_SKIPPED",
        "A task was skipped since all that it needs were skipped. `runIf` lets it run all the same.",
    ),
    (
        "RUN_STOPPED",
        "A task was skipped since the run ended before its turn: another task failed, or the run was cancelled or out of time.",
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
