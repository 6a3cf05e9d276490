//! What was asked, kept so that it survives the end of the process at any instant.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Permissions of a file of the state.
const OWNER_ALONE: u32 = 0o600;

/// A request as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When it came: RFC 3339 with milliseconds, UTC.
    pub(crate) time: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// The run to which it belongs; empty when it named none.
    pub(crate) run: String,
    /// The status of the answer.
    pub(crate) status: u16,
}

/// An append-only file of JSON lines.
///
/// A line is one `write` to a file opened for appending: once that has returned,
/// the line survives `kill -9`. What a crash of the machine leaves of it does not
/// matter here.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens or makes the file and gives the lines that can be read.
    pub(crate) fn open<T: for<'a> Deserialize<'a>>(path: PathBuf) -> Result<(Self, Vec<T>), Error> {
        let open = || -> io::Result<(File, Vec<T>)> {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .read(true)
                .mode(OWNER_ALONE)
                .open(&path)?;
            let text = read(&path)?;
            // A line cut short by a crash must not swallow the next one.
            if !text.is_empty() && !text.ends_with('\n') {
                file.write_all(b"\n")?;
            }
            Ok((file, parse(&text)))
        };
        match open() {
            Ok((file, lines)) => Ok((Self { path, file }, lines)),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Adds a line.
    pub(crate) fn append(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let written = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut text| {
                text.push(b'\n');
                self.file.write_all(&text)
            });
        written.map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })
    }
}

fn read(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

/// The lines that can be read; others were cut short by a crash.
fn parse<T: for<'a> Deserialize<'a>>(text: &str) -> Vec<T> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The log of requests, with how many there were of each run and path.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    lines: Lines,
    counts: HashMap<(String, String), u32>,
}

impl Log {
    /// Opens the log in a folder and counts what is in it.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("requests.jsonl");
        let (lines, entries) = Lines::open::<Entry>(path.clone())?;
        let mut counts = HashMap::new();
        for entry in entries {
            *counts.entry((entry.run, entry.path)).or_default() += 1;
        }
        let inner = Mutex::new(Inner { lines, counts });
        Ok(Self { path, inner })
    }

    /// Counts a request and tells the how manieth of its run and path it is, from 1.
    pub(crate) fn count(&self, run: &str, path: &str) -> u32 {
        let mut inner = self.inner();
        let count = inner
            .counts
            .entry((run.to_owned(), path.to_owned()))
            .or_default();
        *count += 1;
        *count
    }

    /// Adds a request; it stays when this has returned.
    pub(crate) fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.inner().lines.append(entry)
    }

    /// All requests, oldest first; of one run when it is named.
    pub(crate) fn entries(&self, run: Option<&str>) -> Result<Vec<Entry>, Error> {
        let text = read(&self.path).map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })?;
        let mut entries: Vec<Entry> = parse(&text);
        if let Some(run) = run {
            entries.retain(|e| e.run == run);
        }
        Ok(entries)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic in between leaves counts that are off by one at most.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, path: &str) -> Entry {
        Entry {
            time: "2026-01-02T03:04:05.678Z".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            run: run.to_owned(),
            status: 200,
        }
    }

    #[test]
    fn counts_go_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path()).unwrap();
        assert_eq!(log.count("r", "/a"), 1);
        log.append(&entry("r", "/a")).unwrap();
        log.append(&entry("s", "/a")).unwrap();
        drop(log);
        let log = Log::open(folder.path()).unwrap();
        assert_eq!(log.count("r", "/a"), 2);
        assert_eq!(log.count("r", "/b"), 1);
        assert_eq!(log.entries(Some("s")).unwrap(), [entry("s", "/a")]);
        assert_eq!(log.entries(None).unwrap().len(), 2);
    }

    #[test]
    fn line_cut_short_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path()).unwrap();
        log.append(&entry("r", "/a")).unwrap();
        drop(log);
        let path = folder.path().join("requests.jsonl");
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"time\":\"20");
        std::fs::write(&path, text).unwrap();
        let log = Log::open(folder.path()).unwrap();
        log.append(&entry("r", "/b")).unwrap();
        let paths: Vec<String> = log
            .entries(None)
            .unwrap()
            .into_iter()
            .map(|e| e.path)
            .collect();
        assert_eq!(paths, ["/a", "/b"]);
    }
}
