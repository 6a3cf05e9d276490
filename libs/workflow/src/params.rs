//! The parameters of a task against what its tool takes.

use gearmesh_catalog::json::{self, Violation, ViolationKind};
use gearmesh_catalog::{Catalog, Found, Tool};
use serde_json::{Map, Value};

use crate::diagnostic::{Report, quote};
use crate::nearest::nearest;
use crate::secrets;
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};

/// What stands for a value that is known only at run time. No text of a file is likely to be this,
/// and one that is only escapes the check before the start.
const LATER: &str = "\u{0}known at run time\u{0}";

/// Most faults of one task's parameters that are shown: each is looked for in the file.
const VIOLATIONS_MAX: usize = 100;

/// How severe a fault is that only concerns one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It keeps the workflow from starting.
    Error,
    /// It fails its task.
    Warning,
}

/// A task's call of a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'t> {
    pub(crate) tool: &'t Entry,
    pub(crate) params: Option<&'t Entry>,
    pub(crate) connection: Option<&'t Entry>,
    /// The vault of the task, where its dialect has that key.
    pub(crate) vault: Option<&'t str>,
    pub(crate) owner: &'t str,
    pub(crate) level: Level,
    /// Whether a text holds a reference.
    pub(crate) dynamic: fn(&str) -> bool,
}

/// Checks a call of our own format.
pub(crate) fn check(
    report: &mut Report<'_>,
    catalog: Option<&Catalog>,
    tool: &Entry,
    params: Option<&Entry>,
    connection: Option<&Entry>,
    owner: &str,
) {
    let call = Call {
        tool,
        params,
        connection,
        vault: None,
        owner,
        level: Level::Error,
        dynamic: is_dynamic,
    };
    if let Some(catalog) = catalog {
        call.check(report, catalog);
    }
}

/// The connection of a task for the call that undoes it, where that takes one and names none itself.
pub(crate) fn handed_on<'t>(
    catalog: Option<&Catalog>,
    tool: &str,
    params: Option<&Entry>,
    connection: Option<&'t Entry>,
) -> Option<&'t Entry> {
    let found = catalog?.get(tool)?;
    let field = &found.tool.connection.as_ref()?.field;
    let entries = params.and_then(|params| params.value.map());
    let named = entries
        .unwrap_or_default()
        .iter()
        .any(|entry| same_name(&entry.key, field));
    connection.filter(|_| !named)
}

/// Whether a text has a `${` that is not escaped.
pub(crate) fn is_dynamic(text: &str) -> bool {
    text.match_indices("${")
        .any(|(at, _)| !text[..at].ends_with('$'))
}

