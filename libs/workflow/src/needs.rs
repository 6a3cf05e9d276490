//! The needs that a task names itself.

use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Report, quote};
use crate::field;
use crate::fields::Fields;
use crate::seen::Seen;
use crate::source::Span;
use crate::value::{Place, Reader};

/// Reads the `needs` of a task of our own format.
pub(crate) fn read(
    reader: &mut Reader<'_, '_, '_>,
    position: usize,
    id: &str,
    fields: &Fields<'_>,
    owner: &str,
) {
    let Some(entry) = fields.get("needs") else {
        return;
    };
    let Some(list) = field::texts(reader.report, entry, owner) else {
        return;
    };
    let names = reader.names;
    let place = Place {
        task: Some(position),
        ..Place::after("needs")
    };
    let spans: HashMap<&str, Span> = list.iter().rev().map(|(n, s)| (n.as_str(), *s)).collect();
    for (need, name) in needed(reader.report, &names.tasks, &names.invalid, id, &list) {
        let span = spans.get(name).copied().unwrap_or_default();
        match names.seen(need, &place) {
            Seen::Needed(by) => reader.edges.add(need, by, || names.reason(by, &place)),
            Seen::Ended | Seen::Own => {
                let message = format!(
                    "Task '{}' depends on '{}', which has ended before any handler runs",
                    quote(id),
                    quote(name)
                );
                let diagnostic = reader.report.error("MISSING_DEPENDENCY", span, message);
                diagnostic.hint("leave it out: its result can be read all the same");
            }
            hidden => {
                let (message, hint) = names.hidden(need, hidden);
                let diagnostic = reader.report.error("MISSING_DEPENDENCY", span, message);
                if let Seen::Inside(group) = hidden {
                    let group = names.ids.get(group).copied().unwrap_or("?");
                    diagnostic.hint(format!("need `{}`, the group", quote(group)));
                } else {
                    diagnostic.hints.extend(hint);
                }
            }
        }
    }
}

/// Tasks that are named in a list of needs, each once.
pub(crate) fn needed<'t>(
    report: &mut Report<'_>,
    ids: &HashMap<&str, usize>,
    invalid: &[String],
    task: &str,
    needs: &'t [(String, Span)],
) -> Vec<(usize, &'t str)> {
    let mut seen = HashSet::new();
    let mut found = Vec::with_capacity(needs.len());
    for (need, span) in needs {
        match ids.get(need.as_str()) {
            Some(&position) => {
                if seen.insert(position) {
                    found.push((position, need.as_str()));
                }
            }
            None if invalid.contains(need) => {}
            None => missing(report, ids, task, need, *span),
        }
    }
    found
}

fn missing(
    report: &mut Report<'_>,
    ids: &HashMap<&str, usize>,
    task: &str,
    need: &str,
    span: Span,
) {
    let near = if report.may_suggest() {
        let mut names: Vec<&str> = ids.keys().copied().filter(|id| *id != task).collect();
        names.sort_unstable();
        crate::nearest::nearest(need, names).map(|near| (near.name.to_owned(), near.is_sure()))
    } else {
        None
    };
    let message = format!(
        "Task '{}' depends on non-existent task '{}'",
        quote(task),
        quote(need)
    );
    let word = near.as_ref().map(|(name, _)| report.word_at(span, name));
    let diagnostic = report.error("MISSING_DEPENDENCY", span, message);
    if let (Some((name, sure)), Some(word)) = (near, word) {
        diagnostic.hint(format!("did you mean `{name}`?"));
        if sure {
            diagnostic.edit(span, word);
        }
    }
}
