//! A temporary state folder with an engine on it, for the unit tests.

use std::path::PathBuf;
use std::sync::Arc;

use gearmesh_runtime::{Call, SystemClock, SystemRng};

use crate::config::{Config, RootConfig};
use crate::engine::{Engine, Job};
use crate::fsync::Fsyncs;

/// An engine on a temporary folder: `work://` is `state/work`, `results://` may be
/// written and is mapped at `/results`, `given://` may only be read.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) engine: Arc<Engine>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state/work", "results", "given", "flow"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = |name: &str, write, at: Option<&str>| RootConfig {
            path: folder.path().join(name),
            write,
            at: at.map(str::to_owned),
        };
        let config = Config {
            roots: [
                (
                    "results".to_owned(),
                    root("results", true, Some("/results")),
                ),
                ("given".to_owned(), root("given", false, Some("/given"))),
            ]
            .into(),
            ..Config::default()
        };
        let engine = Engine::new(
            folder.path().join("state"),
            &config,
            Arc::new(SystemClock::default()),
            Arc::new(SystemRng),
            Fsyncs::default(),
        );
        Self {
            engine: Arc::new(engine.unwrap()),
            folder,
        }
    }

    /// The temporary folder around everything.
    pub(crate) fn outside(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What `work://` is for calls without run.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("state/work")
    }

    /// A call without key and run.
    pub(crate) fn job(&self) -> Job {
        self.engine.job(&Call::default())
    }

    /// A call with a key.
    pub(crate) fn keyed(&self, key: &str) -> Job {
        self.engine.job(&Call {
            key: Some(key.to_owned()),
            ..Call::default()
        })
    }

    /// Puts a file into `work://`, with its folders.
    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Reads a file of `work://`.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.work().join(path)).unwrap()
    }

    /// All that is below a folder of `work://`, sorted.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        fn collect(folder: &std::path::Path, prefix: &str, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    collect(&entry.path(), &format!("{name}/"), names);
                }
                names.push(name);
            }
        }
        let mut names = Vec::new();
        collect(&self.work().join(below), "", &mut names);
        names.sort();
        names
    }
}
