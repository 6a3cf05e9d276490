//! The documents of a YAML file.

/// One of the documents of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// Its text, without the line that begins it.
    pub(crate) text: &'a str,
    /// Lines of the file before it.
    pub(crate) before: usize,
}

impl Document<'_> {
    /// The document with empty lines before it, so that it stands where it stands in its
    /// file.
    pub(crate) fn padded(&self) -> String {
        format!("{}{}", "\n".repeat(self.before), self.text)
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
        found.push(Document { text, before: 0 });
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
    text.lines().any(says).then_some(Document { text, before })
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
                    before: 2
                },
                Document {
                    text: "\nname: b\n",
                    before: 4
                },
            ]
        );
        assert_eq!(found[1].padded(), "\n\n\n\n\nname: b\n");
    }

    #[test]
    fn file_without_marks_is_one_document() {
        let text = "name: a\ntext: \"--- no mark\"\n  --- nor this\n";
        assert_eq!(documents(text), [Document { text, before: 0 }]);
        assert_eq!(documents("").len(), 1);
        assert_eq!(documents("{\"name\": \"a\"}").len(), 1);
    }
}
