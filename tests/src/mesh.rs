//! Meshes of processes.

use std::path::{Path, PathBuf};

use gearmesh_testkit::Process;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, gearmesh, program};

/// Absolute prefixes that documents use, and that every mesh of a test maps.
const PREFIXES: [&str; 4] = ["results", "backup", "reports", "tmp"];

/// The fixture engine in a process of its own.
#[derive(Debug)]
pub struct Fixture {
    process: Process,
    /// Its settings and its state.
    _folder: TempDir,
}

impl Fixture {
    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let endpoint = folder.path().join("endpoint");
        let settings = format!("endpoint = {:?}\n", endpoint.display().to_string());
        std::fs::write(folder.path().join("gearmesh.toml"), settings).expect("a settings file");
        let process = Process::start(&program("fixture"), &[], folder.path(), &endpoint).await;
        Self {
            process,
            _folder: folder,
        }
    }

    /// Where it serves.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }
}

/// What a mesh is started with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Services of the process; none: all.
    pub services: Vec<String>,
    /// Settings as `--set` takes them.
    pub set: Vec<String>,
}

impl Settings {
    /// Joins an engine from elsewhere.
    #[must_use]
    pub fn join(mut self, engine: &str, url: &str) -> Self {
        self.set.push(format!("engines.{engine}.url={url}"));
        self
    }

    /// Only this service.
    #[must_use]
    pub fn only(mut self, service: &str) -> Self {
        self.services.push(service.to_owned());
        self
    }

    /// Finds services of ours in other processes.
    #[must_use]
    pub fn registry(mut self, services: &[(&str, String)]) -> Self {
        let list: Vec<_> = services
            .iter()
            .map(|(name, url)| format!("{name}={url}"))
            .collect();
        self.set.push(format!("registry=static:{}", list.join(",")));
        self
    }
}

/// A process of the built binary.
#[derive(Debug)]
pub struct Mesh {
    process: Process,
    folder: TempDir,
}

impl Mesh {
    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(settings: &Settings) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(settings.services.clone());
        // It says where it serves once it has joined the engines that it is told of.
        for flag in ["--listen", "127.0.0.1:0", "--output", "ndjson"] {
            arguments.push(flag.to_owned());
        }
        arguments.extend(roots(folder.path()));
        for set in &settings.set {
            arguments.extend(["--set".to_owned(), set.clone()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = program("gearmesh");
        let process = Process::start_saying(&program, &arguments, folder.path()).await;
        Self { process, folder }
    }

    /// Where it serves.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Where an absolute path of a document is on disk.
    ///
    /// # Panics
    /// When the path is not absolute.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        let rest = path.strip_prefix('/').expect("an absolute path");
        self.folder.path().join("disk").join(rest)
    }

    /// Writes a file where a document will find it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, path: &str, content: &str) {
        let path = self.at(path);
        let parent = path.parent().expect("a file has a folder");
        std::fs::create_dir_all(parent).expect("the folder can be made");
        std::fs::write(path, content).expect("the file can be written");
    }

    /// Runs a command against it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn command(&self, arguments: &[&str]) -> Answer {
        let url = self.url();
        let mut all = vec!["--server", &url];
        all.extend(arguments);
        gearmesh(self.folder.path(), &all).await
    }

    /// Runs a document by `gearmesh run .. -o json`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub async fn run(&self, document: &Value) -> Answer {
        let path = self.folder.path().join("document.json");
        std::fs::write(&path, document.to_string()).expect("the file can be written");
        self.command(&["run", "./document.json", "-o", "json"])
            .await
    }

    /// Posts JSON and reads JSON: the status and the body.
    ///
    /// # Panics
    /// When there is no such answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.url());
        let request = reqwest::Client::new().post(url).json(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Reads JSON.
    ///
    /// # Panics
    /// When there is no such answer.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url());
        let response = reqwest::get(url).await.expect("an answer");
        response.json().await.expect("JSON")
    }
}

/// The flags that map the prefixes into a folder.
fn roots(folder: &Path) -> impl Iterator<Item = String> {
    let disk = folder.join("disk");
    PREFIXES.iter().flat_map(move |name| {
        let target = disk.join(name);
        ["--root".to_owned(), format!("/{name}={}", target.display())]
    })
}
