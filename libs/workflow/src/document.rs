//! A file that stands beside a workflow, as its test cases: plain values, and where each
//! stands.

use std::collections::BTreeSet;

use gearmesh_catalog::Catalog;
use serde_json::Value;

use crate::builder;
use crate::check::{Checked, checked};
use crate::diagnostic::{Diagnostic, Report};
use crate::head::referred;
use crate::source::{Lines, Source};
use crate::tree::{Data, Tree};

/// A file that was read.
#[derive(Debug)]
pub struct Document<'a> {
    source: Source<'a>,
    tree: Tree,
}

impl<'a> Document<'a> {
    /// Reads YAML or JSON by the rules of workflow files.
    ///
    /// # Errors
    /// Every fault of the notation.
    pub fn read(source: &Source<'a>) -> Result<Self, Vec<Diagnostic>> {
        let mut report = Report::new(source);
        let tree = builder::read(&mut report);
        let tree = tree.filter(|_| !report.failed());
        let (errors, _) = report.finish();
        tree.map(|tree| Self {
            source: *source,
            tree,
        })
        .ok_or(errors)
    }

    /// As [`crate::check`], without reading the file a second time.
    #[must_use]
    pub fn check(&self, catalog: Option<&Catalog>) -> Checked {
        let report = Report::new(&self.source);
        checked(&self.source, report, Some(&self.tree), catalog)
    }

    /// The secrets to which texts of the file refer, as vault and name, each once.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        texts(&self.tree, &mut |_, text| {
            if let Some((vault, secret)) = referred(text) {
                found.insert((vault.to_owned(), secret.to_owned()));
            }
        });
        found
    }

    /// A warning at each reference to a secret that is not among those that are known by vault
    /// and name.
    #[must_use]
    pub fn missing_secrets(&self, known: impl Fn(&str, &str) -> bool) -> Vec<Diagnostic> {
        let mut report = Report::new(&self.source);
        texts(&self.tree, &mut |tree, text| {
            let Some((vault, secret)) = referred(text).filter(|(v, s)| !known(v, s)) else {
                return;
            };
            let message = format!("`vault://{vault}/{secret}` does not exist");
            let diagnostic = report.warning("SECRET_NOT_FOUND", tree.span, message);
            diagnostic.hint(format!(
                "`gearmesh vault set --vault-name {vault} --credential-name {secret} --params -` stores it, with {{\"value\": \"..\"}} on standard input"
            ));
        });
        report.finish().1
    }

    /// The whole value.
    #[must_use]
    pub fn value(&self) -> Value {
        self.tree.value()
    }

    /// Where a value stands, as `FILE:LINE:COLUMN`, by its JSON pointer: at its key, where it
    /// has one. Of what is not there the place of the nearest value around it.
    #[must_use]
    pub fn place(&self, pointer: &str) -> String {
        let (mut tree, mut span) = (&self.tree, self.tree.span);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &tree.data {
                Data::Map(entries) => {
                    let Some(entry) = entries.iter().find(|entry| entry.key == step) else {
                        break;
                    };
                    (tree, span) = (&entry.value, entry.key_span);
                }
                Data::List(items) => {
                    let item = step.parse().ok().and_then(|at: usize| items.get(at));
                    let Some(item) = item else { break };
                    (tree, span) = (item, item.span);
                }
                _ => break,
            }
        }
        let lines = Lines::new(self.source.text);
        let line = lines.line(span.start);
        let before = self.source.text.get(lines.start(line)..span.start);
        let column = before.map_or(0, |text| text.chars().count()) + 1;
        format!("{}:{line}:{column}", self.source.file_name)
    }
}

/// Tells of every text among the values, in the order of the file.
fn texts<'t>(tree: &'t Tree, tell: &mut impl FnMut(&'t Tree, &'t str)) {
    match &tree.data {
        Data::Text(text, _) => tell(tree, text),
        Data::List(items) => items.iter().for_each(|item| texts(item, tell)),
        Data::Map(entries) => entries.iter().for_each(|entry| texts(&entry.value, tell)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "cases:\n  - name: ü\n    \"a/b\": {x: 1}\n  - name: two\n";

    fn source(text: &str) -> Source<'_> {
        Source {
            text,
            file_name: "t.test.yaml",
            dialect: None,
        }
    }

    #[test]
    fn value_is_found_where_it_stands() {
        let document = Document::read(&source(TEXT)).expect("it can be read");
        let expected = serde_json::json!({
            "cases": [{"name": "ü", "a/b": {"x": 1}}, {"name": "two"}],
        });
        assert_eq!(document.value(), expected);
        for (pointer, place) in [
            ("", "1:1"),
            ("/cases", "1:1"),
            ("/cases/0", "2:5"),
            ("/cases/0/a~1b", "3:5"),
            ("/cases/0/a~1b/x", "3:13"),
            ("/cases/0/missing", "2:5"),
            ("/cases/1/name", "4:5"),
            ("/cases/2", "1:1"),
        ] {
            let found = document.place(pointer);
            assert_eq!(found, format!("t.test.yaml:{place}"), "{pointer}");
        }
    }

    #[test]
    fn missing_secret_is_told_where_it_is_named() {
        // WF-9.20
        let text = "\
secrets: {key: 'vault://demo/hook@2#user', other: vault://demo/there}
# vault://demo/comment
tasks:
  - params: {token: vault://demo/hook, text: 'see vault://demo/hook', list: [vault://new/one]}
";
        let document = Document::read(&source(text)).expect("it can be read");
        let pair = |vault: &str, secret: &str| (vault.to_owned(), secret.to_owned());
        let all = [
            pair("demo", "hook"),
            pair("demo", "there"),
            pair("new", "one"),
        ];
        assert_eq!(document.secrets(), BTreeSet::from(all));
        let missing = document.missing_secrets(|_, secret| secret == "there");
        let shown: Vec<String> = missing.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "t.test.yaml:1:16: SECRET_NOT_FOUND: `vault://demo/hook` does not exist",
                "t.test.yaml:4:21: SECRET_NOT_FOUND: `vault://demo/hook` does not exist",
                "t.test.yaml:4:78: SECRET_NOT_FOUND: `vault://new/one` does not exist",
            ]
        );
        assert_eq!(
            missing[0].hints,
            [
                "`gearmesh vault set --vault-name demo --credential-name hook --params -` stores it, with {\"value\": \"..\"} on standard input"
            ]
        );
    }

    #[test]
    fn file_that_was_read_is_checked_as_one_that_was_not() {
        let text = "name: t\ntasks:\n  - {id: a, set: {x: 1}, wehn: true}\n";
        let read = Document::read(&source(text)).expect("it can be read");
        let (once, twice) = (read.check(None), crate::check(&source(text), None));
        assert_eq!(once.errors.first().map(|d| d.code), Some("UNKNOWN_KEY"));
        assert_eq!((once.errors, once.warnings), (twice.errors, twice.warnings));
    }

    #[test]
    fn broken_notation_says_where() {
        let faults = Document::read(&source("cases:\n\t- x\n")).expect_err("a tab");
        let first = faults.first().map(ToString::to_string);
        let first = first.expect("a fault");
        assert!(first.starts_with("t.test.yaml:2:"), "{first}");
    }
}
