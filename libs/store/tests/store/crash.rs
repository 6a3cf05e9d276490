//! What was acknowledged outlives the process, however that ends.
//!
//! A test starts itself again as the process that dies; what that one writes to
//! its output after an answer is what it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gearmesh_store::{Accepted, Append, Error, NewRun, RunId, RunIds, Store};

use crate::suite::{append, new_run, open_base as open, row};

/// Set for the process that dies: the folder of its store.
const FOLDER: &str = "GEARMESH_STORE_CRASH_TEST";
/// Rows that each run gets beside its first.
const ROWS: u32 = 3;
/// Runs that are written to at the same time.
const WRITERS: usize = 8;
const KILLS: usize = 24;

#[expect(
    clippy::disallowed_methods,
    reason = "how a test tells itself what it is to be"
)]
fn folder_of_child() -> Option<String> {
    std::env::var(FOLDER).ok()
}

fn body(run: RunId, n: u32) -> String {
    format!("{run}/{n}/{}", "x".repeat(n as usize * 50))
}

fn say(run: RunId, n: u32) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more once the test has killed this process.
    let _ = writeln!(out, "\nack {run} {n}").and_then(|()| out.flush());
}

async fn write_one(journal: &gearmesh_store::Journal, run: RunId) -> Result<(), Error> {
    let first = NewRun {
        rows: vec![row(1, &body(run, 1))],
        ..new_run(run)
    };
    assert_eq!(journal.accept(first).await?, Accepted::New);
    say(run, 1);
    for n in 2..=ROWS + 1 {
        let next = Append {
            rows: vec![row(n, &body(run, n))],
            ..append(run, n)
        };
        journal.append(next).await?;
        say(run, n);
    }
    Ok(())
}

/// Writes until it is killed or the store fails.
async fn write_on(folder: &Path) -> Error {
    let store = Store::open(folder, "crash").await.unwrap();
    let journal = open(&store).await;
    let ids = RunIds::after(journal.last_run().await.unwrap());
    loop {
        let runs = (0..WRITERS).map(|_| write_one(&journal, ids.next(0)));
        for done in futures::future::join_all(runs).await {
            if let Err(e) = done {
                assert!(!store.healthy());
                let later = journal.accept(new_run(ids.next(0))).await;
                assert!(matches!(later, Err(Error::Failed(_))), "{later:?}");
                return e;
            }
        }
    }
}

fn child(mut command: Command, test: &str, folder: &Path) -> Child {
    command
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a line acknowledges.
fn acknowledged(line: &str) -> Option<(RunId, u32)> {
    let (run, n) = line.strip_prefix("ack ")?.split_once(' ')?;
    Some((run.parse().ok()?, n.parse().ok()?))
}

async fn check(folder: &Path, acknowledged: &[(RunId, u32)]) {
    let store = Store::open(folder, "crash").await.unwrap();
    let journal = open(&store).await;
    for &(run, n) in acknowledged {
        let rows = journal.rows(run).await.unwrap();
        let found = rows
            .get(n as usize - 1)
            .unwrap_or_else(|| panic!("row {n} of {run} is lost"));
        assert_eq!(found.body, body(run, n));
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn acknowledged_rows_outlive_a_kill() {
    if let Some(folder) = folder_of_child() {
        write_on(Path::new(&folder)).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for _ in 0..KILLS {
        let this = std::env::current_exe().unwrap();
        let mut process = child(
            Command::new(this),
            "crash::acknowledged_rows_outlive_a_kill",
            folder.path(),
        );
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let after = fastrand::usize(1..300);
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let Some(ack) = acknowledged(&line) else {
                continue;
            };
            all.push(ack);
            seen += 1;
            // It writes on until then, so the kill falls anywhere.
            if seen == after {
                process.kill().unwrap();
            }
        }
        assert!(
            seen >= after,
            "the process ended by itself after {seen} of {after}"
        );
        process.wait().unwrap();
        check(folder.path(), &all[all.len() - seen..]).await;
    }
    check(folder.path(), &all).await;
}

#[tokio::test]
async fn failed_write_stops_the_store_and_loses_nothing() {
    if let Some(folder) = folder_of_child() {
        let error = write_on(Path::new(&folder)).await;
        assert!(matches!(error, Error::Failed(_)), "{error:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Files of this process cannot grow past the limit: the disk refuses a write
    // in a way that is not "full".
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    let mut process = child(
        limited,
        "crash::failed_write_stops_the_store_and_loses_nothing",
        folder.path(),
    );
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let acks: Vec<_> = lines
        .map_while(Result::ok)
        .filter_map(|l| acknowledged(&l))
        .collect();
    assert!(process.wait().unwrap().success());
    assert!(!acks.is_empty());
    check(folder.path(), &acks).await;
}
