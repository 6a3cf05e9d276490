//! Secrets that stand in a file as they are, and the file with references in their places.

use std::collections::HashMap;

use crate::builder;
use crate::diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Report, Severity};
use crate::source::Source;
use crate::tree::{Data, Tree};

/// The code of what is told of them.
const CODE: &str = "LITERAL_SECRET";

/// The secrets that stand in a file as they are, with their places.
#[derive(Clone)]
pub struct Literals {
    found: Vec<(std::ops::Range<usize>, String)>,
}

impl std::fmt::Debug for Literals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places: Vec<_> = self.found.iter().map(|(place, _)| place).collect();
        f.debug_struct("Literals").field("at", &places).finish()
    }
}

impl Literals {
    /// Those that the warnings of a check are about, in the order of the file.
    ///
    /// # Errors
    /// What keeps one from being replaced, as an error of the check would say it.
    pub fn of(source: &Source<'_>, warnings: &[Diagnostic]) -> Result<Self, Box<Diagnostic>> {
        let about: Vec<_> = warnings.iter().filter(|w| w.code == CODE).collect();
        let (Some(first), true) = (about.first(), warnings.len() >= DIAGNOSTICS_MAX) else {
            return Self::at(source, &about);
        };
        // What was found after the limit is not known.
        Err(refused(
            first,
            "the file has too many warnings to find all secrets that stand in it",
        ))
    }

    fn at(source: &Source<'_>, about: &[&Diagnostic]) -> Result<Self, Box<Diagnostic>> {
        let mut found = Vec::with_capacity(about.len());
        if about.is_empty() {
            return Ok(Self { found });
        }
        let mut texts: HashMap<(usize, usize), (String, usize)> = HashMap::new();
        if let Some(tree) = builder::read(&mut Report::new(source)) {
            gather(&tree, &mut texts);
        }
        for warning in about {
            let place = &warning.location;
            match texts.get(&(place.start, place.end)) {
                Some((value, 1)) => found.push((place.start..place.end, value.clone())),
                Some(_) => {
                    let text = "a secret that stands in the file as it is has an anchor, by which it may be used elsewhere";
                    return Err(refused(warning, text));
                }
                None => return Err(refused(warning, "a secret stands in the file as it is")),
            }
        }
        Ok(Self { found })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The secrets, in the order of the file.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(_, value)| value.as_str())
    }

    /// The file with other texts in their places. What stands on other lines stays on its
    /// line.
    #[must_use]
    pub fn replaced(&self, file: &str, by: &[String]) -> String {
        let mut out = String::with_capacity(file.len());
        let mut done = 0;
        for ((place, _), text) in self.found.iter().zip(by) {
            let written = file.get(place.clone()).unwrap_or_default();
            out.push_str(file.get(done..place.start).unwrap_or_default());
            out.push_str(&serde_json::Value::from(text.as_str()).to_string());
            out.extend(written.matches('\n'));
            done = place.end;
        }
        out.push_str(file.get(done..).unwrap_or_default());
        out
    }
}

/// All texts by their places, and how often each is used.
fn gather(tree: &Tree, texts: &mut HashMap<(usize, usize), (String, usize)>) {
    match &tree.data {
        Data::Text(text, _) => {
            let place = (tree.span.start, tree.span.end);
            let known = texts.entry(place).or_insert_with(|| (text.clone(), 0));
            known.1 += 1;
        }
        Data::List(items) => items.iter().for_each(|item| gather(item, texts)),
        Data::Map(entries) => entries.iter().for_each(|e| gather(&e.value, texts)),
        _ => {}
    }
}

fn refused(warning: &Diagnostic, message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic {
        message: message.to_owned(),
        severity: Severity::Error,
        ..warning.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Location;

    /// Warnings about these pieces of a file.
    fn warnings(file: &str, pieces: &[&str]) -> Vec<Diagnostic> {
        let one = |piece: &&str| {
            let start = file.find(*piece).expect("the piece is in the file");
            Diagnostic {
                code: CODE,
                message: String::new(),
                location: Location {
                    file: String::new(),
                    line: 1,
                    column: 1,
                    length: 0,
                    start,
                    end: start + piece.len(),
                },
                hints: Vec::new(),
                edits: Vec::new(),
                severity: Severity::Warning,
            }
        };
        pieces.iter().map(one).collect()
    }

    fn replaced(file: &str, pieces: &[&str]) -> Result<(Vec<String>, String), String> {
        let source = Source {
            text: file,
            file_name: "f",
            dialect: None,
        };
        let found = Literals::of(&source, &warnings(file, pieces)).map_err(|d| d.message)?;
        let by: Vec<_> = (0..pieces.len())
            .map(|n| format!("vault://~run/{n}"))
            .collect();
        let values = found.values().map(str::to_owned).collect();
        Ok((values, found.replaced(file, &by)))
    }

    #[test]
    fn every_notation_is_replaced_and_lines_stay() {
        for (file, pieces, values) in [
            ("a: s3cret # why\nb: 1\n", &["s3cret"][..], &["s3cret"][..]),
            (
                "a: 's''t'\nb: \"x\\ty\"\n",
                &["'s''t'", "\"x\\ty\""],
                &["s't", "x\ty"],
            ),
            (
                "{\"a\": \"s3cret\", \"b\": [\"t\"]}",
                &["\"s3cret\"", "\"t\""],
                &["s3cret", "t"],
            ),
            ("a: one\n  two\nb: 1\n", &["one\n  two"], &["one two"]),
            ("{a: one\n  two, b: 1}", &["one\n  two"], &["one two"]),
            (
                "a: \"one\n\n  two\"\nb: 1\n",
                &["\"one\n\n  two\""],
                &["one\ntwo"],
            ),
        ] {
            let (found, text) = replaced(file, pieces).unwrap();
            assert_eq!(found, values, "{file}");
            assert_eq!(
                file.matches('\n').count(),
                text.matches('\n').count(),
                "{text}"
            );
            let source = Source {
                text: &text,
                file_name: "f",
                dialect: None,
            };
            let tree = builder::read(&mut Report::new(&source)).expect("it can be read");
            let tree = tree.value();
            assert_eq!(tree["a"], "vault://~run/0", "{text}");
            let one = if pieces.len() > 1 {
                &tree["b"]
            } else {
                &tree["a"]
            };
            assert!(one.to_string().contains("vault://~run/"), "{text}");
        }
    }

    #[test]
    fn what_may_be_used_elsewhere_is_refused() {
        let aliased = replaced("a: &x s3cret\nb: *x\n", &["s3cret"]);
        assert!(aliased.unwrap_err().contains("anchor"));
        let lost = replaced("a: s3cret\n", &["s3c"]);
        assert_eq!(lost.unwrap_err(), "a secret stands in the file as it is");
    }

    #[test]
    fn secrets_behind_the_limit_of_warnings_are_not_left_in_the_file() {
        let file = "a: s3cret\n";
        let source = Source {
            text: file,
            file_name: "f",
            dialect: None,
        };
        let mut all = warnings(file, &["s3cret"]);
        let mut other = all[0].clone();
        other.code = "OTHER";
        all.resize(DIAGNOSTICS_MAX - 1, other.clone());
        assert!(Literals::of(&source, &all).is_ok());
        all.push(other);
        assert!(Literals::of(&source, &all).is_err());
    }
}
