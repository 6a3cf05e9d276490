//! A file to check, and the places in it.

/// Largest file, in bytes.
pub const FILE_MAX: usize = 1024 * 1024;

/// Most tasks in a file.
pub const TASKS_MAX: usize = 10_000;

/// Most edges between the tasks of a file.
pub const EDGES_MAX: usize = 50_000;

/// How deep groups may nest: each is a frame of the run, and a reader loses the thread long before.
pub const GROUPS_MAX: usize = 8;

/// A file to check.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The text of the file, at most [`FILE_MAX`] bytes.
    pub text: &'a str,
    /// Its name as diagnostics show it.
    pub file_name: &'a str,
    /// How to read it; `None`: found out from the content.
    pub dialect: Option<Dialect>,
}

/// A way to write workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Our own format, in YAML or JSON.
    Native,
    /// The JSON of `parallel_execute`.
    Oktyv,
    /// A task of Ordinaut: a schedule with a pipeline of steps.
    Ordinaut,
}

impl Dialect {
    /// The name as surfaces write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::Native => "native",
            Dialect::Oktyv => "oktyv",
            Dialect::Ordinaut => "ordinaut",
        }
    }

    /// The dialect of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Dialect> {
        match name {
            "native" => Some(Dialect::Native),
            "oktyv" => Some(Dialect::Oktyv),
            "ordinaut" => Some(Dialect::Ordinaut),
            _ => None,
        }
    }
}

/// Whether a file is JSON, as far as its first character tells.
pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{')
}

/// A stretch of the file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }
}

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Lines {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines {
            starts: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// The first byte of a line, which counts from 1.
    pub(crate) fn start(&self, line: usize) -> usize {
        self.starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0)
    }
}
