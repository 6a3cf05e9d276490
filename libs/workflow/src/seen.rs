//! Which tasks and elements a place of the file can name.

use gearmesh_expr::{Path, Step};

use crate::diagnostic::quote;
use crate::keys::TASK_FIELDS;
use crate::names::{Missing, Names};
use crate::outline::{HANDLERS, Of};
use crate::value::{Place, Reader, Written};

/// How a place sees a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is the task's own, and looks at its result.
    Own,
    /// It sees it once it has ended: this task of the same graph, which is around the place
    /// or has it, needs it.
    Needed(usize),
    /// It has ended before the place is looked at.
    Ended,
    /// It is a group around the place.
    Around,
    /// It is inside of this group, which stands beside the place or something around it.
    Inside(usize),
    /// It is one of the tasks of this handler, which the place is not.
    After(usize),
}

impl Names<'_> {
    /// The body of a task.
    fn body_of(&self, task: usize) -> usize {
        self.body_of.get(task).copied().unwrap_or_default()
    }

    /// Whose a body is.
    fn of(&self, body: usize) -> Of {
        self.bodies.get(body).copied().unwrap_or(Of::Workflow)
    }

    /// The task and the groups around it, the innermost first.
    fn around(&self, task: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(task), |task| match self.of(self.body_of(*task)) {
            Of::Group(group) => Some(group),
            Of::Workflow | Of::Handler(_) => None,
        })
    }

    /// How a place sees a task.
    pub(crate) fn seen(&self, task: usize, place: &Place<'_>) -> Seen {
        let body = self.body_of(task);
        if let Some(at) = place.task {
            if place.own && at == task {
                return Seen::Own;
            }
            if let Some(by) = self.around(at).find(|by| self.body_of(*by) == body) {
                return if by == task && at != task {
                    Seen::Around
                } else {
                    Seen::Needed(by)
                };
            }
        }
        match self.of(body) {
            Of::Workflow => Seen::Ended,
            Of::Group(group) => {
                let mut groups = self.around(task).skip(1);
                let near = groups.find(|group| self.is_beside(*group, place));
                Seen::Inside(near.unwrap_or(group))
            }
            Of::Handler(handler) => Seen::After(handler),
        }
    }

    /// Whether a task is one of a graph that a place sees.
    fn is_beside(&self, task: usize, place: &Place<'_>) -> bool {
        let body = self.body_of(task);
        let mut around = place.task.into_iter().flat_map(|at| self.around(at));
        self.of(body) == Of::Workflow || around.any(|at| self.body_of(at) == body)
    }

    /// How the result of a task is reached through a group around it.
    fn through(&self, group: usize, task: usize) -> String {
        let name = |task: usize| self.ids.get(task).copied().unwrap_or("?");
        let list = |task: usize| match self.elements.get(task) {
            Some(Some(_)) => "[]",
            _ => "",
        };
        let mut path = format!("{}.result{}", name(group), list(group));
        let inner = self.around(task).take_while(|at| *at != group);
        let inner: Vec<usize> = inner.collect();
        for at in inner.into_iter().rev() {
            path.push('.');
            path.push_str(name(at));
            if at != task {
                path.push_str(list(at));
            }
        }
        quote(&path)
    }

    /// Whether a task may be proposed for a place.
    pub(crate) fn offers(&self, task: usize, place: &Place<'_>) -> bool {
        match self.seen(task, place) {
            Seen::Own | Seen::Ended => true,
            // A task that names itself waits for itself.
            Seen::Needed(by) => by != task,
            Seen::Around | Seen::Inside(_) | Seen::After(_) => false,
        }
    }

    /// Why a task cannot be named, and what can.
    pub(crate) fn hidden(&self, task: usize, seen: Seen) -> (String, Option<String>) {
        let id = |task: usize| self.ids.get(task).copied().unwrap_or("?");
        let name = quote(id(task));
        match seen {
            Seen::Inside(group) => {
                let (path, group) = (self.through(group, task), quote(id(group)));
                (
                    format!("`{name}` is inside of the group `{group}` and is not seen outside"),
                    Some(format!("take `{path}`")),
                )
            }
            Seen::After(handler) => {
                let handler = HANDLERS.get(handler).copied().unwrap_or("finally");
                (
                    format!("`{name}` is a task of `{handler}` and is not seen outside of it"),
                    None,
                )
            }
            _ => (
                format!("`{name}` is the group around this task and ends after it"),
                None,
            ),
        }
    }

    /// Why a task needs another: the place, with the inner task that has it.
    pub(crate) fn reason(&self, by: usize, place: &Place<'_>) -> String {
        match place.task.filter(|task| *task != by) {
            Some(inner) => {
                let inner = self.ids.get(inner).copied().unwrap_or("?");
                format!("{inner}: {}", place.path)
            }
            None => place.path.clone(),
        }
    }

    /// Whether a place is in a handler, which runs once the graph has ended.
    pub(crate) fn in_handler(&self, place: &Place<'_>) -> bool {
        let outermost = place.task.and_then(|task| self.around(task).last());
        outermost.is_some_and(|task| matches!(self.of(self.body_of(task)), Of::Handler(_)))
    }

    /// What the nearest element is called that a place sees.
    pub(crate) fn element_at<'s>(&'s self, place: &Place<'s>) -> Option<&'s str> {
        place.item.or_else(|| self.elements_around(place).next())
    }

    /// Whether a name is that of an element, or its position, that a place sees.
    pub(crate) fn is_element(&self, name: &str, place: &Place<'_>) -> bool {
        let own = place.item.into_iter();
        own.chain(self.elements_around(place))
            .any(|element| name == element || name == "index")
    }

    /// The elements of the groups around a place.
    fn elements_around<'s>(&'s self, place: &Place<'_>) -> impl Iterator<Item = &'s str> + use<'s> {
        let around = place.task.into_iter();
        around
            .flat_map(|task| self.around(task).skip(1))
            .filter_map(|group| self.elements.get(group).copied().flatten())
    }
}

impl Reader<'_, '_, '_> {
    /// Looks a task up, and what is taken of it.
    pub(crate) fn task(
        &mut self,
        task: usize,
        path: &Path,
        written: &Written<'_>,
        offset: usize,
        place: &Place<'_>,
    ) -> bool {
        let names = self.names;
        let own = match names.seen(task, place) {
            Seen::Own => true,
            Seen::Ended => false,
            Seen::Needed(by) => {
                self.edges.add(task, by, || names.reason(by, place));
                false
            }
            hidden => {
                let file = self.report.text();
                let (start, end) = (path.span.start, path.span.start + path.root.len());
                let span = written.part(file, offset + start, offset + end);
                let (message, hint) = names.hidden(task, hidden);
                let diagnostic = self.report.error("UNKNOWN_NAME", span, message);
                diagnostic.hints.extend(hint);
                return false;
            }
        };
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
                .fault(&names.shapes, &path.root, rest, own)
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
                self.missing(&Missing::new(span, &name, message), known)
            }
            None => {
                self.report.error("UNKNOWN_NAME", span, message);
                false
            }
        }
    }
}
