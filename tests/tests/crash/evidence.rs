//! What a run has left: journal, files, and what the site was asked.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use gearmesh_api::journal::v1::record::Fact;
use gearmesh_api::journal::v1::{Outcome, Record};
use gearmesh_store::run_text;
use gearmesh_store::sqlx::sqlite::SqliteConnectOptions;
use gearmesh_store::sqlx::{ConnectOptions, Connection, query_as};
use prost::Message;
use prost_types::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Files that the job leaves below its run's folder.
const FILES: [&str; 3] = ["report.zip", "report/report.json", "report/report.md"];

/// Which task asks the site for a path.
const ASKING: [(&str, &str); 3] = [
    ("/api/alpha", "alpha"),
    ("/api/beta", "beta"),
    ("/api/gamma", "gamma"),
];

/// How often the site fails the task `gamma` of a run before it answers.
const FAILURES: usize = 2;

/// Requests of a run that nobody disturbed.
const REQUESTS: usize = ASKING.len() + FAILURES;

/// The records of a run.
#[derive(Debug, Default)]
pub(crate) struct Journal(Vec<Record>);

/// Reads the journal of the one run of a folder.
pub(crate) async fn journal(folder: &Path) -> Journal {
    let mut all = journals(folder).await;
    let (_, journal) = all.pop_first().expect("an accepted run is in the journal");
    assert!(all.is_empty(), "one run");
    journal
}

/// Reads the journals of all runs by their ids, from a copy, so that looking at them changes
/// nothing.
pub(crate) async fn journals(folder: &Path) -> BTreeMap<String, Journal> {
    let copy = tempfile::tempdir().expect("a temporary folder");
    let state = folder.join(".gearmesh");
    for name in ["orchestrator.db", "orchestrator.db-wal"] {
        if state.join(name).exists() {
            std::fs::copy(state.join(name), copy.path().join(name)).expect("a copy");
        }
    }
    let options = SqliteConnectOptions::new().filename(copy.path().join("orchestrator.db"));
    let mut database = options.connect().await.expect("the journal opens");
    let rows: Vec<(i64, i64, Vec<u8>)> =
        query_as("SELECT run, n, body FROM journal ORDER BY run, n")
            .fetch_all(&mut database)
            .await
            .expect("the journal is read");
    database.close().await.expect("the journal closes");
    let mut journals: BTreeMap<String, Journal> = BTreeMap::new();
    for (run, row, body) in &rows {
        let journal = journals.entry(run_text(*run)).or_default();
        let n = i64::try_from(journal.0.len() + 1).expect("few rows");
        assert_eq!(*row, n, "rows of a run, without gaps");
        journal
            .0
            .push(Record::decode(body.as_slice()).expect("a record"));
    }
    journals
}

impl Journal {
    pub(crate) fn facts(&self) -> impl Iterator<Item = (i64, &Fact)> {
        self.0
            .iter()
            .filter_map(|r| Some((r.time_ms, r.fact.as_ref()?)))
    }

    /// How often the run has ended.
    pub(crate) fn closed(&self) -> usize {
        self.facts()
            .filter(|(_, fact)| matches!(fact, Fact::Closed(_)))
            .count()
    }

    /// What each task is.
    pub(crate) fn states(&self, tasks: &[String]) -> BTreeMap<String, &'static str> {
        let mut states: BTreeMap<String, &'static str> =
            tasks.iter().map(|t| (t.clone(), "pending")).collect();
        for (_, fact) in self.facts() {
            let (task, state) = match fact {
                Fact::Leased(leased) => (&leased.task, "running"),
                Fact::Expanded(expanded) => (&expanded.task, "running"),
                Fact::BackedOff(backed) => (&backed.task, "retrying"),
                Fact::Ended(ended) if ended.item.is_none() => {
                    let state = match ended.outcome() {
                        Outcome::Succeeded => "succeeded",
                        Outcome::Skipped => "skipped",
                        _ => "failed",
                    };
                    (&ended.task, state)
                }
                _ => continue,
            };
            states.insert(task.clone(), state);
        }
        states
    }

    /// The instants at which a task, or one of its items, has ended.
    fn ends(&self, task: &str, item: Option<u32>) -> Vec<i64> {
        let end = |(time, fact): (i64, &Fact)| match fact {
            Fact::Ended(e) if e.task == task && e.item == item => Some(time),
            _ => None,
        };
        self.facts().filter_map(end).collect()
    }

    pub(crate) fn check_one_end_each(&self, tasks: &[String]) {
        for task in tasks {
            assert_eq!(self.ends(task, None).len(), 1, "ends of {task}");
        }
        for item in 0..2 {
            let ends = self.ends("digests", Some(item)).len();
            assert_eq!(ends, 1, "ends of item {item}");
        }
        assert_eq!(self.closed(), 1, "ends of the run");
        let last = self.0.last().and_then(|r| r.fact.as_ref());
        assert!(matches!(last, Some(Fact::Closed(_))), "{last:?}");
    }

    /// No request for a task came after its recorded end; says how many came more
    /// than once.
    pub(crate) fn check_requests(&self, requests: &[Asked]) -> usize {
        for asked in requests {
            let task = ASKING.iter().find(|(path, _)| *path == asked.path);
            let (_, task) = task.unwrap_or_else(|| panic!("nobody asks for {}", asked.path));
            let ends = self.ends(task, None);
            let time = milliseconds(&asked.time);
            assert!(
                ends.iter().all(|end| time <= *end),
                "{task} ended at {ends:?}, the site was asked at {time}"
            );
        }
        let failures = requests.iter().filter(|a| a.status == 503).count();
        assert_eq!(failures, FAILURES, "{requests:?}");
        requests
            .len()
            .checked_sub(REQUESTS)
            .expect("each source was asked")
    }
}

