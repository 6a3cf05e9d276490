//! Documents of other dialects written in our own format.
//!
//! What is written is checked as any file is before it is given out, and plans to the graph that
//! the document itself has; where our format cannot say the same, a comment does.

mod oktyv;
mod ordinaut;
mod yaml;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::check::{check, detect};
use crate::diagnostic::{Diagnostic, Report};
use crate::source::{Dialect, Source, Span};
use crate::tree::{Data, Tree};
use crate::{builder, ids};

/// Writes a document in our own format, as YAML with comments that say what became of it. A file
/// of our own is given back as it is.
///
/// # Errors
/// Every fault of the document, and what our format would refuse.
pub fn convert(source: &Source<'_>) -> Result<String, Vec<Diagnostic>> {
    let mut report = Report::new(source);
    let tree = builder::read(&mut report);
    let Some(tree) = tree.filter(|_| !report.failed()) else {
        return Err(report.finish().0);
    };
    let dialect = source.dialect.unwrap_or_else(|| detect(source.text, &tree));
    let text = match dialect {
        Dialect::Native => return Ok(source.text.to_owned()),
        Dialect::Oktyv => oktyv::convert(&mut report, &tree, source.file_name),
        Dialect::Ordinaut => ordinaut::convert(&mut report, &tree),
    };
    let (errors, _) = report.finish();
    match text {
        Some(text) if errors.is_empty() => sound(source, text),
        _ => Err(errors),
    }
}

/// The text, if it has no fault by the rules of our own format.
fn sound(source: &Source<'_>, text: String) -> Result<String, Vec<Diagnostic>> {
    let native = Source {
        text: &text,
        file_name: source.file_name,
        dialect: Some(Dialect::Native),
    };
    let checked = check(&native, None);
    if checked.errors.is_empty() {
        return Ok(text);
    }
    // The places would be those of a text that nobody has.
    let mut report = Report::new(source);
    for error in checked.errors {
        let message = format!("in our own format: {}", error.message);
        report.error(error.code, Span::default(), message);
    }
    Err(report.finish().0)
}

/// Ids of our own format for others, each unlike those before.
#[derive(Debug, Default)]
struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// The id, or one like it where it cannot be one here.
    fn native(&mut self, id: &str) -> String {
        let wanted = match ids::fault(id) {
            None => id.to_owned(),
            Some((_, proposal)) => proposal,
        };
        let mut found = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(found.clone()) {
            let room = ids::ID_MAX - 1 - number.to_string().len();
            let short: String = wanted.chars().take(room).collect();
            found = format!("{short}_{number}");
            number += 1;
        }
        found
    }
}

/// The value with each text written over.
fn map_texts(tree: &Tree, over: &mut dyn FnMut(&Tree, &str) -> String) -> Value {
    match &tree.data {
        Data::Text(text, _) if text.contains("${") => Value::from(over(tree, text)),
        Data::List(items) => items.iter().map(|item| map_texts(item, over)).collect(),
        Data::Map(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for entry in entries {
                map.insert(entry.key.clone(), map_texts(&entry.value, over));
            }
            Value::Object(map)
        }
        _ => tree.value(),
    }
}
