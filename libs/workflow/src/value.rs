//! Values of the file with their expressions parsed, every name in them looked up.

use std::collections::HashSet;
use std::fmt::Write;

use gearmesh_expr::{self as expr, Expression, Template};
use serde_json::Value;

use crate::diagnostic::{DIAGNOSTICS_MAX, Report};
use crate::graph::Edges;
use crate::names::Names;
use crate::node::Node;
use crate::scalar::{self, Style};
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};

/// Reads values: what is wrong goes to the report, what needs a task becomes an edge.
#[derive(Debug)]
pub(crate) struct Reader<'r, 'a, 'n> {
    pub(crate) report: &'r mut Report<'a>,
    pub(crate) names: &'n Names<'n>,
    pub(crate) edges: Edges,
    pub(crate) used: Used,
}

/// The inputs that expressions read.
#[derive(Debug, Default)]
pub(crate) struct Used {
    names: HashSet<String>,
    /// Something reads the whole map.
    all: bool,
}

impl Used {
    /// Notes one input, or all of them.
    pub(crate) fn note(&mut self, name: Option<&str>) {
        match name {
            Some(name) if self.names.contains(name) => {}
            Some(name) => drop(self.names.insert(name.to_owned())),
            None => self.all = true,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// Where a value stands, and so what its expressions may name.
#[derive(Debug, Clone)]
pub(crate) struct Place<'p> {
    /// The task it belongs to.
    pub(crate) task: Option<usize>,
    /// Whether the task's own name is the instance at hand.
    pub(crate) own: bool,
    /// What the element of `each` is called, where there is one.
    pub(crate) item: Option<&'p str>,
    /// Whether tasks can be named.
    pub(crate) tasks: bool,
    /// How many of the vars can be named.
    pub(crate) vars: usize,
    /// Whether `event` can be named.
    pub(crate) event: bool,
    /// Whether there is a run, so that what belongs to it can be named.
    pub(crate) run: bool,
    /// Whether a secret may stand here, as far as the key tells.
    pub(crate) secret: bool,
    /// The way to it, as `params.to[0]`.
    pub(crate) path: String,
}

impl<'p> Place<'p> {
    /// Beside the tasks, read once they have ended.
    pub(crate) fn after(path: &str) -> Place<'p> {
        Place {
            task: None,
            own: false,
            item: None,
            tasks: true,
            vars: usize::MAX,
            event: false,
            run: true,
            secret: false,
            path: path.to_owned(),
        }
    }

    /// Beside the tasks, read before any of them runs.
    pub(crate) fn before(path: &str) -> Place<'p> {
        Place {
            tasks: false,
            ..Place::after(path)
        }
    }
}

/// Longest text in which parts are looked for, in bytes: of a longer one the whole is shown.
const PLACED_MAX: usize = 64 * 1024;

/// A text with its place in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'t> {
    pub(crate) text: &'t str,
    span: Span,
    style: Style,
}

