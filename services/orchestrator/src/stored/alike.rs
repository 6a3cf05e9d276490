//! How much two workflows are alike.
//!
//! A workflow is taken as a bag of what it does: the tool of each task, each parameter with
//! its fixed value, and which tool follows on which. Names of tasks, texts for people and the
//! order of the file do not count. The likeness of two is how much of both bags together is
//! in both (Jaccard), 0 to 1. Of each bag the smallest hashes are kept with the version, so
//! that a new workflow is compared with thousands without reading their files; up to
//! [`SKETCH_MAX`] parts that is exact, beyond it a fair sample.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::Value;

use gearmesh_catalog::Catalog;
use gearmesh_store::limits::TEXT_MAX;
use gearmesh_workflow::{Diagnostic, Kind, Location, Node, Severity, Task, Workflow};

use crate::error::Error;
use crate::hash::sha256;
use crate::run::Runs;

/// Likeness from which a new workflow may be one too many.
const LIKE_MIN: f64 = 0.80;

/// Workflows that are named at most, the likest first.
const NAMED_MAX: usize = 5;

/// Bytes of a hash in a sketch.
const HASH_BYTES: usize = 4;

/// Hashes that are kept of a workflow.
const SKETCH_MAX: usize = TEXT_MAX / HASH_BYTES;

/// The smallest hashes of the parts of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sketch(BTreeSet<u32>);

impl Sketch {
    pub(super) fn of(workflow: &Workflow, catalog: &Catalog) -> Self {
        let mut bag = Bag::default();
        for task in &workflow.tasks {
            bag.task(task, catalog);
        }
        for body in &workflow.bodies {
            for edge in &body.graph.edges {
                let name = |at: usize| {
                    let task = workflow.tasks.get(body.first + at);
                    task.map(|task| does(task, catalog)).unwrap_or_default()
                };
                bag.add(format!("{} then {}", name(edge.from), name(edge.to)));
            }
        }
        Self(bag.hashes.into_iter().take(SKETCH_MAX).collect())
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        self.0.iter().flat_map(|h| h.to_be_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        Self(hashes.iter().copied().map(u32::from_be_bytes).collect())
    }

    /// How much of both is in both, 0 to 1.
    fn likeness(&self, other: &Self) -> f64 {
        // Beyond the largest of a full sketch nothing is known of that bag.
        let bound = |s: &Self| match s.0.len() {
            SKETCH_MAX => s.0.last().copied().unwrap_or(u32::MAX),
            _ => u32::MAX,
        };
        let bound = bound(self).min(bound(other));
        let (mut all, mut both) = (0_u32, 0_u32);
        for hash in self.0.union(&other.0).take_while(|h| **h <= bound) {
            all += 1;
            both += u32::from(self.0.contains(hash) && other.0.contains(hash));
        }
        match all {
            0 => 0.0,
            all => f64::from(both) / f64::from(all),
        }
    }
}

/// What a workflow does, part by part.
#[derive(Debug, Default)]
struct Bag {
    counts: HashMap<String, u32>,
    hashes: BTreeSet<u32>,
}

impl Bag {
    /// Adds a part; the same one again counts as another.
    fn add(&mut self, part: String) {
        let count = self.counts.entry(part.clone()).or_default();
        *count += 1;
        let hash = sha256(format!("{part}#{count}").as_bytes());
        if let Some(first) = hash.first_chunk::<HASH_BYTES>() {
            self.hashes.insert(u32::from_be_bytes(*first));
        }
    }

    fn task(&mut self, task: &Task, catalog: &Catalog) {
        let does = does(task, catalog);
        match &task.kind {
            Kind::Tool { params, .. } | Kind::Workflow { params, .. } => self.node(&does, params),
            Kind::Set { values } => self.node(&does, values),
            Kind::Approve(_) | Kind::Wait(_) | Kind::Group { .. } => {}
        }
        self.add(does);
    }

