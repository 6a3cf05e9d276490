//! What the real process does on a disk that is full, not writable, in use or damaged: a clear
//! refusal each time, and nothing acknowledged that is not there.
//!
//! A disk of a fixed size is a tmpfs, which only root may mount.

mod client;
mod flush;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gearmesh_api::state::v1::PutRequest;
use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_testkit::Process;
use gearmesh_tests::{gearmesh, program};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::{Client, key};

/// The disk, and what is taken away later so that there is space again.
const SIZE: &str = "size=8m";
const BALLAST: usize = 3 << 20;
/// More values than the disk holds.
const VALUES_MAX: usize = 400;
/// A full disk is known, and space is: the goals, and as much again for a busy machine.
const NOTICED_MAX: Duration = Duration::from_secs(1 + 1);
const BACK_MAX: Duration = Duration::from_secs(5 + 5);

/// A disk of a fixed size.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Self { folder };
        run("mount", &["-t", "tmpfs", "-o", SIZE, "tmpfs"], disk.at());
        disk
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn forbid_writes(&self) {
        run("mount", &["-o", "remount,ro"], self.at());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that is still ending keeps it, and it goes with that one.
        let _ = Command::new("umount").arg("-l").arg(self.at()).status();
    }
}

fn run(command: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(command).args(arguments).arg(folder).output();
    let output = output.unwrap_or_else(|e| panic!("`{command}` cannot be run: {e}"));
    assert!(
        output.status.success(),
        "this test needs a disk of a fixed size, so run it as root where `mount` is allowed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const SERVE: [&str; 6] = [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--output",
    "ndjson",
    "state",
];

async fn start(folder: &Path, with_gateway: bool) -> Process {
    let mut arguments = SERVE.to_vec();
    if with_gateway {
        arguments.push("gateway");
    }
    Process::start_saying(&program("gearmesh"), &arguments, folder).await
}

/// What the first call says in a folder whose store cannot be used. A store is opened by the
/// first call that needs it, so that a process with one damaged store serves the others.
async fn refusal(folder: &Path) -> String {
    let process = start(folder, true).await;
    let get = json!({"key": key(0)});
    let (status, body) = Client::new(&process).call("state.get", &get).await;
    assert_eq!(status, 503, "{body}");
    let text = body.to_string();
    assert!(text.contains("STORE_FAILED"), "{text}");
    text
}

#[tokio::test]
async fn full_disk_is_told_and_left_again_by_itself() {
    let disk = Disk::mount();
    let ballast = disk.at().join("ballast");
    std::fs::write(&ballast, vec![0; BALLAST]).expect("there is space yet");
    let mut process = start(disk.at(), true).await;
    let client = Client::new(&process);
    let mut acked = Vec::new();
    let mut refusal = None;
    for n in 0..VALUES_MAX {
        match client.put(n).await {
            (200, _) => acked.push(n),
            other => {
                refusal = Some(other);
                break;
            }
        }
    }
    let (status, body) = refusal.expect("the disk is full at last");
    assert!(acked.len() > 10, "{acked:?}");
    assert!(body.to_string().contains("STORE_FULL"), "{status} {body}");
    let noticed = client.wait_for((503, "NOT_SERVING"), NOTICED_MAX).await;
    for n in &acked {
        client.assert_there(*n).await;
    }
    let (status, body) = client.put(VALUES_MAX).await;
    assert!(body.to_string().contains("STORE_FULL"), "{status} {body}");

    std::fs::remove_file(&ballast).expect("it is there");
    let back = client.wait_for((200, "SERVING"), BACK_MAX).await;
    let (status, body) = client.put(VALUES_MAX).await;
    assert_eq!(status, 200, "{body}");
    acked.push(VALUES_MAX);

    // What was acknowledged before, meanwhile and after outlives the process.
    process.kill();
    let again = start(disk.at(), true).await;
    let client = Client::new(&again);
    for n in &acked {
        client.assert_there(*n).await;
    }
    println!(
        "RESULT {{\"suite\":\"full-disk-process\",\"trials\":1,\"acked\":{},\"lost\":0,\"noticedMs\":{},\"backMs\":{}}}",
        acked.len(),
        noticed.as_millis(),
        back.as_millis()
    );
}

/// The status that a process of engines alone tells over gRPC.
async fn status(process: &Process) -> i32 {
    let endpoint = Endpoint::from_shared(process.url()).expect("a URL");
    let channel = endpoint.connect().await.expect("it serves");
    let mut client = HealthClient::new(channel);
    let request = HealthCheckRequest {
        service: "gearmesh.state.v1.StateService".to_owned(),
    };
    let answer = client.check(request).await.expect("it knows its service");
    answer.into_inner().status
}

#[tokio::test]
async fn engine_on_a_full_disk_does_not_serve() {
    let disk = Disk::mount();
    let process = start(disk.at(), false).await;
    let channel = Endpoint::from_shared(process.url()).expect("a URL");
    let channel = channel.connect().await.expect("it serves");
    // The store is opened by the first call.
    let put = PutRequest {
        key: key(1),
        value: Some(Json { text: "1".into() }),
        ..PutRequest::default()
    };
    let mut state = StateServiceClient::new(channel);
    state.put(put).await.expect("there is space");
    let (serving, not_serving) = (
        ServingStatus::Serving.into(),
        ServingStatus::NotServing.into(),
    );
    assert_eq!(status(&process).await, serving);
    let ballast = disk.at().join("ballast");
    // As much as there is: the rest is refused.
    let _ = std::fs::write(&ballast, vec![0; 9 << 20]);
    let wait = async |expected: i32, limit: Duration| {
        let since = Instant::now();
        while status(&process).await != expected {
            assert!(since.elapsed() < limit, "not {expected} after {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    wait(not_serving, NOTICED_MAX).await;
    std::fs::remove_file(&ballast).expect("it is there");
    wait(serving, BACK_MAX).await;
}

#[tokio::test]
async fn folder_that_cannot_be_written_is_named() {
    let disk = Disk::mount();
    disk.forbid_writes();
    let ended = gearmesh(disk.at(), &SERVE);
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    let answer = ended.expect("it ends instead of serving");
    assert_ne!(answer.code, 0, "{answer:?}");
    for word in ["NOT_STARTED", ".gearmesh", "Read-only file system"] {
        assert!(answer.err.contains(word), "{answer:?}");
    }
}

#[tokio::test]
async fn second_process_is_told_who_has_the_store() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = start(folder.path(), true).await;
    let client = Client::new(&first);
    assert_eq!(client.put(1).await.0, 200);
    let said = refusal(folder.path()).await;
    assert!(said.contains(&first.pid().to_string()), "{said}");
    client.assert_there(1).await;
}

/// The files of the stores below a folder, with this end.
fn stores(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(".gearmesh")).expect("a state folder");
    let paths = entries.map(|e| e.expect("an entry").path());
    let is_store = |p: &PathBuf| p.to_string_lossy().ends_with(end);
    paths.filter(is_store).collect()
}

/// Flips a bit of a file as decay does: the file is not written to.
fn decay(path: &Path, place: impl Fn(usize) -> usize) {
    let written = path.metadata().and_then(|m| m.modified());
    let mut bytes = std::fs::read(path).expect("the file");
    let place = place(bytes.len());
    bytes[place] ^= 1;
    std::fs::write(path, bytes).expect("the file");
    let file = File::options().write(true).open(path).expect("the file");
    let written = written.expect("a time");
    file.set_modified(written).expect("the file is ours");
}

#[tokio::test]
async fn damaged_store_is_not_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = start(folder.path(), true).await;
    assert_eq!(Client::new(&process).put(1).await.0, 200);
    assert!(process.terminate().success());
    let state: Vec<_> = stores(folder.path(), "state.db");
    let [path] = state.as_slice() else {
        panic!("one store: {state:?}");
    };
    decay(path, |length| length / 2);
    let said = refusal(folder.path()).await;
    for word in ["state.db", "damaged"] {
        assert!(said.contains(word), "{said}");
    }
}

#[tokio::test]
async fn damaged_log_is_not_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut process = start(folder.path(), true).await;
    let client = Client::new(&process);
    for n in 0..4 {
        assert_eq!(client.put(n).await.0, 200);
    }
    process.kill();
    let logs = stores(folder.path(), "state.db-wal");
    let [path] = logs.as_slice() else {
        panic!("one log: {logs:?}");
    };
    decay(path, |length| length / 8);
    let said = refusal(folder.path()).await;
    for word in ["state.db", "damaged", "log"] {
        assert!(said.contains(word), "{said}");
    }
}