/// A request that the site has logged.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    time: String,
    path: String,
    status: u16,
}

pub(crate) fn requests(folder: &Path) -> Vec<Asked> {
    let log = folder.join(".gearmesh/demo-site/requests.jsonl");
    let text = std::fs::read_to_string(log).expect("the log of the site");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a request"))
        .collect()
}

fn milliseconds(time: &str) -> i64 {
    let time: Timestamp = time.parse().expect("an instant");
    time.seconds * 1000 + i64::from(time.nanos) / 1_000_000
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

fn folder_of(folder: &Path, run: &str) -> PathBuf {
    folder.join(".gearmesh/runs").join(run)
}

/// The reports of a run.
#[derive(Debug)]
pub(crate) struct Reports {
    json: String,
    markdown: String,
}

impl Reports {
    /// Reads them, and checks that the archive holds the same.
    pub(crate) fn read(folder: &Path, run: &str) -> Self {
        let folder = folder_of(folder, run);
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let reports = Self {
            json: read("report/report.json"),
            markdown: read("report/report.md"),
        };
        let archive = std::fs::File::open(folder.join("report.zip")).expect("the archive");
        let mut archive = zip::ZipArchive::new(archive).expect("a whole archive");
        let mut unpacked = |name: &str| {
            let mut text = String::new();
            let mut entry = archive.by_name(name).expect("the report is packed");
            entry.read_to_string(&mut text).expect("text");
            text
        };
        assert_eq!(unpacked("report/report.json"), reports.json);
        assert_eq!(unpacked("report/report.md"), reports.markdown);
        reports
    }

    /// The files are those whose digests the run has told.
    pub(crate) fn check_digests(&self, outputs: &Value) {
        for (n, (path, text)) in [
            ("work://report/report.json", &self.json),
            ("work://report/report.md", &self.markdown),
        ]
        .into_iter()
        .enumerate()
        {
            let file = &outputs["files"][n];
            assert_eq!(file["path"], path);
            assert_eq!(file["sha256"], sha256(text.as_bytes()), "{path}");
        }
    }

    /// The same as those of an undisturbed run but for the time that they name,
    /// which is the start of this run.
    pub(crate) fn check_against(&self, reference: &Self, start: Timestamp) {
        assert_eq!(self.markdown, reference.markdown);
        let generated = |text: &str| {
            let report: Value = serde_json::from_str(text).expect("JSON");
            report["generated"].as_str().expect("a time").to_owned()
        };
        let own = generated(&self.json);
        assert_eq!(milliseconds(&own), milliseconds(&start.to_string()));
        let expected = reference.json.replace(&generated(&reference.json), &own);
        assert_eq!(self.json, expected);
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the state") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Nothing but the job's files is left, anywhere.
pub(crate) fn no_leftovers(folder: &Path, run: &str) {
    let mut found = Vec::new();
    files(&folder.join(".gearmesh/runs"), &mut found);
    files(&folder.join(".gearmesh/roots"), &mut found);
    found.sort();
    let mut expected = FILES.map(|name| folder_of(folder, run).join(name));
    expected.sort();
    assert_eq!(found, expected);
    let mut all = Vec::new();
    files(folder, &mut all);
    let temporary = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".part") || name.ends_with(".tmp")
    };
    let left: Vec<&PathBuf> = all.iter().filter(temporary).collect();
    assert!(left.is_empty(), "{left:?}");
}
