//! The engine's own process, killed in the middle of writes.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::HashMap;
use std::path::Path;

use gearmesh_api::file::v1::WriteRequest;
use gearmesh_api::file::v1::file_service_client::FileServiceClient;
use gearmesh_link::{Call, remote};
use gearmesh_testkit::Process;
use tokio::sync::mpsc;
use tonic::Request;

/// Bytes of each file: long enough that a kill falls into writes.
const SIZE: usize = 1 << 20;

/// Writers at once, each with a file of its own.
const WRITERS: u8 = 4;

/// Answers after which each kill falls.
const KILLS: [usize; 5] = [1, 4, 7, 10, 13];

async fn start(folder: &Path) -> Process {
    std::fs::write(
        folder.join("gearmesh.toml"),
        "endpoint = \"endpoint.json\"\n",
    )
    .unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_gearmesh-file"));
    Process::start(program, &[], folder, &folder.join("endpoint.json")).await
}

/// Overwrites the writer's file with this turn's letter, under a key of the turn.
async fn write(url: &str, writer: u8, turn: u8) -> Result<(), tonic::Status> {
    let mut client = FileServiceClient::new(remote(url).unwrap());
    let mut request = Request::new(WriteRequest {
        path: format!("f{writer}"),
        data: Some(vec![b'a' + turn % 26; SIZE].into()),
        ..WriteRequest::default()
    });
    let call = Call {
        key: Some(format!("{writer}-{turn}")),
        ..Call::default()
    };
    call.write(request.metadata_mut()).unwrap();
    client.write(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_process_leaves_whole_files_and_a_resend_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut turns: HashMap<u8, u8> = (0..WRITERS).map(|w| (w, 0)).collect();
    for answers in KILLS {
        let mut process = start(folder.path()).await;
        let (told, mut answered) = mpsc::channel(64);
        let mut writers = tokio::task::JoinSet::new();
        for (&writer, &turn) in &turns {
            let (url, told) = (process.url(), told.clone());
            writers.spawn(async move {
                let mut turn = turn;
                while write(&url, writer, turn).await.is_ok() {
                    turn += 1;
                    let _ = told.send(()).await;
                }
                (writer, turn)
            });
        }
        drop(told);
        for _ in 0..answers {
            answered.recv().await.unwrap();
        }
        process.kill();
        while answered.recv().await.is_some() {}
        turns = writers.join_all().await.into_iter().collect();

        let work = folder.path().join(".gearmesh/work");
        for writer in 0..WRITERS {
            if let Ok(bytes) = std::fs::read(work.join(format!("f{writer}"))) {
                assert_eq!(bytes.len(), SIZE, "cut short");
                assert!(bytes.iter().all(|b| *b == bytes[0]), "two writes mixed");
                let now = bytes[0];
                let turn = turns[&writer];
                let allowed = [turn.checked_sub(1), Some(turn)].map(|t| t.map(|t| b'a' + t % 26));
                assert!(
                    allowed.contains(&Some(now)),
                    "an acknowledged write is lost: turn {turn}, found {now}"
                );
            }
        }

        let process = start(folder.path()).await;
        for (writer, turn) in &mut turns {
            write(&process.url(), *writer, *turn).await.unwrap();
            *turn += 1;
        }
        let mut names: Vec<_> = std::fs::read_dir(&work)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["f0", "f1", "f2", "f3"]);
    }
}
