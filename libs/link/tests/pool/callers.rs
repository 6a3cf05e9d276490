//! Those who call the servers through a pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gearmesh_catalog::{Catalog, Engines, Source};
use gearmesh_fault::Failure;
use gearmesh_link::{Call, Link, Pool, invoke, remote};
use gearmesh_registry::Instance;
use serde_json::{Value, json};
use tokio::sync::watch;
use tonic::Status;

use crate::server::Server;

pub(crate) fn catalog() -> Arc<Catalog> {
    let source = Source {
        descriptors: gearmesh_api::DESCRIPTORS,
        engines: Engines::All,
    };
    Arc::new(Catalog::build(&[source]).unwrap())
}

/// Callers of some servers.
#[derive(Clone)]
pub(crate) struct Callers {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) pool: Pool,
    pub(crate) link: Link,
}

pub(crate) type Set = watch::Sender<Vec<Instance>>;

pub(crate) fn callers(servers: &[&Server]) -> (Callers, Set) {
    let set = watch::Sender::new(servers.iter().map(|s| s.instance()).collect());
    let pool = Pool::new(
        "state",
        set.subscribe(),
        Arc::new(|i: &Instance| remote(&i.url)),
    );
    let catalog = catalog();
    pool.learn(&catalog);
    let link = pool.link();
    let callers = Callers {
        catalog,
        pool,
        link,
    };
    (callers, set)
}

impl Callers {
    pub(crate) async fn call(&self, tool: &str, call: &Call) -> Result<Value, Status> {
        let tool = self.catalog.get(tool).unwrap().tool;
        let params = match tool.id.as_str() {
            "state.put" => json!({"key": "a", "value": 1}),
            _ => json!({"key": "a"}),
        };
        invoke(&self.link, tool, params, call).await
    }

    /// A call that may be repeated.
    pub(crate) async fn get(&self) -> Result<Value, Status> {
        self.call("state.get", &Call::default()).await
    }

    /// A call that may not.
    pub(crate) async fn put(&self) -> Result<Value, Status> {
        self.call("state.put", &Call::default()).await
    }
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn failure(result: Result<Value, Status>) -> Failure {
    Failure::of(&result.expect_err("it fails"))
}
