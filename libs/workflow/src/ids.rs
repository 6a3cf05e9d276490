//! The ids of the tasks, read before anything that names them.

use std::collections::HashMap;

use crate::diagnostic::{Report, quote};
use crate::field;
use crate::keys::ROOTS;
use crate::outline::Placed;
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};
use crate::value::Written;

/// Longest id, in characters.
pub(crate) const ID_MAX: usize = 63;

/// How many ids that cannot be one are followed through the file.
const FOLLOWED_MAX: usize = 20;

/// The ids of a file.
#[derive(Debug, Default)]
pub(crate) struct Ids<'t> {
    /// Positions by id; of equal ids the first.
    pub(crate) tasks: HashMap<&'t str, usize>,
    /// Ids that cannot be one.
    pub(crate) invalid: Vec<String>,
}

impl<'t> Ids<'t> {
    pub(crate) fn read(report: &mut Report<'_>, root: &Tree, tasks: &[Placed<'t>]) -> Ids<'t> {
        let mut ids = Ids {
            tasks: HashMap::with_capacity(tasks.len()),
            invalid: Vec::new(),
        };
        let mut spans: Vec<Span> = Vec::with_capacity(tasks.len());
        for (position, task) in tasks.iter().map(|placed| placed.tree).enumerate() {
            spans.push(task.span);
            let Some(entry) = task.entry("id") else {
                continue;
            };
            let Some(id) = entry.value.text() else {
                field::unexpected(report, entry, &format!("task {}", position + 1), "text");
                continue;
            };
            spans[position] = entry.value.span;
            if let Some(&first) = ids.tasks.get(id) {
                let line = report.line(spans[first]);
                let message = format!("`id: {}` is used twice (first at line {line})", quote(id));
                report.error("DUPLICATE_ID", entry.value.span, message);
            } else {
                ids.tasks.insert(id, position);
            }
        }
        let named: Vec<&Entry> = tasks
            .iter()
            .filter_map(|placed| placed.tree.entry("id"))
            .collect();
        for entry in named {
            if let Some(id) = entry.value.text() {
                ids.check(report, root, id, entry);
            }
        }
        ids
    }

    /// Reports an id that cannot be one, with the edits that give it another name everywhere.
    fn check(&mut self, report: &mut Report<'_>, root: &Tree, id: &str, entry: &Entry) {
        let Some((reason, proposal)) = fault(id) else {
            return;
        };
        let free = !self.tasks.contains_key(proposal.as_str());
        let message = format!("`{}`: {reason}; try `{proposal}`", quote(id));
        let mut edits = Vec::new();
        if self.invalid.len() < FOLLOWED_MAX {
            if !ROOTS.contains(&id) {
                self.invalid.push(id.to_owned());
            }
            occurrences(root, report.text(), id, false, &mut edits);
        }
        let diagnostic = report.error("INVALID_ID", entry.value.span, message);
        if free && !edits.is_empty() && !ROOTS.contains(&id) {
            for span in edits {
                diagnostic.edit(span, proposal.as_str());
            }
        }
    }
}

/// Why a text is no id, and one that is.
pub(crate) fn fault(id: &str) -> Option<(String, String)> {
    let reason = if ROOTS.contains(&id) {
        return Some((
            "expressions use this name for something else".to_owned(),
            format!("{id}_task"),
        ));
    } else if id.chars().count() > ID_MAX {
        format!("an id has at most {ID_MAX} characters")
    } else if id.starts_with(|c: char| c.is_ascii_digit()) {
        "an id does not begin with a digit".to_owned()
    } else if id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !id.is_empty() {
        return None;
    } else if id
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !id.is_empty()
    {
        "hyphens are not allowed in ids".to_owned()
    } else {
        "an id has letters, digits and `_` only".to_owned()
    };
    let letters = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(ID_MAX - 1);
    let proposal: String = letters.collect();
    let begins_badly = proposal.is_empty() || proposal.starts_with(|c: char| c.is_ascii_digit());
    Some((
        reason,
        if begins_badly {
            format!("_{proposal}")
        } else {
            proposal
        },
    ))
}

/// Every place that names the id: itself, `needs`, and expressions.
fn occurrences(tree: &Tree, file: &str, id: &str, condition: bool, found: &mut Vec<Span>) {
    match &tree.data {
        Data::Map(entries) => {
            for Entry { key, value, .. } in entries {
                match (key.as_str(), &value.data) {
                    ("id", Data::Text(text, _)) if text == id => {
                        found.extend(whole(value, file, id))
                    }
                    ("needs" | "dependsOn", Data::List(items)) => {
                        let same = items.iter().filter(|item| item.text() == Some(id));
                        found.extend(same.filter_map(|item| whole(item, file, id)));
                    }
                    (key, _) => occurrences(
                        value,
                        file,
                        id,
                        matches!(key, "when" | "expect" | "until" | "where"),
                        found,
                    ),
                }
            }
        }
        Data::List(items) => items
            .iter()
            .for_each(|item| occurrences(item, file, id, false, found)),
        Data::Text(text, _) if condition || text.contains("${") => {
            let Some(written) = Written::of(tree) else {
                return;
            };
            for (at, _) in text.match_indices(id) {
                let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
                let begins = !text[..at].ends_with(inside);
                let ends = !text[at + id.len()..].starts_with(|c: char| c != '.' && inside(c));
                if begins && ends {
                    found.push(written.part(file, at, at + id.len()));
                }
            }
        }
        _ => {}
    }
}

/// The place of a text without its quotes.
fn whole(tree: &Tree, file: &str, text: &str) -> Option<Span> {
    let span = Written::of(tree)?.part(file, 0, text.len());
    (file.get(span.start..span.end) == Some(text)).then_some(span)
}
