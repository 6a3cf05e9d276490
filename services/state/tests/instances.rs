//! Several processes of one engine: found by the registry, killed, drained.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails loudly, measures by its own clock, and says what it measured"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gearmesh_registry::{Instance, Registry, Settings};
use gearmesh_runtime::Call;
use gearmesh_testkit::servers::{Consul, ConsulStandIn};
use gearmesh_testkit::{Process, TestMesh};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// What the mesh promises about an instance that died without a word.
const GONE_MAX: Duration = Duration::from_secs(12);

/// A process of the engine with a folder of its own.
struct Engine {
    process: Process,
    _folder: TempDir,
}

impl Engine {
    async fn start(id: &str, registry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = folder.path().join("endpoint");
        let settings = format!(
            "listen = \"127.0.0.1:0\"\nendpoint = {:?}\ninstance = {id:?}\nregistry = {registry:?}\n",
            endpoint.display().to_string(),
        );
        std::fs::write(folder.path().join("gearmesh.toml"), settings).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_gearmesh-state"));
        let process = Process::start(program, &[], folder.path(), &endpoint).await;
        Self {
            process,
            _folder: folder,
        }
    }

    /// SIGTERM, and its end.
    async fn drain(self) {
        let ended = tokio::task::spawn_blocking(move || self.process.terminate());
        assert!(ended.await.unwrap().success());
    }
}

/// A process without services that calls the engine.
async fn caller(registry: &str) -> Arc<TestMesh> {
    let mesh = TestMesh::start_with(&[], |config| config.set("registry", registry)).await;
    until("the engine joins", || mesh.mesh().link("state").is_ok()).await;
    Arc::new(mesh)
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Callers that call until they are told to stop, none of whom may fail.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(mesh: &Arc<TestMesh>, tool: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicUsize::new(0));
        let tasks = (0..6).map(|caller| {
            let (mesh, stop, calls) = (mesh.clone(), stop.clone(), calls.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let params = match tool {
                        "state.put" => json!({"key": format!("k{caller}"), "value": 1}),
                        _ => json!({}),
                    };
                    let call = Call {
                        timeout: Some(Duration::from_secs(10)),
                        ..Call::default()
                    };
                    let answer = mesh.call_as(tool, params, call).await;
                    answer.unwrap_or_else(|status| panic!("{tool} failed: {status:?}"));
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        Self {
            tasks: tasks.collect(),
            stop,
            calls,
        }
    }

    async fn more(&self, count: usize) {
        let before = self.calls.load(Ordering::SeqCst);
        until("calls go on", || {
            self.tasks.iter().any(JoinHandle::is_finished)
                || self.calls.load(Ordering::SeqCst) >= before + count
        })
        .await;
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("no call failed");
        }
        self.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_fails_when_one_of_two_is_killed() {
    let mut a = Engine::start("a", "local:").await;
    let b = Engine::start("b", "local:").await;
    let registry = format!("static:state={},state={}", a.process.url(), b.process.url());
    let mesh = caller(&registry).await;
    let load = Load::start(&mesh, "state.list");
    load.more(300).await;
    a.process.kill();
    load.more(600).await;
    println!("{} calls, none failed", load.end().await);
}

/// Instances as the registry has them.
async fn living(registry: &str, expected: &[&str], limit: Duration) -> Duration {
    let begun = Instant::now();
    let watched = Registry::open(registry, Settings::default()).unwrap();
    let mut set = watched.watch("state");
    let ids = |s: &Vec<Instance>| s.iter().map(|i| i.id.clone()).collect::<Vec<_>>();
    let becomes = set.wait_for(|s| ids(s) == expected);
    let becomes = tokio::time::timeout(limit, becomes).await;
    assert!(becomes.is_ok(), "not {expected:?} within {limit:?}");
    begun.elapsed()
}

/// Instances come, drain and die under load, and no call fails.
async fn no_call_fails_while_instances_change(registry: &str) {
    let a = Engine::start("a", registry).await;
    let mesh = caller(registry).await;
    let load = Load::start(&mesh, "state.put");
    load.more(50).await;
    let mut b = Engine::start("b", registry).await;
    living(registry, &["a", "b"], GONE_MAX).await;
    load.more(200).await;
    a.drain().await;
    living(registry, &["b"], Duration::from_secs(2)).await;
    load.more(200).await;
    let calls = load.end().await;

    let c = Engine::start("c", registry).await;
    living(registry, &["b", "c"], GONE_MAX).await;
    let load = Load::start(&mesh, "state.list");
    load.more(100).await;
    b.process.kill();
    let gone = living(registry, &["c"], GONE_MAX).await;
    load.more(100).await;
    println!(
        "{registry}: {calls} writes, {} reads, none failed; the killed one gone after {gone:?}",
        load.end().await
    );

    // All gone, another comes: the caller finds it.
    c.drain().await;
    living(registry, &[], Duration::from_secs(2)).await;
    let none = mesh.call("state.list", json!({})).await.unwrap_err();
    assert_eq!(none.code(), tonic::Code::Unavailable, "{none:?}");
    let _d = Engine::start("d", registry).await;
    let begun = Instant::now();
    while mesh.call("state.list", json!({})).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5), "d is not found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let picked = mesh.mesh().pick("state", &Call::default());
    assert_eq!(picked.as_deref(), Some("d"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_instances_change_at_the_stand_in() {
    let agent = ConsulStandIn::start().await;
    no_call_fails_while_instances_change(&agent.registry()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_instances_change_at_a_real_agent() {
    if let Some(agent) = Consul::start().await {
        no_call_fails_while_instances_change(&agent.registry()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_consul_is_started_anew() {
    let Some(mut agent) = Consul::start().await else {
        return;
    };
    let registry = agent.registry();
    let _a = Engine::start("a", &registry).await;
    let _b = Engine::start("b", &registry).await;
    let mesh = caller(&registry).await;
    living(&registry, &["a", "b"], GONE_MAX).await;
    let load = Load::start(&mesh, "state.put");
    load.more(100).await;
    agent.kill();
    load.more(200).await;
    agent.start_again().await;
    let took = living(&registry, &["a", "b"], GONE_MAX).await;
    load.more(200).await;
    println!(
        "{} calls, none failed; registered again after {took:?}",
        load.end().await
    );
}
