//! `gearmesh validate FILE...`.

use std::path::Path;

use gearmesh_catalog::Catalog;
use gearmesh_workflow::{Diagnostic, Dialect, Severity, apply_edits, check};
use serde_json::{Value, json};

use crate::app::App;
use crate::client::{Client, built_in};
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::output::Output;
use crate::report;
use crate::text::{count, field, printable};

/// Who checks.
pub(crate) enum Checker {
    /// This process, with the tools that are built in.
    Offline(Box<Catalog>),
    /// A server, with the tools that it reaches.
    Server(Client),
}

impl Checker {
    pub(crate) fn offline() -> Result<Self, Error> {
        Ok(Self::Offline(Box::new(built_in()?)))
    }
}

/// What was found in one file.
struct Found {
    file: WorkflowFile,
    dialect: String,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    fixed: usize,
}

/// Checks files; with `fix` the safe edits are made first.
pub(crate) async fn validate(
    app: &mut App,
    checker: &Checker,
    files: &[String],
    fix: bool,
) -> Result<Exit, Error> {
    let (mut all, mut unread) = (Vec::with_capacity(files.len()), Vec::new());
    for name in files {
        for file in expand(name) {
            let mut found = match file.and_then(|name| WorkflowFile::read(&name)) {
                Ok(file) => examine(checker, file).await?,
                Err(error) => {
                    unread.push(error);
                    continue;
                }
            };
            if fix {
                found = mend(checker, found).await?;
            }
            all.push(found);
        }
    }
    show(&mut app.output, &all)?;
    // The last is told by who asked, and gives the exit code.
    let last = unread.pop();
    for error in &unread {
        report::error(&mut app.output, error);
    }
    if let Some(error) = last {
        return Err(error);
    }
    Ok(if all.iter().all(|f| f.errors.is_empty()) {
        Exit::Done
    } else {
        Exit::Invalid
    })
}

/// Ends of the names of workflow files.
const ENDS: [&str; 3] = [".workflow.yaml", ".workflow.yml", ".workflow.json"];

/// The workflow files of a folder, by name; else the name itself.
pub(crate) fn expand(name: &str) -> Vec<Result<String, Error>> {
    if !Path::new(name).is_dir() {
        return vec![Ok(name.to_owned())];
    }
    let failed = |source| Error::Read {
        path: name.into(),
        source,
    };
    let entries = match std::fs::read_dir(name) {
        Ok(entries) => entries,
        Err(source) => return vec![Err(failed(source))],
    };
    let mut files: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .filter(|path| ENDS.iter().any(|end| path.ends_with(end)))
        .collect();
    files.sort();
    if files.is_empty() {
        return vec![Err(Error::NotFound {
            code: "FILE_NOT_FOUND",
            message: format!("no workflow file in `{}`", printable(name)),
            help: Some(format!("their names end in {}", ENDS.join(", "))),
        })];
    }
    files.into_iter().map(Ok).collect()
}

/// Rounds of edits: one edit may bring another to light, but not for ever.
const ROUNDS_MAX: usize = 4;

async fn mend(checker: &Checker, mut found: Found) -> Result<Found, Error> {
    let mut fixed = 0;
    for _ in 0..ROUNDS_MAX {
        let with_edits = found
            .errors
            .iter()
            .chain(&found.warnings)
            .filter(|d| !d.edits.is_empty())
            .count();
        if with_edits == 0 {
            break;
        }
        let both: Vec<_> = found
            .errors
            .iter()
            .chain(&found.warnings)
            .cloned()
            .collect();
        let text = apply_edits(&found.file.text, &both);
        found.file.replace(&text)?;
        let mut file = found.file;
        file.text = text;
        fixed += with_edits;
        found = examine(checker, file).await?;
    }
    found.fixed = fixed;
    Ok(found)
}

async fn examine(checker: &Checker, file: WorkflowFile) -> Result<Found, Error> {
    match checker {
        Checker::Offline(catalog) => {
            let checked = check(&file.source(None), Some(catalog));
            Ok(Found {
                file,
                dialect: checked.dialect.as_str().to_owned(),
                errors: checked.errors,
                warnings: checked.warnings,
                fixed: 0,
            })
        }
        Checker::Server(client) => {
            let params = json!({"source": file.text, "fileName": file.name});
            let answer = client.call("orchestrator.validate", params).await?;
            Ok(Found {
                errors: file.diagnostics(&answer, "errors", Severity::Error),
                warnings: file.diagnostics(&answer, "warnings", Severity::Warning),
                dialect: field(&answer, "dialect").to_owned(),
                file,
                fixed: 0,
            })
        }
    }
}

fn show(output: &mut Output, all: &[Found]) -> Result<(), Error> {
    if !output.for_people() {
        let files: Vec<Value> = all.iter().map(to_json).collect();
        return output.list(&files, "file");
    }
    for found in all {
        let Found {
            file,
            errors,
            warnings,
            fixed,
            ..
        } = found;
        for (list, kind) in [(errors, "error"), (warnings, "warning")] {
            if !list.is_empty() {
                let shown = report::diagnostics(list, &file.text, output.err_style);
                output.tell(&shown);
                if kind == "error" {
                    output.tell("");
                }
            }
        }
        let mended = match fixed {
            0 => String::new(),
            n => format!(", {n} mended"),
        };
        let name = printable(&file.name).into_owned();
        let dialect = match Dialect::from_name(&found.dialect) {
            Some(Dialect::Oktyv) => " (oktyv)",
            _ => "",
        };
        output.data(&match (errors.len(), warnings.len()) {
            (0, 0) => format!("{name}{dialect}: valid{mended}"),
            (0, w) => format!(
                "{name}{dialect}: valid, {}{mended}",
                count(w as u64, "warning")
            ),
            (e, _) => format!("{name}{dialect}: {}{mended}", count(e as u64, "error")),
        })?;
    }
    Ok(())
}

fn to_json(found: &Found) -> Value {
    let list = |all: &[Diagnostic]| all.iter().map(report::diagnostic).collect::<Vec<_>>();
    json!({
        "file": found.file.name,
        "valid": found.errors.is_empty(),
        "dialect": found.dialect,
        "errors": list(&found.errors),
        "warnings": list(&found.warnings),
        "mended": found.fixed,
    })
}
