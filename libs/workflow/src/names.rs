//! What expressions can name, and whether what they name is there.

use std::collections::{HashMap, HashSet};

use gearmesh_expr::{Expression, Path, Step};

use crate::diagnostic::quote;
use crate::keys::{PLANNED_ROOTS, ROOTS, RUN_FIELDS, TASK_FIELDS};
use crate::nearest::nearest;
use crate::shape::Shape;
use crate::source::Span;
use crate::value::{Place, Reader, Written};

/// The names of a file.
#[derive(Debug, Default)]
pub(crate) struct Names<'n> {
    /// Positions of tasks by id.
    pub(crate) tasks: HashMap<&'n str, usize>,
    /// What each task's result looks like.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) inputs: HashSet<&'n str>,
    /// Positions of vars.
    pub(crate) vars: HashMap<&'n str, usize>,
    /// Ids that cannot be one: what names them is not reported again. A few; the list is searched.
    pub(crate) invalid: Vec<String>,
}

/// A name that is not there.
struct Missing<'m> {
    span: Span,
    name: &'m str,
    /// The sentence up to the suggestion.
    message: String,
}

impl Reader<'_, '_, '_> {
    /// Looks every name of an expression up. `offset` is where its text begins in the written one. Whether all are there.
    pub(crate) fn resolve(
        &mut self,
        expression: &Expression,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
    ) -> bool {
        let mut known = true;
        for path in expression.paths() {
            known &= self.path(path, written, offset, place);
        }
        known
    }

    fn path(
        &mut self,
        path: &Path,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
    ) -> bool {
        let root = path.root.as_str();
        let field = match path.steps.first() {
            Some(Step::Field(name)) => Some(name.as_str()),
            _ => None,
        };
        if place
            .item
            .is_some_and(|item| root == item || root == "index")
        {
            return true;
        }
        if place.tasks
            && let Some(&task) = self.names.tasks.get(root)
        {
            return self.task(task, path, written, offset, place);
        }
        let (file, all) = (self.report.text(), self.names);
        let first = path.step_spans.first().copied().unwrap_or(path.span);
        let second = || written.part(file, offset + first.start, offset + first.end);
        match (root, field) {
            ("now", _) => true,
            ("run", Some(name)) if !RUN_FIELDS.contains(&name) => {
                let span = second();
                let message = format!("`run` has no `{}`", quote(name));
                self.missing(
                    &Missing {
                        span,
                        name,
                        message,
                    },
                    || RUN_FIELDS.to_vec(),
                )
            }
            ("inputs", Some(name)) if !self.names.inputs.contains(name) => {
                let span = second();
                let message = format!("no input is called `{}`", quote(name));
                let names = || sorted(all.inputs.iter().copied());
                self.missing(
                    &Missing {
                        span,
                        name,
                        message,
                    },
                    names,
                )
            }
            ("vars", Some(name))
                if self.names.vars.get(name).is_none_or(|at| *at >= place.vars) =>
            {
                let span = second();
                let message = if self.names.vars.contains_key(name) {
                    format!("`vars.{}` can be used only after it is set", quote(name))
                } else {
                    format!("no var is called `{}`", quote(name))
                };
                let before = all.vars.iter().filter(|(_, at)| **at < place.vars);
                let names = || sorted(before.map(|(name, _)| *name));
                self.missing(
                    &Missing {
                        span,
                        name,
                        message,
                    },
                    names,
                )
            }
            ("run" | "inputs" | "vars", _) => true,
            _ => {
                let (start, end) = (offset + path.span.start, offset + root_end(path));
                let span = written.part(file, start, end);
                self.unknown_root(root, span, place)
            }
        }
    }

    fn unknown_root(&mut self, root: &str, span: Span, place: &Place<'_>) -> bool {
        if PLANNED_ROOTS.contains(&root) {
            self.report.error(
                "NOT_IMPLEMENTED",
                span,
                format!("`{root}` in expressions is not built yet"),
            );
            return false;
        }
        if self.names.invalid.iter().any(|id| id == root) {
            return false;
        }
        if !place.tasks && self.names.tasks.contains_key(root) {
            let message = format!(
                "`{}` is a task; vars are set before any task runs",
                quote(root)
            );
            self.report.error("UNKNOWN_NAME", span, message);
            return false;
        }
        if matches!(root, "item" | "index") {
            let message = match place.item {
                Some(item) => format!("the element of `each` is called `{item}` here"),
                None => format!(
                    "`{root}` exists only inside of a task with `each`, and not in its `when` and `each`"
                ),
            };
            self.report.error("UNKNOWN_NAME", span, message);
            return false;
        }
        for (holder, has) in [
            ("inputs", self.names.inputs.contains(root)),
            ("vars", self.names.vars.contains_key(root)),
        ] {
            if has {
                let message = format!(
                    "no task or input is called `{}`; did you mean `{holder}.{root}`?",
                    quote(root)
                );
                let start = Span::new(span.start, span.start);
                self.report
                    .error("UNKNOWN_NAME", span, message)
                    .edit(start, format!("{holder}."));
                return false;
            }
        }
        let message = format!("no task or input is called `{}`", quote(root));
        let all = self.names;
        let names = || {
            let mut names: Vec<&str> = ROOTS
                .iter()
                .copied()
                .filter(|name| visible(name, place))
                .collect();
            names.extend(place.item);
            if place.tasks {
                // A task that names itself waits for itself.
                let others = all
                    .tasks
                    .iter()
                    .filter(|(_, at)| place.own || Some(**at) != place.task);
                names.extend(sorted(others.map(|(name, _)| *name)));
            }
            names
        };
        self.missing(
            &Missing {
                span,
                name: root,
                message,
            },
            names,
        )
    }

    fn task(
        &mut self,
        task: usize,
        path: &Path,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
    ) -> bool {
        let own = place.own && place.task == Some(task);
        if let Some(to) = place.task.filter(|_| !own) {
            self.edges.add(task, to, || place.path.clone());
        }
        let names = self.names;
        let fault = match path.steps.as_slice() {
            [Step::Field(name), ..] if !TASK_FIELDS.contains(&name.as_str()) => {
                let message = format!("task `{}` has no `{}`", quote(&path.root), quote(name));
                Some((
                    0,
                    message,
                    Some((
                        name.clone(),
                        TASK_FIELDS
                            .iter()
                            .map(|f| (*f).to_owned())
                            .collect::<Vec<_>>(),
                    )),
                ))
            }
            [Step::Field(name), rest @ ..] if name == "result" => names.shapes[task]
                .fault(&path.root, rest, own)
                .map(|fault| (fault.at + 1, fault.message, fault.known)),
            _ => None,
        };
        let Some((at, message, known)) = fault else {
            return true;
        };
        let span = path.step_spans.get(at).copied().unwrap_or(path.span);
        let span = written.part(self.report.text(), offset + span.start, offset + span.end);
        match known {
            Some((name, known)) => {
                let known = || known.iter().map(String::as_str).collect();
                self.missing(
                    &Missing {
                        span,
                        name: &name,
                        message,
                    },
                    known,
                )
            }
            None => {
                self.report.error("UNKNOWN_NAME", span, message);
                false
            }
        }
    }

    /// Reports a name that is not there, with the nearest one that is. `names` are asked for only when they are compared.
    fn missing<'c>(&mut self, missing: &Missing<'_>, names: impl FnOnce() -> Vec<&'c str>) -> bool {
        let near = if self.report.may_suggest() {
            nearest(missing.name, names())
        } else {
            None
        };
        let question = near
            .as_ref()
            .map(|near| format!("; did you mean `{}`?", near.name))
            .unwrap_or_default();
        let message = format!("{}{question}", missing.message);
        // The place of a quoted name is not that of the bare one.
        let file = self.report.text();
        let bare = file.get(missing.span.start..missing.span.end) == Some(missing.name);
        let diagnostic = self.report.error("UNKNOWN_NAME", missing.span, message);
        if let Some(near) = near.filter(|near| near.is_sure() && bare) {
            diagnostic.edit(missing.span, near.name);
        }
        false
    }
}

/// Where the root of a path ends.
fn root_end(path: &Path) -> usize {
    // A plain name; one in quotes is two longer.
    let first = path
        .step_spans
        .first()
        .map_or(path.span.end, |step| step.start);
    (path.span.start + path.root.len()).min(first)
}

fn visible(name: &str, place: &Place<'_>) -> bool {
    match name {
        "item" => false,
        "index" => place.item.is_some(),
        _ => !PLANNED_ROOTS.contains(&name),
    }
}

fn sorted<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}