    /// Adds what is given at a place. What is only known in a run counts by its place.
    fn node(&mut self, at: &str, node: &Node) {
        match node {
            Node::Constant(value) => self.value(at, value),
            Node::Text(_) | Node::Oktyv(_) | Node::Ordinaut(_) | Node::Failing(_) => {
                self.add(format!("{at} = $"));
            }
            Node::List(items) => {
                for item in items {
                    self.node(&format!("{at}[]"), item);
                }
            }
            Node::Map(entries) => {
                for (key, value) in entries {
                    self.node(&format!("{at}.{key}"), value);
                }
            }
        }
    }

    fn value(&mut self, at: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    self.value(&format!("{at}.{key}"), value);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.value(&format!("{at}[]"), item);
                }
            }
            value => self.add(format!("{at} = {value}")),
        }
    }
}

/// What a task does, whatever it is called.
fn does(task: &Task, catalog: &Catalog) -> String {
    match &task.kind {
        // An alias does what its tool does.
        Kind::Tool { name, .. } => catalog
            .get(name)
            .map_or_else(|| name.clone(), |found| found.tool.id.clone()),
        Kind::Workflow { name, .. } => format!("workflow {name}"),
        kind => kind.as_str().to_owned(),
    }
}

/// Names the stored workflows that are much like a new one.
pub(super) async fn warnings(
    runs: &Runs,
    name: &str,
    file_name: &str,
    sketch: &Sketch,
) -> Result<Vec<Diagnostic>, Error> {
    let stored = runs.journal().workflows().sketches().await?;
    let others = stored.into_iter().filter(|(other, _)| other != name);
    let mut alike: Vec<(String, f64)> = others
        .map(|(other, bytes)| (other, Sketch::from_bytes(&bytes).likeness(sketch)))
        .filter(|(_, likeness)| *likeness >= LIKE_MIN)
        .collect();
    alike.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = alike.into_iter().take(NAMED_MAX);
    Ok(named
        .map(|(other, likeness)| warning(name, file_name, &other, likeness))
        .collect())
}

fn warning(name: &str, file_name: &str, other: &str, likeness: f64) -> Diagnostic {
    // Cut, not rounded: 1.00 is said only of two that do the same.
    let shown = (likeness * 100.0).floor() / 100.0;
    Diagnostic {
        code: "WORKFLOW_SIMILAR",
        message: format!("`{name}` is much like `{other}`, which is stored ({shown:.2} of 1)"),
        location: Location {
            file: file_name.to_owned(),
            line: 1,
            column: 1,
            length: 0,
            start: 0,
            end: 0,
        },
        hints: vec![format!(
            "`gearmesh workflow show {other}`; maybe update that one"
        )],
        edits: Vec::new(),
        severity: Severity::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(hashes: impl IntoIterator<Item = u32>) -> Sketch {
        Sketch(hashes.into_iter().take(SKETCH_MAX).collect())
    }

    #[test]
    fn likeness_is_what_both_have_of_all() {
        let a = sketch([1, 2, 3, 4]);
        assert!((a.likeness(&a) - 1.0).abs() < 1e-9);
        assert!((a.likeness(&sketch([3, 4, 5, 6])) - 2.0 / 6.0).abs() < 1e-9);
        assert!(a.likeness(&sketch([7])).abs() < 1e-9);
        assert!(sketch([]).likeness(&sketch([])).abs() < 1e-9);
    }

    #[test]
    fn full_sketch_is_compared_only_as_far_as_it_knows() {
        let large = || (0..10_000_u32).map(|n| n * 100);
        // Of the same bag one sketch is cut, the other has a larger bag's part of it.
        let (a, b) = (sketch(large()), sketch(large().filter(|n| n % 1_000 != 0)));
        let likeness = a.likeness(&b);
        assert!((likeness - 0.9).abs() < 0.02, "{likeness}");
        assert_eq!(a.0.len(), SKETCH_MAX);
    }

    #[test]
    fn sketch_is_read_back() {
        let a = sketch([0, 1, u32::MAX]);
        assert_eq!(Sketch::from_bytes(&a.to_bytes()), a);
        let full = sketch(0..1_000);
        assert_eq!(full.to_bytes().len(), TEXT_MAX);
    }
}