impl Call<'_> {
    pub(crate) fn check(&self, report: &mut Report<'_>, catalog: &Catalog) {
        let Some(name) = self.tool.value.text() else {
            return;
        };
        let Some(found) = catalog.get(name) else {
            let nearest = if report.may_suggest() {
                catalog.nearest(name)
            } else {
                Vec::new()
            };
            let mut message = format!("no tool `{}`", quote(name));
            if !nearest.is_empty() {
                message.push_str(&format!("; nearest: {}", nearest.join(", ")));
            }
            self.report(report, "TOOL_NOT_FOUND", self.tool.value.span, message);
            return;
        };
        if !found.tool.usable_as_task() {
            let message = format!("`{}` takes a stream and cannot be a task", found.tool.id);
            self.report(report, "TOOL_NOT_FOUND", self.tool.value.span, message);
            return;
        }
        let given = self.params.map(|entry| &entry.value);
        // Anything but a map is reported already.
        if given.is_some_and(|params| params.map().is_none() && !matches!(params.data, Data::Null))
        {
            return;
        }
        let Some(value) = self.value(report, found) else {
            return;
        };
        let skip = |value: &Value| value.as_str() == Some(LATER);
        let violations = json::check(&found.tool.method.input(), &value, &skip);
        for violation in violations.iter().take(VIOLATIONS_MAX) {
            self.violation(report, found.tool, violation);
        }
        if let Some(params) = given {
            secrets::check(report, params, &found.tool.input_schema, self.dynamic);
        }
    }

    /// The parameters with presets and connection filled in; `None` when the connection is wrong.
    fn value(&self, report: &mut Report<'_>, found: Found<'_>) -> Option<Value> {
        let entries = self
            .params
            .and_then(|entry| entry.value.map())
            .unwrap_or_default();
        let mut map: Map<String, Value> = entries
            .iter()
            .map(|entry| (entry.key.clone(), fixed(&entry.value, self.dynamic)))
            .collect();
        for (field, value) in found.preset {
            map.entry(field.clone()).or_insert_with(|| value.clone());
        }
        found.rename(&mut map);
        if let Some(vault) = self.vault {
            found.default_vault(&mut map, Value::from(vault));
        }
        let Some(connection) = self.connection else {
            return Some(Value::Object(map));
        };
        let Some(taken) = &found.tool.connection else {
            let message = format!("`{}` takes no connection", found.tool.id);
            self.report(report, "UNKNOWN_PARAM", connection.key_span, message);
            return Some(Value::Object(map));
        };
        if let Some(other) = entries
            .iter()
            .find(|entry| same_name(&entry.key, &taken.field))
        {
            let message = format!(
                "`connection` and `params.{}` of {} name a connection both; give one",
                quote(&other.key),
                self.owner
            );
            self.report(report, "UNKNOWN_PARAM", other.key_span, message);
            return None;
        }
        map.insert(taken.field.clone(), fixed(&connection.value, self.dynamic));
        Some(Value::Object(map))
    }

    fn violation(&self, report: &mut Report<'_>, tool: &Tool, violation: &Violation) {
        let id = &tool.id;
        let (tree, key, whole) = self.locate(&violation.path);
        let path = quote(&violation.path);
        match &violation.kind {
            ViolationKind::Missing if !whole => {
                let schema = schema_at(&tool.input_schema, &violation.path);
                let message = format!("`{id}` needs `{path}`{}", described(schema));
                let span = self.params.map_or(self.tool.value.span, |params| {
                    if key == Span::default() {
                        params.key_span
                    } else {
                        key
                    }
                });
                self.report(report, "MISSING_PARAM", span, message);
            }
            ViolationKind::Unknown { nearest: near } => {
                let written = violation.path.rsplit('.').next().unwrap_or_default();
                let sure = self.sure(tool, written, near.as_deref());
                let question = near
                    .as_ref()
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                let word = near.as_ref().map(|near| report.word_at(key, near));
                let message = format!("`{id}` takes no `{path}`{question}");
                let span = if key == Span::default() {
                    self.tool.value.span
                } else {
                    key
                };
                let diagnostic = self.report(report, "UNKNOWN_PARAM", span, message);
                if let (Some(word), true) = (word, sure && key != Span::default()) {
                    diagnostic.edit(span, word);
                }
            }
            kind => {
                let code = if *kind == ViolationKind::Missing {
                    "MISSING_PARAM"
                } else {
                    "PARAM_TYPE"
                };
                let span = tree.map_or(self.tool.value.span, |tree| tree.span);
                let message = format!("`{path}` of `{id}`: {}", violation.message);
                self.report(report, code, span, message);
            }
        }
    }

    /// Whether a name of the top level can only have meant this one.
    fn sure(&self, tool: &Tool, written: &str, near: Option<&str>) -> bool {
        let properties = tool
            .input_schema
            .get("properties")
            .and_then(Value::as_object);
        let names = properties
            .map(|map| map.keys().map(String::as_str).collect::<Vec<_>>())
            .unwrap_or_default();
        let taken = self
            .params
            .and_then(|params| params.value.get(near?))
            .is_some();
        !taken
            && nearest(written, names)
                .is_some_and(|found| Some(found.name) == near && found.is_sure())
    }

    /// The value of a path, or the deepest one on the way; the span of its key; whether the whole path is there.
    fn locate(&self, path: &str) -> (Option<&Tree>, Span, bool) {
        let mut tree = match self.params {
            Some(params) => &params.value,
            None => return (None, Span::default(), false),
        };
        let mut key = Span::default();
        let mut first = true;
        for step in steps(path) {
            let next = match (&tree.data, step) {
                (Data::Map(entries), Step::Field(name)) => entries
                    .iter()
                    .find(|entry| same_name(&entry.key, name))
                    .map(|entry| {
                        key = entry.key_span;
                        &entry.value
                    }),
                (Data::List(items), Step::Index(index)) => items.get(index),
                // One text stands for a list of one.
                (_, Step::Index(0)) => Some(tree),
                _ => None,
            };
            let Some(next) = next else {
                let value = if first && self.connection.is_some() {
                    self.connection.map(|entry| &entry.value)
                } else {
                    Some(tree)
                };
                return (value, key, false);
            };
            tree = next;
            first = false;
        }
        (Some(tree), key, true)
    }

    fn report<'r>(
        &self,
        report: &'r mut Report<'_>,
        code: &'static str,
        span: Span,
        message: String,
    ) -> &'r mut crate::diagnostic::Diagnostic {
        match self.level {
            Level::Error => report.error(code, span, message),
            Level::Warning => report.warning(code, span, message),
        }
    }
}

