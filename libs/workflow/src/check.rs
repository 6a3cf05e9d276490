//! A file checked as a whole.

use gearmesh_catalog::Catalog;

use crate::diagnostic::{Diagnostic, Report};
use crate::keys;
use crate::model::Workflow;
use crate::source::{Dialect, Source, Span, is_json};
use crate::tree::Tree;
use crate::{builder, native, oktyv};

/// What was found in a file.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The workflow, when there are no errors.
    pub workflow: Option<Workflow>,
    /// The dialect that was read.
    pub dialect: Dialect,
    /// What keeps it from starting, in the order of the file. Of a foreign dialect only faults of
    /// the first kind that its own rules name.
    pub errors: Vec<Diagnostic>,
    /// What may go wrong, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks a file: everything that is wrong with it at once.
///
/// Without a catalogue tools, their parameters and results are not looked at; a workflow that was
/// checked with one before is read so.
#[must_use]
pub fn check(source: &Source<'_>, catalog: Option<&Catalog>) -> Checked {
    let mut report = Report::new(source);
    let tree = builder::read(&mut report);
    let dialect = source.dialect.unwrap_or_else(|| {
        tree.as_ref()
            .map_or(Dialect::Native, |tree| detect(source.text, tree))
    });
    let workflow = tree.and_then(|tree| {
        if is_ordinaut(&tree) && matches!(source.dialect, None | Some(Dialect::Ordinaut)) {
            let start = Span::new(tree.span.start, tree.span.start);
            report.error(
                "NOT_IMPLEMENTED",
                start,
                "the dialect of Ordinaut is not built yet",
            );
            return None;
        }
        match dialect {
            Dialect::Native => native::read(&mut report, &tree, catalog),
            Dialect::Oktyv => oktyv::read(&mut report, &tree, catalog),
            Dialect::Ordinaut => None,
        }
    });
    let workflow = workflow.filter(|_| !report.failed());
    let (errors, warnings) = report.finish();
    Checked {
        workflow,
        dialect,
        errors,
        warnings,
    }
}

/// JSON with tasks, none of which has a key of our own format alone, and without a name.
fn detect(text: &str, tree: &Tree) -> Dialect {
    let json = is_json(text);
    let Some(tasks) = tree
        .get("tasks")
        .filter(|_| json && tree.get("name").is_none())
    else {
        return Dialect::Native;
    };
    let native_only = |key: &str| keys::TASK.has(key) && !keys::OKTYV_TASK.has(key);
    let mut tasks = tasks.list().unwrap_or_default().iter();
    let native = tasks.any(|task| {
        task.map()
            .is_some_and(|entries| entries.iter().any(|entry| native_only(&entry.key)))
    });
    if native {
        Dialect::Native
    } else {
        Dialect::Oktyv
    }
}

fn is_ordinaut(tree: &Tree) -> bool {
    let payload = tree
        .get("payload")
        .and_then(|payload| payload.get("pipeline"));
    tree.get("pipeline").is_some() || payload.is_some() || tree.get("schedule_kind").is_some()
}
