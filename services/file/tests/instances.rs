//! Runs go on when one of two processes of the engine is killed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails loudly, and starts tasks of its own"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gearmesh_testkit::{Process, TestMesh, wait_until};
use serde_json::json;
use tempfile::TempDir;

const RUNS: usize = 200;

/// Runs under way at once.
const CALLERS: usize = 4;

/// Writes, reads, hashes and copies a file of its own: all of it may be repeated.
const WORKFLOW: &str = r#"
name: files
inputs:
  name: {type: string}
tasks:
  - id: write
    tool: file.write
    params: {path: "shared://${inputs.name}.txt", content: "${inputs.name}", mode: overwrite}
  - id: read
    needs: [write]
    tool: file.read
    params: {path: "shared://${inputs.name}.txt"}
  - id: hash
    needs: [write]
    tool: file.hash
    params: {path: "shared://${inputs.name}.txt"}
  - id: copy
    needs: [read, hash]
    tool: file.copy
    params: {source: "shared://${inputs.name}.txt", destination: "shared://${inputs.name}.copy", overwrite: true}
outputs:
  content: "${read.result.content}"
"#;

struct Engine {
    process: Process,
    _folder: TempDir,
}

impl Engine {
    async fn start(shared: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = folder.path().join("endpoint");
        let settings = format!(
            "listen = \"127.0.0.1:0\"\nendpoint = {:?}\n[file]\nshared = {:?}\n[file.roots.shared]\npath = {:?}\nwrite = true\n",
            endpoint.display().to_string(),
            shared.join("notes").display().to_string(),
            shared.display().to_string(),
        );
        std::fs::write(folder.path().join("gearmesh.toml"), settings).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_gearmesh-file"));
        let process = Process::start(program, &[], folder.path(), &endpoint).await;
        Self {
            process,
            _folder: folder,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_fails_when_one_of_two_is_killed() {
    let shared = tempfile::tempdir().unwrap();
    let mut a = Engine::start(shared.path()).await;
    let b = Engine::start(shared.path()).await;
    let registry = format!("static:file={},file={}", a.process.url(), b.process.url());
    let mesh = TestMesh::start_with(&[gearmesh_orchestrator::SERVICE], |config| {
        config.set("registry", registry);
    })
    .await;
    wait_until("the engine joins", Duration::from_secs(20), || {
        mesh.mesh().link("file").is_ok()
    })
    .await;
    let mesh = Arc::new(mesh);
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (mesh, next) = (mesh.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let run = next.fetch_add(1, Ordering::SeqCst);
                    if run >= RUNS {
                        return;
                    }
                    let name = format!("run-{run}");
                    let params = json!({"source": WORKFLOW, "inputs": {"name": name}});
                    let result = mesh.call("orchestrator.execute", params).await.unwrap();
                    assert_eq!(result["status"], "succeeded", "{result:#}");
                    assert_eq!(result["outputs"]["content"], json!(name));
                }
            })
        })
        .collect();
    wait_until("some runs have begun", Duration::from_secs(60), || {
        next.load(Ordering::SeqCst) > RUNS / 4
    })
    .await;
    a.process.kill();
    println!("killed at run {}", next.load(Ordering::SeqCst));
    for caller in callers {
        caller.await.unwrap();
    }
    let copies = std::fs::read_dir(shared.path()).unwrap();
    let copies = copies.filter(|f| {
        f.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".copy")
    });
    assert_eq!(copies.count(), RUNS);
}
