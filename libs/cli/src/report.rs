//! Errors as people and programs read them.

use serde_json::{Value, json};

use gearmesh_workflow::{Diagnostic, render};

use crate::error::{Error, Report};
use crate::output::{Format, Output};
use crate::style::{Style, Tone};
use crate::text::{printable, printable_lines};

/// Faults of a file that are shown to people; programs get all.
pub(crate) const SHOWN_MAX: usize = 10;

/// Writes an error to standard error: as JSON when the data would be JSON.
pub(crate) fn error(output: &mut Output, error: &Error) {
    if matches!(error, Error::Closed) {
        return;
    }
    let text = match output.format {
        Format::Json => format!("{:#}", to_json(error)),
        Format::Ndjson => to_json(error).to_string(),
        Format::Table | Format::Name => to_text(error, output.err_style),
    };
    output.tell(&text);
}

/// The error as JSON.
pub(crate) fn to_json(error: &Error) -> Value {
    let report = error.report();
    let mut out = json!({
        "code": report.code,
        "message": report.message,
        "hints": report.help,
        "retryable": report.retryable,
    });
    if !report.details.is_null() {
        out["details"] = report.details;
    }
    if let Error::Invalid { found, .. } = error {
        out["errors"] = found.iter().map(diagnostic).collect();
    }
    out
}

fn to_text(error: &Error, style: Style) -> String {
    match error {
        Error::Invalid { found, text } => diagnostics(found, text, style),
        other => block(&other.report(), style),
    }
}

/// The faults of a file under its own lines, and how many more there are.
pub(crate) fn diagnostics(found: &[Diagnostic], text: &str, style: Style) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for diagnostic in found.iter().take(SHOWN_MAX) {
        let shown = render(diagnostic, text);
        blocks.push(match shown.split_once(": ") {
            Some((head, rest)) => format!("{}: {rest}", style.paint(Tone::Bad, head)),
            None => shown,
        });
    }
    if found.len() > SHOWN_MAX {
        blocks.push(format!(
            "and {} more; --output json shows all",
            found.len() - SHOWN_MAX
        ));
    }
    blocks.join("\n\n")
}

fn block(report: &Report, style: Style) -> String {
    let head = format!("error[{}]", printable(&report.code));
    let mut out = format!(
        "{}: {}",
        style.paint(Tone::Bad, &head),
        printable_lines(&report.message)
    );
    for line in &report.notes {
        out.push_str(&format!("\n  = note: {}", printable(line)));
    }
    for line in &report.help {
        out.push_str(&format!("\n  = help: {}", printable(line)));
    }
    out
}

/// A fault of a file as JSON, in the shape that all surfaces share.
pub(crate) fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let at = &diagnostic.location;
    let edits: Vec<Value> = diagnostic
        .edits
        .iter()
        .map(|e| json!({"start": e.start, "end": e.end, "text": e.text}))
        .collect();
    let mut out = json!({
        "code": diagnostic.code,
        "message": diagnostic.message,
        "location": {"file": at.file, "line": at.line, "column": at.column, "length": at.length},
        "hints": diagnostic.hints,
        "retryable": false,
    });
    if !edits.is_empty() {
        out["fix"] = json!({"edits": edits});
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tonic::{Code, Status};

    use super::*;

    #[test]
    fn error_names_code_message_and_help() {
        let error = Error::Usage {
            message: "no flag `--pth`".into(),
            help: Some("did you mean `--path`?".into()),
        };
        expect![[r#"
            error[USAGE]: no flag `--pth`
              = help: did you mean `--path`?"#]]
        .assert_eq(&to_text(&error, Style::default()));
        expect![[r#"{"code":"USAGE","message":"no flag `--pth`","hints":["did you mean `--path`?"],"retryable":false}"#]]
            .assert_eq(&to_json(&error).to_string());
    }

    #[test]
    fn text_of_a_server_cannot_drive_the_terminal() {
        let error = Error::of_call(&Status::new(Code::NotFound, "no \u{1b}[2Jfile"), "http://x");
        expect![[r#"error[NOT_FOUND]: no \u{1b}[2Jfile"#]]
            .assert_eq(&to_text(&error, Style::default()));
    }

    #[test]
    fn faults_of_a_file_are_shown_under_its_lines() {
        let text = "name: x\ntasks:\n  - id: a\n    sett: {x: 1}\n";
        let source = gearmesh_workflow::Source {
            text,
            file_name: "x.yaml",
            dialect: None,
        };
        let found = gearmesh_workflow::check(&source, None).errors;
        let shown = to_text(
            &Error::Invalid {
                found,
                text: text.into(),
            },
            Style::default(),
        );
        assert!(shown.contains("error[UNKNOWN_KEY]"), "{shown}");
        assert!(shown.contains("--> x.yaml:4:5"), "{shown}");
        assert!(shown.contains("^^^^"), "{shown}");
    }

    #[test]
    fn people_see_ten_faults_and_programs_all() {
        let tasks: String = (0..12)
            .map(|n| format!("  - {{id: a{n}, set: {{x: 1}}, wrong{n}: 1}}\n"))
            .collect();
        let text = format!("name: x\ntasks:\n{tasks}");
        let source = gearmesh_workflow::Source {
            text: &text,
            file_name: "x.yaml",
            dialect: None,
        };
        let found = gearmesh_workflow::check(&source, None).errors;
        assert_eq!(found.len(), 12);
        let error = Error::Invalid { found, text };
        let shown = to_text(&error, Style::default());
        assert_eq!(shown.matches("error[").count(), SHOWN_MAX);
        assert!(
            shown.ends_with("and 2 more; --output json shows all"),
            "{shown}"
        );
        assert_eq!(to_json(&error)["errors"].as_array().unwrap().len(), 12);
    }
}
