//! `gearmesh validate FILE...`.

use std::path::Path;

use gearmesh_catalog::Catalog;
use gearmesh_workflow::{Diagnostic, Dialect, Severity, apply_edits, check_all_at};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::Report;
use crate::client::{Client, built_in};
use crate::documents::documents;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::{WORKFLOWS, WorkflowFile};
use crate::findings::{self, Finding};
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
    /// Of its first document.
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
    report: Option<Report>,
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
    match report {
        Some(report) => write(&mut app.output, &all, report)?,
        None => show(&mut app.output, &all)?,
    }
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
        .filter(|path| WORKFLOWS.iter().any(|end| path.ends_with(end)))
        .collect();
    files.sort();
    if files.is_empty() {
        return vec![Err(Error::NotFound {
            code: "FILE_NOT_FOUND",
            message: format!("no workflow file in `{}`", printable(name)),
            help: Some(format!("their names end in {}", WORKFLOWS.join(", "))),
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
    let mut found = Found {
        dialect: String::new(),
        errors: Vec::new(),
        warnings: Vec::new(),
        fixed: 0,
        file,
    };
    match checker {
        Checker::Offline(catalog) => {
            let now = jiff::Timestamp::now();
            for checked in check_all_at(&found.file.source(None), Some(catalog), now) {
                if found.dialect.is_empty() {
                    checked.dialect.as_str().clone_into(&mut found.dialect);
                }
                found.errors.extend(checked.errors);
                found.warnings.extend(checked.warnings);
            }
        }
        Checker::Server(client) => {
            let file = &found.file;
            for document in documents(&file.text) {
                let params = json!({"source": document.padded(), "fileName": file.name});
                let answer = client.call("orchestrator.validate", params).await?;
                if found.dialect.is_empty() {
                    field(&answer, "dialect").clone_into(&mut found.dialect);
                }
                let mut errors = file.diagnostics(&answer, "errors", Severity::Error);
                let mut warnings = file.diagnostics(&answer, "warnings", Severity::Warning);
                document.place(&mut errors);
                document.place(&mut warnings);
                found.errors.extend(errors);
                found.warnings.extend(warnings);
            }
        }
    }
    Ok(found)
}

/// Writes what was found in the words of another program.
fn write(output: &mut Output, all: &[Found], report: Report) -> Result<(), Error> {
    let files: Vec<Finding<'_>> = all
        .iter()
        .map(|found| Finding {
            file: &found.file.name,
            errors: &found.errors,
            warnings: &found.warnings,
        })
        .collect();
    match report {
        Report::Sarif => output.data(&format!("{:#}", findings::sarif(&files))),
        Report::Junit => output.data(&findings::report(&files)),
        Report::Github => match findings::github(&files) {
            text if text.is_empty() => Ok(()),
            text => output.data(&text),
        },
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
            Some(Dialect::Ordinaut) => " (ordinaut)",
            Some(Dialect::Native) | None => "",
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
