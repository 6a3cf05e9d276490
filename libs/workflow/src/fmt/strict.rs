//! Expressions as any implementation of JMESPath reads them.

use gearmesh_expr::{Expression, Span as Part, Template};

use crate::diagnostic::{Diagnostic, Report};
use crate::source::{Source, Span};
use crate::tree::{Data, Tree};
use crate::value::Written;

/// Keys of a workflow whose texts are no expressions.
const PLAIN: [&str; 4] = ["name", "title", "description", "labels"];

/// Keys whose text is a condition, each with the map that has it; in other maps the key is data.
const CONDITIONS: [(&str, &str); 6] = [
    ("tasks", "when"),
    ("tasks", "expect"),
    ("repeat", "until"),
    ("event", "where"),
    ("wait", "where"),
    ("triggers", "when"),
];

/// The edits that write every expression so. Those that cannot be read stay.
pub(super) fn edits(text: &str, root: &Tree) -> Diagnostic {
    let source = Source {
        text,
        file_name: "",
        dialect: None,
    };
    let mut report = Report::new(&source);
    let mut found = Vec::new();
    for entry in root.map().unwrap_or_default() {
        let key = entry.key.as_str();
        if key == "inputs" {
            for input in entry.value.map().unwrap_or_default() {
                // Of an input only the default is a value; the rest is a schema.
                if let Some(default) = input.value.get("default") {
                    within(text, default, "", &mut found);
                }
            }
        } else if !PLAIN.contains(&key) && !key.starts_with("x-") && !key.starts_with('$') {
            within(text, &entry.value, list_of(key), &mut found);
        }
    }
    let diagnostic = report.warning("STRICT", Span::default(), "");
    for (span, by) in found {
        diagnostic.edit(span, by);
    }
    diagnostic.clone()
}

/// Handlers hold tasks, too.
fn list_of(key: &str) -> &str {
    match key {
        "onFailure" | "onSuccess" | "finally" => "tasks",
        other => other,
    }
}

/// `holder`: the key of the nearest map around that is the format's own.
fn within(text: &str, tree: &Tree, holder: &str, found: &mut Vec<(Span, String)>) {
    match &tree.data {
        Data::List(items) => items
            .iter()
            .for_each(|item| within(text, item, holder, found)),
        Data::Map(entries) => {
            for entry in entries {
                let key = entry.key.as_str();
                if CONDITIONS.contains(&(holder, key)) && entry.value.text().is_some() {
                    condition(text, &entry.value, found);
                    continue;
                }
                let inner = match (holder, key) {
                    ("tasks", "repeat" | "wait" | "tasks") | ("wait" | "triggers", "event") => key,
                    _ => "",
                };
                within(text, &entry.value, inner, found);
            }
        }
        Data::Text(written, _) if written.contains("${") => template(text, tree, found),
        _ => {}
    }
}

fn condition(text: &str, tree: &Tree, found: &mut Vec<(Span, String)>) {
    let Some(written) = Written::of(tree) else {
        return;
    };
    if let Ok(expression) = Expression::condition(written.text) {
        let whole = Part {
            start: 0,
            end: written.text.len(),
        };
        replace(text, &written, whole, &expression, found);
    }
}

fn template(text: &str, tree: &Tree, found: &mut Vec<(Span, String)>) {
    let Some(written) = Written::of(tree) else {
        return;
    };
    if let Ok(template) = Template::parse(written.text) {
        for (expression, span) in template.expressions() {
            replace(text, &written, span, expression, found);
        }
    }
}

fn replace(
    text: &str,
    written: &Written<'_>,
    span: Part,
    expression: &Expression,
    found: &mut Vec<(Span, String)>,
) {
    let strict = expression.strict();
    if strict != expression.text() {
        found.extend(written.replace(text, span, &strict));
    }
}
