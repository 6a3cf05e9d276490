//! What expressions can name, and whether what they name is there.

use std::collections::{HashMap, HashSet};

use gearmesh_expr::{Expression, Path, Step};

use crate::diagnostic::quote;
use crate::keys::{ROOTS, RUN_END, RUN_FIELDS, TRIGGER_FIELDS};
use crate::nearest::nearest;
use crate::outline::Of;
use crate::shape::Shape;
use crate::source::Span;
use crate::value::{Place, Reader, Written};

/// The names of a file.
#[derive(Debug, Default)]
pub(crate) struct Names<'n> {
    /// Positions of tasks by id, whatever graph they are of.
    pub(crate) tasks: HashMap<&'n str, usize>,
    /// The id of each task.
    pub(crate) ids: Vec<&'n str>,
    /// The body of each task.
    pub(crate) body_of: Vec<usize>,
    /// Whose each body is.
    pub(crate) bodies: Vec<Of>,
    /// What the element of each task is called, where it has `each`.
    pub(crate) elements: Vec<Option<&'n str>>,
    /// What each task's result looks like.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) inputs: HashSet<&'n str>,
    pub(crate) secrets: HashSet<&'n str>,
    /// Positions of vars.
    pub(crate) vars: HashMap<&'n str, usize>,
    /// Ids that cannot be one: what names them is not reported again. A few; the list is searched.
    pub(crate) invalid: Vec<String>,
}

/// A name that is not there.
pub(crate) struct Missing<'m> {
    pub(crate) code: &'static str,
    pub(crate) span: Span,
    pub(crate) name: &'m str,
    /// The sentence up to the suggestion.
    pub(crate) message: String,
}

impl<'m> Missing<'m> {
    pub(crate) const fn new(span: Span, name: &'m str, message: String) -> Missing<'m> {
        Missing {
            code: "UNKNOWN_NAME",
            span,
            name,
            message,
        }
    }
}

impl Reader<'_, '_, '_> {
    /// Looks every name of an expression up. `offset` is where its text begins in the written one, `alone`
    /// says whether there is nothing beside it. Whether all are there.
    pub(crate) fn resolve(
        &mut self,
        expression: &Expression,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
        alone: bool,
    ) -> bool {
        let mut known = true;
        for path in expression.paths() {
            known &= if path.root == "secrets" {
                self.secret(path, written, offset, place, alone)
            } else {
                self.path(path, written, offset, place)
            };
        }
        known
    }

    /// The name of a secret: alone where a secret is taken, and nowhere else.
    fn secret(
        &mut self,
        path: &Path,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
        alone: bool,
    ) -> bool {
        let file = self.report.text();
        let span = written.part(file, offset + path.span.start, offset + path.span.end);
        let name = match path.steps.as_slice() {
            [Step::Field(name)] if alone && path.exact && place.secret => name,
            [Step::Field(name), ..] => {
                let message = format!(
                    "`secrets.{}` stands only alone, as the whole value of a field that takes a secret",
                    quote(name)
                );
                self.report.error("SECRET_EXPOSED", span, message);
                return false;
            }
            _ => {
                let message =
                    "`secrets` stands only as `${secrets.name}`, in a field that takes a secret";
                self.report.error("SECRET_EXPOSED", span, message);
                return false;
            }
        };
        if self.names.secrets.contains(name.as_str()) {
            return true;
        }
        let message = format!("no secret is called `{}`", quote(name));
        let first = path.step_spans.first().copied().unwrap_or(path.span);
        let span = written.part(file, offset + first.start, offset + first.end);
        let missing = Missing {
            code: "SECRET_NOT_FOUND",
            ..Missing::new(span, name, message)
        };
        let all = self.names;
        self.missing(&missing, || sorted(all.secrets.iter().copied()))
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
        if self.names.is_element(root, place) {
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
            ("run" | "inputs" | "vars", _) if !place.run => {
                let span = written.part(file, offset + path.span.start, offset + path.span.end);
                let message = format!("`{root}` is not known here: there is no run yet");
                self.report.error("UNKNOWN_NAME", span, message);
                false
            }
            ("run", Some(name)) if !RUN_FIELDS.contains(&name) => {
                let message = format!("`run` has no `{}`", quote(name));
                let missing = Missing::new(second(), name, message);
                self.missing(&missing, || RUN_FIELDS.to_vec())
            }
            ("run", Some(name)) if RUN_END.contains(&name) && !self.names.in_handler(place) => {
                let span = second();
                let message =
                    format!("`run.{name}` is known only in `onFailure`, `onSuccess` and `finally`");
                self.report.error("UNKNOWN_NAME", span, message);
                false
            }
            ("trigger", Some(name)) if !TRIGGER_FIELDS.contains(&name) => {
                let message = format!("`trigger` has no `{}`", quote(name));
                let missing = Missing::new(second(), name, message);
                self.missing(&missing, || TRIGGER_FIELDS.to_vec())
            }
            ("event", _) if place.event => true,
            ("inputs", Some(name)) if !self.names.inputs.contains(name) => {
                let message = format!("no input is called `{}`", quote(name));
                let missing = Missing::new(second(), name, message);
                self.missing(&missing, || sorted(all.inputs.iter().copied()))
            }
            ("vars", Some(name))
                if self.names.vars.get(name).is_none_or(|at| *at >= place.vars) =>
            {
                let message = if self.names.vars.contains_key(name) {
                    format!("`vars.{}` can be used only after it is set", quote(name))
                } else {
                    format!("no var is called `{}`", quote(name))
                };
                let before = all.vars.iter().filter(|(_, at)| **at < place.vars);
                let missing = Missing::new(second(), name, message);
                self.missing(&missing, || sorted(before.map(|(name, _)| *name)))
            }
            ("inputs", name) => {
                self.used.note(name);
                true
            }
            ("run" | "vars" | "trigger", _) => true,
            _ => {
                let (start, end) = (offset + path.span.start, offset + root_end(path));
                let span = written.part(file, start, end);
                self.unknown_root(root, span, place)
            }
        }
    }

    fn unknown_root(&mut self, root: &str, span: Span, place: &Place<'_>) -> bool {
        if root == "event" {
            let message = "`event` exists only in a `where`";
            self.report.error("UNKNOWN_NAME", span, message);
            return false;
        }
        if self.names.invalid.iter().any(|id| id == root) {
            return false;
        }
        if !place.tasks && self.names.tasks.contains_key(root) {
            let message = format!(
                "`{}` is a task; `{}` is read before any task runs",
                quote(root),
                quote(&place.path)
            );
            self.report.error("UNKNOWN_NAME", span, message);
            return false;
        }
        if matches!(root, "item" | "index") {
            let message = match self.names.element_at(place) {
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
            names.extend(all.element_at(place));
            if place.tasks {
                let others = all.tasks.iter().filter(|(_, at)| all.offers(**at, place));
                names.extend(sorted(others.map(|(name, _)| *name)));
            }
            names
        };
        self.missing(&Missing::new(span, root, message), names)
    }

    /// Reports a name that is not there, with the nearest one that is. `names` are asked for only when they are compared.
    pub(crate) fn missing<'c>(
        &mut self,
        missing: &Missing<'_>,
        names: impl FnOnce() -> Vec<&'c str>,
    ) -> bool {
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
        let diagnostic = self.report.error(missing.code, missing.span, message);
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
        "item" | "secrets" => false,
        "index" => place.item.is_some(),
        "event" => place.event,
        _ => true,
    }
}

pub(crate) fn sorted<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}
