//! Workflow files as the command line names them.

use std::io::Read;
use std::path::{Path, PathBuf};

use gearmesh_workflow::{Diagnostic, Dialect, Edit, FILE_MAX, Location, Severity, Source};
use serde_json::Value;

use crate::error::Error;
use crate::text::{self, field};

/// Ends of the names of workflow files.
pub(crate) const WORKFLOWS: [&str; 3] = [".workflow.yaml", ".workflow.yml", ".workflow.json"];

/// Name that stands for standard input.
const STDIN: &str = "-";

/// A workflow file.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowFile {
    /// The name as it was given.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// Where it lies; `None` for standard input.
    path: Option<PathBuf>,
}

impl WorkflowFile {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(name: &str) -> Result<Self, Error> {
        let failed = |source| Error::Read {
            path: PathBuf::from(name),
            source,
        };
        // One byte more than allowed tells a file that is too large, however large.
        let limit = FILE_MAX as u64 + 1;
        let mut bytes = Vec::new();
        let path = if name == STDIN {
            std::io::stdin()
                .lock()
                .take(limit)
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            None
        } else {
            let file = std::fs::File::open(name).map_err(failed)?;
            file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
            Some(PathBuf::from(name))
        };
        let text = String::from_utf8(bytes).map_err(|_| {
            failed(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "it is no UTF-8 text",
            ))
        })?;
        Ok(Self {
            name: if name == STDIN {
                "stdin".to_owned()
            } else {
                name.to_owned()
            },
            text,
            path,
        })
    }

    /// As the checker takes it.
    pub(crate) fn source(&self, dialect: Option<Dialect>) -> Source<'_> {
        Source {
            text: &self.text,
            file_name: &self.name,
            dialect,
        }
    }

    /// Absolute path of the folder in which it lies.
    pub(crate) fn folder(&self) -> Result<String, Error> {
        let folder = self
            .path
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""));
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let absolute = folder.canonicalize().map_err(|source| Error::Read {
            path: folder.to_owned(),
            source,
        })?;
        Ok(absolute.to_string_lossy().into_owned())
    }

    /// Writes another text in its place; standard input has none.
    pub(crate) fn replace(&self, text: &str) -> Result<(), Error> {
        let Some(path) = &self.path else {
            return Err(Error::usage(
                "standard input cannot be mended in place; give a file",
            ));
        };
        std::fs::write(path, text).map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })
    }

    /// A fault as a server tells it, with its place in this text.
    pub(crate) fn diagnostic(&self, told: &Value, severity: Severity) -> Diagnostic {
        let number = |value: &Value, name: &str| {
            usize::try_from(text::number(value, name)).unwrap_or(usize::MAX)
        };
        let (line, column, length) = (
            number(told, "line"),
            number(told, "column"),
            number(told, "length"),
        );
        let start = self.offset(line, column);
        let within = self.text.get(start..).unwrap_or_default();
        let end = start
            + within
                .char_indices()
                .nth(length)
                .map_or(within.len(), |(at, _)| at);
        let list = |name: &str| {
            told.get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        Diagnostic {
            code: interned(field(told, "code")),
            message: field(told, "message").to_owned(),
            location: Location {
                file: self.name.clone(),
                line,
                column,
                length,
                start,
                end,
            },
            hints: list("hints")
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            edits: list("edits")
                .map(|edit| Edit {
                    start: number(edit, "start"),
                    end: number(edit, "end"),
                    text: field(edit, "text").to_owned(),
                })
                .collect(),
            severity,
        }
    }

    /// The faults of one list of a server's answer.
    pub(crate) fn diagnostics(
        &self,
        answer: &Value,
        list: &str,
        severity: Severity,
    ) -> Vec<Diagnostic> {
        let told = text::list(answer, list).iter();
        told.map(|one| self.diagnostic(one, severity)).collect()
    }

    /// The byte of a line and column, both from 1.
    fn offset(&self, line: usize, column: usize) -> usize {
        let before = line.saturating_sub(1);
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(before)
            .map(str::len)
            .sum();
        let rest = self.text.get(start..).unwrap_or_default();
        let column = column.saturating_sub(1);
        start
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(at, _)| at)
    }
}

/// A code that lives as long as the process: there are some dozens of them, and the
/// process ends after it has shown these.
fn interned(code: &str) -> &'static str {
    Box::leak(code.to_owned().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn place_that_a_server_tells_is_found_in_the_text() {
        let file = WorkflowFile {
            name: "x.yaml".into(),
            text: "näme: x\ntäsks: 1\n".into(),
            path: None,
        };
        let told = json!({"code": "UNKNOWN_KEY", "message": "m", "line": 2, "column": 1, "length": 5, "hints": ["h"], "edits": [{"start": 9, "end": 15, "text": "tasks"}]});
        let found = file.diagnostic(&told, Severity::Error);
        assert_eq!(
            &file.text[found.location.start..found.location.end],
            "täsks"
        );
        assert_eq!(
            (found.code, found.hints.len(), found.edits.len()),
            ("UNKNOWN_KEY", 1, 1)
        );
        let outside = file.diagnostic(
            &json!({"line": 99, "column": 9, "length": 5}),
            Severity::Error,
        );
        assert_eq!(
            (outside.location.start, outside.location.end),
            (file.text.len(), file.text.len())
        );
    }

    #[test]
    fn file_is_read_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        std::fs::write(&path, "name: x").unwrap();
        let file = WorkflowFile::read(path.to_str().unwrap()).unwrap();
        assert_eq!(file.text, "name: x");
        assert_eq!(
            file.folder().unwrap(),
            folder.path().canonicalize().unwrap().to_string_lossy()
        );
        std::fs::write(&path, [0xff]).unwrap();
        assert!(WorkflowFile::read(path.to_str().unwrap()).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(WorkflowFile::read(path.to_str().unwrap()).is_err());
    }
}
