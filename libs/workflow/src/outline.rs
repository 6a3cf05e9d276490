//! The tasks of a file laid out flat: the workflow's own first, then those of each
//! group and handler.

use crate::diagnostic::Report;
use crate::field;
use crate::fields::Fields;
use crate::source::{GROUPS_MAX, Span, TASKS_MAX};
use crate::tree::{Entry, Tree};

const OWNER: &str = "the workflow";

/// The keys of the workflow whose tasks run after its graph.
pub(crate) const HANDLERS: [&str; 3] = ["onFailure", "onSuccess", "finally"];

/// All tasks of a file.
#[derive(Debug)]
pub(crate) struct Outline<'t> {
    /// Tasks of one body stand together.
    pub(crate) tasks: Vec<Placed<'t>>,
    /// The workflow's own first; in the order of their first tasks.
    pub(crate) bodies: Vec<Layout>,
}

/// A task of the file and where it belongs.
#[derive(Debug)]
pub(crate) struct Placed<'t> {
    pub(crate) tree: &'t Tree,
    /// The body that it is one of.
    pub(crate) body: usize,
    /// The body that it has, as a group.
    pub(crate) group: Option<usize>,
}

/// A body of the file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) first: usize,
    pub(crate) len: usize,
    pub(crate) of: Of,
    /// How many groups are around it.
    depth: usize,
}

/// Whose tasks a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The workflow's own.
    Workflow,
    /// Those of the group at this position.
    Group(usize),
    /// Those of one of [`HANDLERS`], by position.
    Handler(usize),
}

impl<'t> Outline<'t> {
    /// Lays the tasks out; `None` when there are none or too many, which is reported.
    pub(crate) fn read(
        report: &mut Report<'_>,
        fields: &Fields<'t>,
        start: Span,
    ) -> Option<Outline<'t>> {
        let Some(entry) = fields.get("tasks") else {
            if !fields.may_have("tasks") {
                report.error("MISSING_KEY", start, "the workflow has no `tasks`");
            }
            return None;
        };
        let own = list(report, entry, OWNER)?;
        let mut outline = Outline {
            tasks: Vec::with_capacity(own.len()),
            bodies: Vec::new(),
        };
        outline.add(report, entry, own, Of::Workflow, 0)?;
        for (handler, key) in HANDLERS.into_iter().enumerate() {
            let Some(entry) = fields.get(key) else {
                continue;
            };
            match entry.value.list() {
                // As if the key were not there.
                Some([]) => {}
                Some(trees) => outline.add(report, entry, trees, Of::Handler(handler), 0)?,
                None => field::unexpected(report, entry, OWNER, "a list of tasks"),
            }
        }
        // Bodies are added at the end while the walk goes on, so that it is flat however deep they nest.
        let mut at = 0;
        while at < outline.tasks.len() {
            outline.group(report, at)?;
            at += 1;
        }
        Some(outline)
    }

    /// Adds the tasks of a task that is a group.
    fn group(&mut self, report: &mut Report<'_>, task: usize) -> Option<()> {
        let Placed { tree, body, .. } = self.tasks[task];
        let Some(entry) = tree.entry("tasks") else {
            return Some(());
        };
        let depth = self.bodies[body].depth + 1;
        if depth > GROUPS_MAX {
            let message = format!("groups are nested deeper than {GROUPS_MAX} levels");
            report.error("FILE_TOO_LARGE", entry.key_span, message);
            return None;
        }
        let owner = format!("task `{}`", id_of(tree));
        let Some(trees) = list(report, entry, &owner) else {
            return Some(());
        };
        self.tasks[task].group = Some(self.bodies.len());
        self.add(report, entry, trees, Of::Group(task), depth)
    }

    fn add(
        &mut self,
        report: &mut Report<'_>,
        entry: &Entry,
        trees: &'t [Tree],
        of: Of,
        depth: usize,
    ) -> Option<()> {
        let (first, body) = (self.tasks.len(), self.bodies.len());
        let all = first + trees.len();
        if all > TASKS_MAX {
            let message = format!("the workflow has {all} tasks; the limit is {TASKS_MAX}");
            report.error("FILE_TOO_LARGE", entry.key_span, message);
            return None;
        }
        self.bodies.push(Layout {
            first,
            len: trees.len(),
            of,
            depth,
        });
        self.tasks.extend(trees.iter().map(|tree| Placed {
            tree,
            body,
            group: None,
        }));
        Some(())
    }

    /// The body of a handler, when the file has it.
    pub(crate) fn handler(&self, handler: usize) -> Option<usize> {
        let mut bodies = self.bodies.iter();
        bodies.position(|body| body.of == Of::Handler(handler))
    }
}

/// The tasks of a graph, at least one.
fn list<'t>(report: &mut Report<'_>, entry: &'t Entry, owner: &str) -> Option<&'t [Tree]> {
    match entry.value.list() {
        Some([]) => {
            let message = format!("`tasks` of {owner}: expected at least one task");
            report.error("INVALID_VALUE", entry.value.span, message);
            None
        }
        Some(items) => Some(items),
        None => {
            field::unexpected(report, entry, owner, "a list of tasks");
            None
        }
    }
}

/// The id of a task as the file has it.
pub(crate) fn id_of(tree: &Tree) -> &str {
    tree.get("id").and_then(Tree::text).unwrap_or("?")
}
