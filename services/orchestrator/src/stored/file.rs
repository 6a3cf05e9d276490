//! A file that is to be stored.

use serde_json::Value;

use gearmesh_workflow::{
    Checked, Diagnostic, Dialect, Document, Severity, Source, Workflow, check,
};

use crate::error::Error;
use crate::run::Runs;

/// Warnings of a start that are errors here: what is stored is read by many, for long.
const ERRORS: [&str; 1] = ["LITERAL_SECRET"];

/// A file that may be stored.
#[derive(Debug)]
pub(super) struct File {
    pub(super) workflow: Workflow,
    /// The file's plain values.
    pub(super) document: Value,
    pub(super) warnings: Vec<Diagnostic>,
}

impl File {
    /// Checks a file as a start does, and for what only a stored one must not have.
    pub(super) fn read(runs: &Runs, source: &str, file_name: &str) -> Result<Self, Error> {
        let source = Source {
            text: source,
            file_name,
            dialect: None,
        };
        let catalog = runs.context().catalog();
        let document = Document::read(&source);
        let checked = match &document {
            Ok(document) => document.check(Some(&catalog)),
            // All that is wrong at once, and not the notation alone.
            Err(_) => check(&source, Some(&catalog)),
        };
        let (workflow, warnings) = strict(checked)?;
        if workflow.dialect == Dialect::Oktyv {
            // It would be found under the name of the dialect by everyone.
            let text = "a request of Oktyv has no name to be stored under; \
                `gearmesh workflow convert` writes it as a file that has one";
            return Err(Error::Parameters(text.to_owned()));
        }
        let document = document.map_err(Error::Invalid)?.value();
        Ok(Self {
            workflow,
            document,
            warnings,
        })
    }
}

/// The workflow and the warnings that stay warnings.
fn strict(checked: Checked) -> Result<(Workflow, Vec<Diagnostic>), Error> {
    let is_error = |d: &Diagnostic| ERRORS.contains(&d.code);
    let (worse, warnings): (Vec<_>, Vec<_>) = checked.warnings.into_iter().partition(is_error);
    let mut errors = checked.errors;
    errors.extend(worse.into_iter().map(|d| Diagnostic {
        severity: Severity::Error,
        ..d
    }));
    errors.sort_by_key(|d| d.location.start);
    match checked.workflow {
        Some(workflow) if errors.is_empty() => Ok((workflow, warnings)),
        _ => Err(Error::Invalid(errors)),
    }
}
