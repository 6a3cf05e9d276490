//! The documents of a YAML file.

use gearmesh_workflow::Diagnostic;

/// One of the documents of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// Its text, without the line that begins it.
    pub(crate) text: &'a str,
    /// Lines of the file before it.
    pub(crate) before: usize,
    /// Bytes of the file before it.
    pub(crate) start: usize,
}

impl Document<'_> {
    /// The document with empty lines before it, so that it stands where it stands in its
    /// file.
    pub(crate) fn padded(&self) -> String {
        format!("{}{}", "\n".repeat(self.before), self.text)
    }

    /// Moves the edits of what was found in the padded text to where they are in the file.
    pub(crate) fn place(&self, found: &mut [Diagnostic]) {
        let moved = |at: usize| (at + self.start).saturating_sub(self.before);
        for edit in found
            .iter_mut()
            .flat_map(|diagnostic| &mut diagnostic.edits)
        {
            (edit.start, edit.end) = (moved(edit.start), moved(edit.end));
        }
    }
}

/// The documents of a file: what stands between lines that begin with `---`. YAML knows
/// no text in which such a line means anything else. A file without one is one document,
/// and so is what is no YAML.
pub(crate) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut start, mut before, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let word = line.trim_end();
        if word == "---" || word == "..." || line.starts_with("--- #") {
            found.extend(document(text, start, at, before));
            (start, before) = (at + line.len(), number + 1);
        }
        at += line.len();
    }
    found.extend(document(text, start, text.len(), before));
    if found.is_empty() {
        found.push(Document {
            text,
            before: 0,
            start: 0,
        });
    }
    found
}

/// A document, when it says anything.
fn document(text: &str, start: usize, end: usize, before: usize) -> Option<Document<'_>> {
    let text = text.get(start..end)?;
    let says = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with(['#', '%'])
    };
    text.lines().any(says).then_some(Document {
        text,
        before,
        start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_cut_at_its_marks() {
        let found = documents("# head\n---\nname: a\n---\n\nname: b\n...\n");
        assert_eq!(
            found,
            [
                Document {
                    text: "name: a\n",
                    before: 2,
                    start: 11
                },
                Document {
                    text: "\nname: b\n",
                    before: 4,
                    start: 23
                },
            ]
        );
        assert_eq!(found[1].padded(), "\n\n\n\n\nname: b\n");
    }

    #[test]
    fn file_without_marks_is_one_document() {
        let text = "name: a\ntext: \"--- no mark\"\n  --- nor this\n";
        let whole = Document {
            text,
            before: 0,
            start: 0,
        };
        assert_eq!(documents(text), [whole]);
        assert_eq!(documents("").len(), 1);
        assert_eq!(documents("{\"name\": \"a\"}").len(), 1);
    }

    #[test]
    fn edits_are_moved_to_their_document() {
        let text =
            "name: a\ntasks: [{id: a, set: {}}]\n---\nname: b\ntasks:\n  - id: a\n    sett: {}\n";
        let second = documents(text).pop().unwrap();
        let padded = second.padded();
        let source = gearmesh_workflow::Source {
            text: &padded,
            file_name: "x.yaml",
            dialect: None,
        };
        let mut found = gearmesh_workflow::check(&source, None).errors;
        assert_eq!(found[0].location.line, 7);
        second.place(&mut found);
        let mended = gearmesh_workflow::apply_edits(text, &found);
        assert_eq!(mended, text.replace("sett", "set"));
    }
}
