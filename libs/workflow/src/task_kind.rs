//! What a task of our own format does.

use crate::diagnostic::quote;
use crate::fields::Fields;
use crate::kind::Kind;
use crate::node::Node;
use crate::outline::Placed;
use crate::source::Span;
use crate::task::{TaskReader, Where};
use crate::tree::{Data, Entry};
use crate::value::{Place, Reader};
use crate::{field, head, params, pause};

/// The kinds of tasks: each has exactly one.
pub(crate) const KINDS: [&str; 6] = ["tool", "workflow", "set", "approve", "wait", "tasks"];

/// Keys that only tasks of some kinds have, with these.
const GO_WITH: [(&str, &[&str]); 5] = [
    ("params", &["tool", "workflow"]),
    ("connection", &["tool"]),
    ("idempotencyKey", &["tool"]),
    ("cache", &["tool"]),
    ("onUnknown", &["tool", "workflow"]),
];

impl TaskReader<'_> {
    /// The kind of a task; `None` when it has none or something in it is wrong.
    pub(crate) fn kind(
        &self,
        reader: &mut Reader<'_, '_, '_>,
        placed: &Placed<'_>,
        fields: &Fields<'_>,
        owner: &str,
        at: Where<'_>,
    ) -> Option<Kind> {
        let entry = one(reader, placed, fields, owner)?;
        let kind = entry.0;
        for (key, kinds) in GO_WITH {
            if let Some(other) = fields.get(key).filter(|_| !kinds.contains(&kind)) {
                let message = format!("`{key}` of {owner} goes with {} only", words(kinds, "and"));
                reader.report.error("TASK_KIND", other.key_span, message);
            }
        }
        let entry = entry.1;
        match kind {
            "tool" => {
                let place = Place {
                    secret: true,
                    ..at.place("params")
                };
                let params = params_of(reader, fields.get("params"), owner, place);
                let name = field::text(reader.report, entry, owner)?;
                let (given, connection) = (fields.get("params"), fields.get("connection"));
                params::check(reader.report, self.catalog, entry, given, connection, owner);
                Some(Kind::Tool {
                    name,
                    params: params?,
                })
            }
            "workflow" => {
                let params = params_of(reader, fields.get("params"), owner, at.place("params"));
                let name = head::name(reader.report, entry)?;
                Some(Kind::Workflow {
                    name,
                    params: params?,
                })
            }
            "approve" => pause::approve(reader, entry, owner, at),
            "wait" => pause::wait(reader, entry, owner, at),
            "tasks" => placed.group.map(|body| Kind::Group { body }),
            _ => {
                let Some(entries) = entry.value.map() else {
                    field::unexpected(reader.report, entry, owner, "a map");
                    return None;
                };
                let values = reader.entries(entries, &mut at.place("set"))?;
                Some(Kind::Set {
                    values: Node::map(values),
                })
            }
        }
    }
}

/// The one kind that a task has; none or several are reported.
fn one<'t>(
    reader: &mut Reader<'_, '_, '_>,
    placed: &Placed<'_>,
    fields: &Fields<'t>,
    owner: &str,
) -> Option<(&'static str, &'t Entry)> {
    let tree = placed.tree;
    let given: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| tree.get(kind).is_some())
        .collect();
    let start = tree
        .entry("id")
        .map_or(Span::new(tree.span.start, tree.span.start), |entry| {
            entry.value.span
        });
    match given.as_slice() {
        [] if !KINDS.iter().any(|kind| fields.may_have(kind)) => {
            let message = format!("{owner} has no kind; give {}", words(&KINDS, "or"));
            reader.report.error("TASK_KIND", start, message);
        }
        [] | [_] => {}
        [first, second, ..] => {
            let message = format!("{owner} has `{first}` and `{second}`; give exactly one kind");
            let span = tree.entry(second).map_or(start, |entry| entry.key_span);
            reader.report.error("TASK_KIND", span, message);
            return None;
        }
    }
    KINDS
        .into_iter()
        .find_map(|kind| Some((kind, fields.get(kind)?)))
}

/// The words of a list, as ``a`, `b` or `c``.
pub(crate) fn words(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", quote(word)))
        .collect();
    match quoted.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

/// The arguments of a call: a map, empty when there are none.
pub(crate) fn params_of(
    reader: &mut Reader<'_, '_, '_>,
    entry: Option<&Entry>,
    owner: &str,
    mut place: Place<'_>,
) -> Option<Node> {
    let Some(entry) = entry else {
        return Some(Node::map(Vec::new()));
    };
    match &entry.value.data {
        Data::Map(entries) => Some(Node::map(reader.entries(entries, &mut place)?)),
        Data::Null => Some(Node::map(Vec::new())),
        _ => {
            field::unexpected(reader.report, entry, owner, "a map");
            None
        }
    }
}