/// The value with a stand-in for what is known later.
fn fixed(tree: &Tree, dynamic: fn(&str) -> bool) -> Value {
    match &tree.data {
        Data::Text(text, _) if dynamic(text) => Value::from(LATER),
        Data::Text(text, _) => Value::String(text.replace("$${", "${")),
        Data::Broken => Value::from(LATER),
        Data::List(items) => items.iter().map(|item| fixed(item, dynamic)).collect(),
        Data::Map(entries) => entries
            .iter()
            .map(|e| (e.key.clone(), fixed(&e.value, dynamic)))
            .collect(),
        _ => tree.value(),
    }
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Index(usize),
}

/// The steps of `items[2].source`.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('.').flat_map(|part| {
        let mut pieces = part.split('[');
        let name = pieces
            .next()
            .filter(|name| !name.is_empty())
            .map(Step::Field);
        let rest = pieces.map(|piece| {
            let inner = piece.trim_end_matches(']');
            inner
                .parse()
                .map_or_else(|_| Step::Field(inner.trim_matches('"')), Step::Index)
        });
        name.into_iter().chain(rest)
    })
}

/// Whether two spellings, `pageSize` and `page_size`, name one field.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    plain(a).eq(plain(b))
}

fn plain(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| *byte != b'_');
    letters.map(|byte| byte.to_ascii_lowercase())
}

fn schema_at<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    let mut at = schema;
    for step in steps(path) {
        at = match step {
            Step::Field(name) => at.get("properties")?.get(name)?,
            Step::Index(_) => at.get("items")?,
        };
    }
    Some(at)
}

/// What a field is and an example, as ` (recipients), e.g. ["a@example.test"]`.
fn described(schema: Option<&Value>) -> String {
    let text = |key: &str| {
        schema
            .and_then(|schema| schema.get(key))
            .and_then(Value::as_str)
    };
    let sentence = text("description")
        .and_then(|text| text.split(". ").next())
        .map(|text| text.trim_end_matches('.'));
    let mut out = String::new();
    if let Some(sentence) = sentence.filter(|sentence| !sentence.is_empty()) {
        let mut letters = sentence.chars();
        let first = letters
            .next()
            .map(|c| c.to_lowercase().to_string())
            .unwrap_or_default();
        out.push_str(&format!(" ({first}{})", letters.as_str()));
    }
    if let Some(example) = schema.and_then(|schema| schema.get("examples")?.get(0)) {
        out.push_str(&format!(", e.g. `{example}`"));
    }
    out
}
