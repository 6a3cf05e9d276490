//! A file that stands beside a workflow, as its test cases: plain values, and where each
//! stands.

use serde_json::Value;

use crate::builder;
use crate::diagnostic::{Diagnostic, Report};
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
    fn broken_notation_says_where() {
        let faults = Document::read(&source("cases:\n\t- x\n")).expect_err("a tab");
        let first = faults.first().map(ToString::to_string);
        let first = first.expect("a fault");
        assert!(first.starts_with("t.test.yaml:2:"), "{first}");
    }
}
