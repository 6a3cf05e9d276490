//! A file checked as a whole.

use std::collections::HashMap;

use gearmesh_catalog::Catalog;
use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Report, quote};
use crate::keys;
use crate::model::Workflow;
use crate::source::{Dialect, Source, Span, is_json};
use crate::tree::Tree;
use crate::{builder, native, oktyv, ordinaut};

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

/// Reads and checks a file with one workflow: everything that is wrong with it at once.
///
/// Without a catalogue tools, their parameters and results are not looked at; a workflow that was
/// checked with one before is read so.
#[must_use]
pub fn check(source: &Source<'_>, catalog: Option<&Catalog>) -> Checked {
    let mut report = Report::new(source);
    let tree = builder::read(&mut report);
    checked(source, report, tree.as_ref(), catalog)
}

/// As [`check`], at a time: also which schedules are over, and what changes of the clock will do to
/// those that are not.
#[must_use]
pub fn check_at(source: &Source<'_>, catalog: Option<&Catalog>, now: Timestamp) -> Checked {
    let mut report = Report::new(source).at(now);
    let tree = builder::read(&mut report);
    checked(source, report, tree.as_ref(), catalog)
}

/// As [`check`], for a file with one workflow or several, each with what is said of it.
#[must_use]
pub fn check_all(source: &Source<'_>, catalog: Option<&Catalog>) -> Vec<Checked> {
    all(source, Report::new(source), catalog)
}

/// As [`check_at`], for a file with one workflow or several, each with what is said of it.
#[must_use]
pub fn check_all_at(
    source: &Source<'_>,
    catalog: Option<&Catalog>,
    now: Timestamp,
) -> Vec<Checked> {
    all(source, Report::new(source).at(now), catalog)
}

fn all(source: &Source<'_>, mut report: Report<'_>, catalog: Option<&Catalog>) -> Vec<Checked> {
    let Some(trees) = builder::documents(&mut report) else {
        return vec![checked(source, report, None, catalog)];
    };
    let ends = trees.iter().skip(1).map(|tree| tree.span.start);
    let ends: Vec<usize> = ends.chain([usize::MAX]).collect();
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut all = Vec::with_capacity(trees.len());
    for (tree, end) in trees.iter().zip(ends) {
        let mut report = report.before(end);
        let name = tree.get("name");
        if let Some((text, span)) = name.and_then(|name| Some((name.text()?, name.span)))
            && let Some(first) = names.insert(text, span)
        {
            let line = report.line(first);
            let message = format!(
                "`name: {}` is used twice (first at line {line})",
                quote(text)
            );
            report.error("DUPLICATE_ID", span, message);
        }
        all.push(checked(source, report, Some(tree), catalog));
    }
    all
}

/// What is found in one document.
pub(crate) fn checked(
    source: &Source<'_>,
    mut report: Report<'_>,
    tree: Option<&Tree>,
    catalog: Option<&Catalog>,
) -> Checked {
    let dialect = source
        .dialect
        .unwrap_or_else(|| tree.map_or(Dialect::Native, |tree| detect(source.text, tree)));
    let workflow = tree.and_then(|tree| match dialect {
        Dialect::Native => native::read(&mut report, tree, catalog),
        Dialect::Oktyv => oktyv::read(&mut report, tree, catalog),
        Dialect::Ordinaut => ordinaut::read(&mut report, tree, catalog),
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

/// The first that fits: a pipeline or a schedule is Ordinaut's, a name ours, and JSON with tasks,
/// none of which has a key of our own format alone, is Oktyv's.
pub(crate) fn detect(text: &str, tree: &Tree) -> Dialect {
    if is_ordinaut(tree) {
        return Dialect::Ordinaut;
    }
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
