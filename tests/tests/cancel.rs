//! A cancelled run: its calls end at once, and no effect begins behind its end.
//!
//! A server here records each request when it comes and when its connection goes; a
//! large file is being packed meanwhile. Order is asserted, times are printed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use gearmesh_tests::Dev;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Requests that are under way when the run is cancelled.
const AT_ONCE: usize = 4;

/// A sparse file of this size takes far longer to pack than the test.
const LARGE: u64 = 20 * 1024 * 1024 * 1024;

/// How long the server is watched behind the end of the run.
const WATCHED: Duration = Duration::from_secs(2);

/// How long anything may take here on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happened, and when.
#[derive(Debug, Clone, Default)]
struct Record(Arc<Mutex<Vec<(&'static str, Instant)>>>);

impl Record {
    fn note(&self, what: &'static str) {
        self.0
            .lock()
            .expect("unpoisoned")
            .push((what, Instant::now()));
    }

    fn all(&self, what: &str) -> Vec<Instant> {
        let all = self.0.lock().expect("unpoisoned");
        all.iter()
            .filter(|(w, _)| *w == what)
            .map(|(_, at)| *at)
            .collect()
    }
}

/// Notes the end of a request, however it ends.
struct Gone(Record);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.note("gone");
    }
}

async fn server(record: Record, tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let effect = move || {
        let record = record.clone();
        async move {
            record.note("begun");
            let _gone = Gone(record);
            sleep(PATIENCE * 4).await;
        }
    };
    let site = Router::new().route("/effect", post(effect));
    tasks.spawn(async move { axum::serve(listener, site).await.expect("it serves") });
    url
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn nothing_begins_behind_the_end_of_a_cancelled_run() {
    let record = Record::default();
    let mut tasks = JoinSet::new();
    let url = server(record.clone(), &mut tasks).await;
    let connection = json!({"kind": "http", "url": url, "allowPrivate": true});
    let dev = Dev::start(&[], &[&format!("connections.effects={connection}")]).await;
    let file = std::fs::File::create(dev.folder().join("large.bin")).expect("a file");
    file.set_len(LARGE).expect("a sparse file");
    drop(file);
    let workflow = format!(
        "name: effects
tasks:
  - {{id: call, each: '${{range(`0`, `60`)}}', maxConcurrent: {AT_ONCE}, tool: http.request, connection: effects, params: {{url: /effect, method: POST}}}}
  - {{id: pack, tool: file.gzip, params: {{source: 'file://large.bin', destination: 'work://large.gz'}}}}
"
    );
    std::fs::write(dev.folder().join("effects.workflow.yaml"), &workflow).expect("written");
    let folder = dev.folder().to_str().expect("a plain path");
    let params = json!({"source": workflow, "folder": folder});
    let started = dev.caller().call("orchestrator.start_run", &params).await;
    let run = started["run"]["runId"].as_str().expect("an id").to_owned();
    until("all calls begin", || record.all("begun").len() == AT_ONCE).await;
    let large = dev.folder().join("large.bin");
    until("packing begins", || is_open(&large)).await;

    let cancelled = Instant::now();
    let url = format!("{}/v1/runs/{run}", dev.url());
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("{url}:cancel"))
        .json(&json!({}))
        .send()
        .await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    let answered = cancelled.elapsed();
    until("packing ends", || !is_open(&large)).await;
    let unpacked = cancelled.elapsed();
    assert_eq!(answer["status"], "cancelling", "{answer}");
    let ended = loop {
        let shown: Value = client
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        if shown["status"] == "cancelled" {
            break Instant::now();
        }
        assert!(cancelled.elapsed() < PATIENCE, "{shown:#}");
        sleep(Duration::from_millis(2)).await;
    };
    let begun = record.all("begun").len();
    let packed = tree(dev.folder());
    sleep(WATCHED).await;

    assert_eq!(
        record.all("begun").len(),
        begun,
        "no effect began behind the end"
    );
    assert_eq!(begun, AT_ONCE, "nothing was sent behind the cancel");
    let gone = record.all("gone");
    assert_eq!(gone.len(), AT_ONCE, "each call was ended");
    assert_eq!(tree(dev.folder()), packed, "no file changed behind the end");
    assert!(
        !packed.iter().any(|(path, _)| path.ends_with("large.gz")),
        "{packed:?}"
    );
    let last = gone.iter().max().expect("some").duration_since(cancelled);
    println!(
        "RESULT 4.6: `cancelling` after {answered:.1?}; {AT_ONCE} requests ended within {last:.1?}, the packing within {unpacked:.1?}; `cancelled` shown after {:.1?}; nothing began in the {WATCHED:.0?} behind it",
        ended.duration_since(cancelled)
    );
}

/// Whether a process has this file open.
fn is_open(file: &std::path::Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let open = processes.flat_map(|p| std::fs::read_dir(p.path().join("fd")).into_iter().flatten());
    open.flatten()
        .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|open| open == file))
}

/// Files that a file engine has written, with their sizes.
fn tree(folder: &std::path::Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    let mut next = vec![folder.join(".gearmesh/runs"), folder.join(".gearmesh/work")];
    while let Some(folder) = next.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(known) if known.is_dir() => next.push(entry.path()),
                Ok(known) => files.push((entry.path().display().to_string(), known.len())),
                Err(_) => {}
            }
        }
    }
    files.sort();
    files
}
