//! One step of a pipeline.

use std::time::Duration;

use gearmesh_catalog::Catalog;
use gearmesh_expr::ordinaut::Template;
use gearmesh_expr::{self as expr, Expression};
use serde_json::Value;

use super::expression::{Translated, Unknown, Use, translate, translate_condition};
use super::head::{Head, retries};
use super::names::Names;
use super::value::{INVALID, given, seconds, text, wrong};
use crate::diagnostic::{Report, quote};
use crate::graph::Edges;
use crate::kind::Kind;
use crate::model::{RunIf, Task};
use crate::node::Node;
use crate::params::{Call, Level, is_dynamic};
use crate::retry::Retry;
use crate::scalar::Style;
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};
use crate::value::Written;

/// How long an attempt may take when the document does not say.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads steps.
#[derive(Debug)]
pub(super) struct Steps<'s> {
    pub(super) catalog: Option<&'s Catalog>,
    pub(super) head: &'s Head,
    pub(super) names: Names<'s>,
}

impl Steps<'_> {
    pub(super) fn read(
        &self,
        report: &mut Report<'_>,
        edges: &mut Edges,
        position: usize,
        tree: &Tree,
    ) -> Option<Task> {
        let saved = self.names.steps.get(position)?;
        let owner = &match tree.get("id") {
            Some(_) => format!("step `{}`", quote(&saved.id)),
            None => format!("step {}", position + 1),
        };
        if tree.map().is_none() {
            wrong(report, tree, owner, "a map");
            return None;
        }
        if let Some(before) = position.checked_sub(1) {
            edges.add(before, position, || "pipeline".to_owned());
        }
        if let Some(id) = given(tree, "id") {
            text(report, id, owner);
        }
        let names = Names {
            before: position,
            ..self.names
        };
        let mut place = Place {
            report,
            edges,
            names: &names,
            position,
        };
        let params = place.params(tree, owner);
        let when = given(tree, "if").map(|entry| place.condition(entry, owner));
        let tool = self.tool(report, tree, owner);
        let timeout = given(tree, "timeout_seconds").or_else(|| given(tree, "timeout"));
        let timeout = timeout.map_or(Some(TIMEOUT), |entry| seconds(report, entry, owner));
        let attempts = given(tree, "max_retries")
            .and_then(|entry| retries(report, entry, owner))
            .unwrap_or(self.head.retry.attempts);
        if let Some(entry) = given(tree, "save_as") {
            text(report, entry, owner);
        }
        let kind = Kind::Tool {
            name: tool?,
            params: params?,
        };
        Some(Task {
            when: match when {
                Some(when) => Some(when?),
                None => None,
            },
            run_if: RunIf::NoneFailed,
            retry: (attempts > 1).then(|| Retry {
                attempts,
                ..self.head.retry.clone()
            }),
            timeout,
            save_as: saved.save_as.clone(),
            ..Task::new(saved.id.clone(), kind)
        })
    }

    /// The tool by the name that it has here, its parameters checked.
    fn tool(&self, report: &mut Report<'_>, tree: &Tree, owner: &str) -> Option<String> {
        let Some(entry) = given(tree, "uses") else {
            let start = Span::new(tree.span.start, tree.span.start);
            let message = format!("{owner} has no `uses`");
            report
                .error(INVALID, start, message)
                .hint("as in `\"uses\": \"weather-mcp.forecast\"`");
            return None;
        };
        let name = tool_name(&text(report, entry, owner)?);
        let tool = Entry {
            value: Tree {
                span: entry.value.span,
                data: Data::Text(name.clone(), Style::Plain),
            },
            ..entry.clone()
        };
        let call = Call {
            tool: &tool,
            params: tree.entry("with"),
            connection: None,
            vault: None,
            owner,
            level: Level::Error,
            dynamic: is_dynamic,
        };
        if let Some(catalog) = self.catalog {
            call.check(report, catalog);
        }
        Some(name)
    }
}

/// A tool as we name it: `weather-mcp.forecast` is `weather_mcp.forecast`.
pub(crate) fn tool_name(uses: &str) -> String {
    uses.replace('-', "_")
}