impl<'t> Written<'t> {
    pub(crate) fn of(tree: &'t Tree) -> Option<Written<'t>> {
        match &tree.data {
            Data::Text(text, style) => Some(Written {
                text,
                span: tree.span,
                style: *style,
            }),
            _ => None,
        }
    }

    /// A part of the text in the file.
    pub(crate) fn part(&self, file: &str, start: usize, end: usize) -> Span {
        if self.text.len() > PLACED_MAX {
            return self.span;
        }
        scalar::place(
            file,
            self.span,
            self.style,
            self.text,
            Span::new(start, end),
        )
    }

    /// The edit of the file that replaces a part of the text; `None` when its notation does not allow one.
    pub(crate) fn replace(&self, file: &str, span: expr::Span, by: &str) -> Option<(Span, String)> {
        let (before, part, after) = (
            self.text.get(..span.start)?,
            self.text.get(span.start..span.end)?,
            self.text.get(span.end..)?,
        );
        let whole = format!("{before}{by}{after}");
        let place = self.part(file, span.start, span.end);
        let exact = file.get(place.start..place.end) == Some(part);
        match self.style {
            Style::Plain if exact && stays_plain(&whole) => Some((place, by.to_owned())),
            Style::Single if exact => Some((place, by.replace('\'', "''"))),
            Style::Double if exact => Some((place, by.replace('\\', "\\\\").replace('"', "\\\""))),
            Style::Block => (exact && !by.contains('\n')).then(|| (place, by.to_owned())),
            // Quotes around the whole: the notation of JSON is one of YAML's.
            _ => Some((self.span, Value::String(whole).to_string())),
        }
    }
}

/// Whether a text means itself without quotes, in a flow too.
fn stays_plain(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let special = text.contains([',', '[', ']', '{', '}', '#', '\n']) || text.contains(": ");
    starts && !special && !text.ends_with([':', ' ']) && scalar::resolve(text).is_none()
}

impl Reader<'_, '_, '_> {
    /// The value; `None` when something in it is wrong, which is reported then.
    pub(crate) fn node(&mut self, tree: &Tree, place: &mut Place<'_>) -> Option<Node> {
        match &tree.data {
            Data::Text(text, _) => {
                if !text.contains("${") {
                    return Some(Node::Constant(Value::String(text.clone())));
                }
                let template = self.template(tree, place)?;
                Some(match template.constant() {
                    Some(text) => Node::Constant(Value::from(text)),
                    None => Node::Text(template),
                })
            }
            Data::List(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                let length = place.path.len();
                for (index, item) in items.iter().enumerate() {
                    let _ = write!(place.path, "[{index}]");
                    nodes.push(self.node(item, place));
                    place.path.truncate(length);
                }
                Some(Node::list(nodes.into_iter().collect::<Option<_>>()?))
            }
            Data::Map(entries) => Some(Node::map(self.entries(entries, place)?)),
            Data::Broken => None,
            _ => Some(Node::Constant(tree.value())),
        }
    }

    pub(crate) fn entries(
        &mut self,
        entries: &[Entry],
        place: &mut Place<'_>,
    ) -> Option<Vec<(String, Node)>> {
        let mut nodes = Vec::with_capacity(entries.len());
        let length = place.path.len();
        for entry in entries {
            if length > 0 {
                place.path.push('.');
            }
            place.path.push_str(&entry.key);
            nodes.push(
                self.node(&entry.value, place)
                    .map(|node| (entry.key.clone(), node)),
            );
            place.path.truncate(length);
        }
        nodes.into_iter().collect()
    }

    /// A text with `${..}`.
    pub(crate) fn template(&mut self, tree: &Tree, place: &Place<'_>) -> Option<Template> {
        let written = Written::of(tree)?;
        match Template::parse(written.text) {
            Ok(template) => {
                let mut known = true;
                let alone = template.is_whole();
                for (expression, span) in template.expressions() {
                    known &= self.resolve(expression, &written, span.start, place, alone);
                }
                known.then_some(template)
            }
            Err(errors) => {
                if !self.names_invalid_id(written.text) {
                    for error in errors.iter().take(DIAGNOSTICS_MAX) {
                        self.expression_error(&written, error);
                    }
                }
                None
            }
        }
    }

    /// A condition: an expression without `${}`, or true or false.
    pub(crate) fn condition(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        owner: &str,
    ) -> Option<Expression> {
        if let Data::Bool(value) = entry.value.data {
            return Expression::condition(if value { "`true`" } else { "`false`" }).ok();
        }
        let Some(written) = Written::of(&entry.value) else {
            crate::field::unexpected(self.report, entry, owner, "a condition as `count > 5`");
            return None;
        };
        match Expression::condition(written.text) {
            Ok(expression) => self
                .resolve(&expression, &written, 0, place, false)
                .then_some(expression),
            Err(error) => {
                if !self.names_invalid_id(written.text) {
                    self.expression_error(&written, &error);
                }
                None
            }
        }
    }

    /// Whether a text may be wrong only for an id that cannot be one, which is reported where it stands.
    fn names_invalid_id(&self, text: &str) -> bool {
        self.names
            .invalid
            .iter()
            .any(|id| text.contains(id.as_str()))
    }

    fn expression_error(&mut self, written: &Written<'_>, error: &expr::Error) {
        let file = self.report.text();
        let span = written.part(file, error.span.start, error.span.end);
        let edit = error
            .fix
            .as_ref()
            .and_then(|fix| written.replace(file, fix.span, &fix.text));
        let diagnostic = self.report.error(error.code, span, &*error.message);
        let hints = error
            .hints
            .iter()
            .filter(|hint| !error.message.contains(hint.as_str()));
        diagnostic.hints.extend(hints.cloned());
        if let Some((span, text)) = edit {
            diagnostic.edit(span, text);
        }
    }
}
