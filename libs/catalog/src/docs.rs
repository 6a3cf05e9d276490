//! Comments of the protos: the documentation of every surface.

use std::cell::RefCell;
use std::collections::HashMap;

use prost_reflect::FileDescriptor;

/// The comments of files, indexed once per file.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    files: RefCell<HashMap<String, HashMap<Vec<i32>, String>>>,
}

impl Docs {
    /// The leading comment of the element at a path of a file; empty when it has none.
    pub(crate) fn of(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let mut files = self.files.borrow_mut();
        if !files.contains_key(file.name()) {
            files.insert(file.name().to_owned(), index(file));
        }
        files
            .get(file.name())
            .and_then(|f| f.get(path))
            .cloned()
            .unwrap_or_default()
    }
}

fn index(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let Some(info) = &file.file_descriptor_proto().source_code_info else {
        return HashMap::new();
    };
    info.location
        .iter()
        .filter_map(|l| {
            let text = join(l.leading_comments.as_deref()?);
            (!text.is_empty()).then(|| (l.path.clone(), text))
        })
        .collect()
}

/// Joins the lines of each paragraph; lines of lists and indented lines stay alone.
fn join(comment: &str) -> String {
    let mut out = String::with_capacity(comment.len());
    let mut paragraph_open = false;
    for line in comment.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        if line.is_empty() {
            paragraph_open = false;
            continue;
        }
        let own_line =
            line.starts_with([' ', '\t']) || line.starts_with("- ") || line.starts_with("* ");
        if !out.is_empty() {
            out.push_str(match (paragraph_open, own_line) {
                (false, _) => "\n\n",
                (true, true) => "\n",
                (true, false) => " ",
            });
        }
        out.push_str(line);
        paragraph_open = true;
    }
    out
}

/// The first sentence of a text, with its full stop.
pub(crate) fn summary(text: &str) -> &str {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph
        .match_indices(". ")
        .map(|(at, _)| &paragraph[..=at])
        .find(|s| !s.ends_with("e.g.") && !s.ends_with("i.e."))
        .unwrap_or(paragraph)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_are_joined() {
        let comment = " Reads a file\n as text.\n\n Fails when\n - it is gone\n - it is large\n";
        assert_eq!(
            join(comment),
            "Reads a file as text.\n\nFails when\n- it is gone\n- it is large"
        );
    }

    #[test]
    fn summary_is_the_first_sentence() {
        assert_eq!(summary("Reads a file. Fails at times."), "Reads a file.");
        assert_eq!(
            summary("Reads text, e.g. notes. Fast."),
            "Reads text, e.g. notes."
        );
        assert_eq!(summary("Reads `a.txt`.\n\nMore."), "Reads `a.txt`.");
        assert_eq!(summary("No stop"), "No stop");
        assert_eq!(summary(""), "");
    }
}
