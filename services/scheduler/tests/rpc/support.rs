//! A scheduler with an orchestrator behind it, by a clock that the test drives.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gearmesh_link::{Call, invoke};
use gearmesh_runtime::{BoxFuture, Clock, Config, Running, SystemClock, start_at};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Status;

/// The machine's clock, moved by as much as the test says.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    clock: SystemClock,
    by_ms: AtomicI64,
}

impl Clock for Driven {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms() + self.by_ms.load(Ordering::SeqCst)
    }

    fn monotonic_us(&self) -> u64 {
        self.clock.monotonic_us()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(time)
    }
}

/// A mesh that can be stopped and started on its folder.
#[derive(Debug)]
pub(crate) struct Bench {
    clock: Arc<Driven>,
    folder: TempDir,
    running: Option<Running>,
}

impl Bench {
    /// A mesh whose clock shows this instant.
    pub(crate) async fn at(instant: &str) -> Self {
        let clock = Arc::new(Driven::default());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut bench = Self {
            clock,
            folder,
            running: None,
        };
        bench.set(instant);
        bench.start().await;
        bench
    }

    /// Sets the clock.
    pub(crate) fn set(&self, instant: &str) {
        let wanted: jiff::Timestamp = instant.parse().expect("an instant");
        let by = wanted.as_millisecond() - self.clock.clock.now_ms();
        self.clock.by_ms.store(by, Ordering::SeqCst);
    }

    pub(crate) async fn start(&mut self) {
        self.start_as(&[
            gearmesh_state::SERVICE,
            gearmesh_orchestrator::SERVICE,
            gearmesh_scheduler::SERVICE,
        ])
        .await;
    }

    pub(crate) async fn start_as(&mut self, services: &[gearmesh_runtime::Service]) {
        let config = Config::new(self.folder.path());
        let running = start_at(services, config, self.clock.clone()).await;
        self.running = Some(running.expect("the services start"));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn call(&self, tool: &str, params: Value) -> Result<Value, Status> {
        self.call_as(tool, params, Call::default()).await
    }

    pub(crate) async fn call_as(
        &self,
        tool: &str,
        params: Value,
        call: Call,
    ) -> Result<Value, Status> {
        let mesh = self.running.as_ref().expect("it runs").mesh();
        let catalog = mesh.catalog();
        let found = catalog.get(tool).expect("the tool is in the catalogue");
        let link = mesh.link(&found.tool.engine)?;
        invoke(&link, found.tool, params, &call).await
    }

    pub(crate) async fn ok(&self, tool: &str, params: Value) -> Value {
        let shown = params.to_string();
        let answer = self.call(tool, params).await;
        answer.unwrap_or_else(|e| panic!("{tool} {shown}: {e:?}"))
    }

    /// The history, oldest first, once `until` holds for it.
    pub(crate) async fn history(&self, id: &str, until: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        for _ in 0..400 {
            let answer = self
                .ok(
                    "scheduler.history",
                    json!({"scheduleId": id, "limit": 1000}),
                )
                .await;
            seen = answer["history"].as_array().expect("a list").clone();
            seen.reverse();
            if until(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("history of {id} came no further than {seen:#?}");
    }

    /// Runs of the orchestrator, newest first.
    pub(crate) async fn runs(&self) -> Vec<Value> {
        let answer = self
            .ok("orchestrator.list_runs", json!({"pageSize": 200}))
            .await;
        answer["runs"].as_array().expect("a list").clone()
    }
}

/// Entries with one of these statuses.
pub(crate) fn count(history: &[Value], status: &str) -> usize {
    history.iter().filter(|e| e["status"] == status).count()
}

/// A schedule that puts a value.
pub(crate) fn beat(name: &str, kind: Value) -> Value {
    let mut schedule = json!({
        "name": name,
        "tool": "state.put",
        "params": {"key": name, "value": 1},
    });
    for (key, value) in kind.as_object().expect("an object") {
        schedule[key] = value.clone();
    }
    schedule
}

/// The reason of a refusal.
pub(crate) fn reason(answer: Result<Value, Status>) -> String {
    match answer {
        Ok(answer) => format!("no refusal: {answer}"),
        Err(status) => gearmesh_fault::Failure::of(&status).reason,
    }
}