/// A step whose texts are read.
struct Place<'p, 'r, 'a> {
    report: &'r mut Report<'a>,
    edges: &'p mut Edges,
    names: &'p Names<'p>,
    position: usize,
}

impl Place<'_, '_, '_> {
    fn params(&mut self, tree: &Tree, owner: &str) -> Option<Node> {
        let Some(entry) = given(tree, "with") else {
            return Some(Node::map(Vec::new()));
        };
        if entry.value.map().is_none() {
            wrong(
                self.report,
                &entry.value,
                &format!("`with` of {owner}"),
                "a map",
            );
            return None;
        }
        self.node(&entry.value, "params")
    }

    fn node(&mut self, tree: &Tree, path: &str) -> Option<Node> {
        match &tree.data {
            Data::Text(text, _) if text.contains("${") => self.text(tree, text, path),
            Data::List(items) => {
                let items = items.iter().enumerate();
                let nodes: Vec<Option<Node>> = items
                    .map(|(index, item)| self.node(item, &format!("{path}[{index}]")))
                    .collect();
                Some(Node::list(nodes.into_iter().collect::<Option<_>>()?))
            }
            Data::Map(entries) => {
                let nodes: Vec<Option<(String, Node)>> = entries
                    .iter()
                    .map(|entry| {
                        let node = self.node(&entry.value, &format!("{path}.{}", entry.key));
                        node.map(|node| (entry.key.clone(), node))
                    })
                    .collect();
                Some(Node::map(nodes.into_iter().collect::<Option<_>>()?))
            }
            Data::Broken => None,
            _ => Some(Node::Constant(tree.value())),
        }
    }

    fn text(&mut self, tree: &Tree, text: &str, path: &str) -> Option<Node> {
        let translated = self.noted(tree, translate(text, self.names, Use::Template), path)?;
        match Template::parse(&translated) {
            Ok(template) => Some(match template.constant() {
                Some(text) => Node::Constant(Value::from(text)),
                None => Node::Ordinaut(template),
            }),
            Err(errors) => {
                self.errors(tree, errors);
                None
            }
        }
    }

    fn condition(&mut self, entry: &Entry, owner: &str) -> Option<Expression> {
        let text = match &entry.value.data {
            Data::Bool(value) => format!("`{value}`"),
            Data::Text(text, _) if !text.trim().is_empty() => text.clone(),
            _ => {
                let what = format!("`if` of {owner}");
                wrong(
                    self.report,
                    &entry.value,
                    &what,
                    "a condition as `params.n > 5`",
                );
                return None;
            }
        };
        let translated = translate_condition(&text, self.names);
        let translated = self.noted(&entry.value, translated, "when")?;
        match Expression::condition(&translated) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.errors(&entry.value, vec![error]);
                None
            }
        }
    }

    /// The text, with what it reads noted as needs and what it misses as warnings.
    fn noted(
        &mut self,
        tree: &Tree,
        translated: Result<Translated, Vec<expr::Error>>,
        path: &str,
    ) -> Option<String> {
        let translated = match translated {
            Ok(translated) => translated,
            Err(errors) => {
                self.errors(tree, errors);
                return None;
            }
        };
        for need in translated.reads {
            self.edges.add(need, self.position, || path.to_owned());
        }
        for Unknown { message, span } in translated.unknown {
            let span = self.span(tree, span.start, span.end);
            self.report.warning("UNKNOWN_NAME", span, message);
        }
        Some(translated.text)
    }

    fn errors(&mut self, tree: &Tree, errors: Vec<expr::Error>) {
        for error in errors {
            let span = self.span(tree, error.span.start, error.span.end);
            let diagnostic = self.report.error(error.code, span, error.message);
            diagnostic.hints.extend(error.hints);
        }
    }

    fn span(&self, tree: &Tree, start: usize, end: usize) -> Span {
        let file = self.report.text();
        Written::of(tree).map_or(tree.span, |written| written.part(file, start, end))
    }
}
