//! What every kind of registry promises, and what Consul adds.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails loudly, and measures by its own clock"
)]

use std::time::{Duration, Instant};

use gearmesh_registry::{Instance, Registry, Settings};
use gearmesh_testkit::servers::{Consul, ConsulStandIn};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the mesh promises about an instance that died without a word.
const GONE_MAX: Duration = Duration::from_secs(12);

/// How soon a change is heard of.
const HEARD_MAX: Duration = Duration::from_millis(1500);

/// A server that answers the health service, as an engine does.
struct Served {
    url: String,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let (_, health) = tonic_health::server::health_reporter();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serve = tonic::transport::Server::builder()
            .add_service(health)
            .serve_with_incoming(incoming);
        let task = tokio::spawn(async move { serve.await.unwrap() });
        Self { url, task }
    }

    fn instance(&self, id: &str, engine: &str) -> Instance {
        Instance {
            id: id.to_owned(),
            engine: engine.to_owned(),
            url: self.url.clone(),
            tags: vec!["version=1.2.3".to_owned()],
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn open(url: &str) -> Registry {
    let settings = Settings {
        engines: vec!["file".into(), "db".into()],
        ..Settings::default()
    };
    Registry::open(url, settings).unwrap()
}

fn ids(set: &[Instance]) -> Vec<&str> {
    set.iter().map(|i| i.id.as_str()).collect()
}

/// Waits until the set is this, and says how long that took.
async fn becomes(
    set: &mut watch::Receiver<Vec<Instance>>,
    expected: &[&str],
    limit: Duration,
) -> Duration {
    let begun = Instant::now();
    let waited = tokio::time::timeout(limit, set.wait_for(|s| ids(s) == expected)).await;
    let waited = waited.map(|found| drop(found.unwrap()));
    let seen = set.borrow().clone();
    assert!(
        waited.is_ok(),
        "not {expected:?} within {limit:?}: {seen:?}"
    );
    begun.elapsed()
}

/// Instances come and go, engine by engine, and watchers hear of it.
async fn instances_come_and_go(registry: &str) {
    let (here, there) = (open(registry), open(registry));
    // `local:` is one process's own.
    let there = if registry == "local:" {
        here.clone()
    } else {
        there
    };
    let (a, b) = (Served::start().await, Served::start().await);
    let mut files = there.watch("file");
    let mut dbs = there.watch("db");
    assert!(files.borrow().is_empty());

    let first = here.register(a.instance("a", "file"));
    first.known().await;
    becomes(&mut files, &["a"], HEARD_MAX).await;
    assert_eq!(
        files.borrow()[0],
        a.instance("a", "file"),
        "whole, with tags"
    );
    let second = here.register(b.instance("b", "file"));
    let other = here.register(a.instance("a", "db"));
    becomes(&mut files, &["a", "b"], HEARD_MAX).await;
    becomes(&mut dbs, &["a"], HEARD_MAX).await;

    // Time for the agent to look at them: they stay.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(ids(&files.borrow()), ["a", "b"]);

    first.deregister().await;
    becomes(&mut files, &["b"], HEARD_MAX).await;
    second.deregister().await;
    becomes(&mut files, &[], HEARD_MAX).await;
    assert_eq!(ids(&dbs.borrow()), ["a"], "another engine is untouched");
    let late = there.watch("db");
    assert_eq!(
        ids(&late.borrow()),
        ["a"],
        "a second watcher starts with the set"
    );
    other.deregister().await;
    becomes(&mut dbs, &[], HEARD_MAX).await;
}

#[tokio::test]
async fn instances_come_and_go_in_this_process() {
    instances_come_and_go("local:").await;
}

#[tokio::test]
async fn instances_come_and_go_at_the_stand_in() {
    let agent = ConsulStandIn::start().await;
    instances_come_and_go(&agent.registry()).await;
}

#[tokio::test]
async fn instances_come_and_go_at_a_real_agent() {
    if let Some(agent) = Consul::start().await {
        instances_come_and_go(&agent.registry()).await;
    }
}

#[tokio::test]
async fn registration_that_reports_itself_is_kept_and_lost() {
    let stand_in = ConsulStandIn::start().await;
    let real = Consul::start().await;
    let agents = [
        Some(stand_in.registry()),
        real.as_ref().map(Consul::registry),
    ];
    let checks = agents.into_iter().flatten().map(|agent| async move {
        let registry = open(&format!("{agent}?check=ttl"));
        // Nobody answers there, and nobody asks: the report alone counts.
        let instance = Instance {
            id: "a".into(),
            engine: "file".into(),
            url: "https://127.0.0.1:9".into(),
            tags: Vec::new(),
        };
        let mut set = registry.watch("file");
        let place = registry.register(instance.clone());
        becomes(&mut set, &["a"], HEARD_MAX).await;
        assert_eq!(set.borrow()[0], instance);
        tokio::time::sleep(GONE_MAX).await;
        assert_eq!(ids(&set.borrow()), ["a"], "{agent}");
        // As in a crash: nothing is said.
        drop(place);
        becomes(&mut set, &[], GONE_MAX).await;
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn dead_instance_leaves_within_its_time_without_a_word() {
    let stand_in = ConsulStandIn::start().await;
    let real = Consul::start().await;
    let agents = [
        Some(stand_in.registry()),
        real.as_ref().map(Consul::registry),
    ];
    let checks = agents.into_iter().flatten().map(|agent| async move {
        let registry = open(&agent);
        let (dies, lives) = (Served::start().await, Served::start().await);
        let place = registry.register(dies.instance("dies", "file"));
        let stays = registry.register(lives.instance("lives", "file"));
        let mut set = registry.watch("file");
        becomes(&mut set, &["dies", "lives"], HEARD_MAX).await;
        drop(place);
        drop(dies);
        let took = becomes(&mut set, &["lives"], GONE_MAX).await;
        println!("{agent}: gone after {took:?}");
        stays.deregister().await;
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn restarted_agent_loses_no_registration() {
    let Some(mut agent) = Consul::start().await else {
        return;
    };
    let registry = open(&agent.registry());
    let (a, b) = (Served::start().await, Served::start().await);
    let places = [
        registry.register(a.instance("a", "file")),
        registry.register(b.instance("b", "file")),
    ];
    let set = registry.watch("file");
    becomes(&mut set.clone(), &["a", "b"], HEARD_MAX).await;

    // Whoever watched before never sees fewer.
    let mut watched = set.clone();
    let never_fewer = tokio::spawn(async move {
        while watched.changed().await.is_ok() {
            let now = watched.borrow_and_update().len();
            assert_eq!(now, 2, "instances were lost");
        }
    });
    agent.kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    agent.start_again().await;
    // Whoever comes anew finds them again.
    let fresh = open(&agent.registry());
    becomes(
        &mut fresh.watch("file"),
        &["a", "b"],
        Duration::from_secs(8),
    )
    .await;
    println!("registered again {:?} after the start", begun.elapsed());
    // Longer than the time for which the old set is held.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(ids(&set.borrow()), ["a", "b"]);
    drop((registry, places));
    never_fewer.await.expect("never fewer");
}

#[tokio::test]
async fn agent_that_counts_anew_is_followed() {
    let agent = ConsulStandIn::start().await;
    let registry = open(&agent.registry());
    let a = Served::start().await;
    let place = registry.register(a.instance("a", "file"));
    let mut set = registry.watch("file");
    becomes(&mut set, &["a"], HEARD_MAX).await;
    agent.forget();
    // Below the index that is known: a watch that kept it would wait for ever.
    let begun = Instant::now();
    while agent.registered().is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "not registered again"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ids(&set.borrow()), ["a"], "kept meanwhile");
    let b = Served::start().await;
    let second = registry.register(b.instance("b", "file"));
    becomes(&mut set, &["a", "b"], HEARD_MAX).await;
    place.deregister().await;
    second.deregister().await;
    // Within the time for which what was known is held, it is known still.
    becomes(&mut set, &[], Duration::from_secs(12)).await;
}

#[tokio::test]
async fn agent_that_is_away_changes_nothing_and_is_not_flooded() {
    let agent = ConsulStandIn::start().await;
    let registry = open(&agent.registry());
    let a = Served::start().await;
    let _place = registry.register(a.instance("a", "file"));
    let mut set = registry.watch("file");
    becomes(&mut set, &["a"], HEARD_MAX).await;
    agent.set_down(true);
    let before = agent.queries();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = agent.queries() - before;
    assert!((1..=8).contains(&asked), "{asked} queries in 3 s");
    assert_eq!(ids(&set.borrow()), ["a"]);
    agent.set_down(false);
    let b = Served::start().await;
    let second = registry.register(b.instance("b", "file"));
    becomes(&mut set, &["a", "b"], Duration::from_secs(5)).await;
    second.deregister().await;
}

#[tokio::test]
async fn quiet_watch_asks_once() {
    let agent = ConsulStandIn::start().await;
    let registry = open(&agent.registry());
    let (set, again) = (registry.watch("file"), registry.watch("file"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    // One to see, one that waits; both watchers share them.
    assert!(agent.queries() <= 2, "{}", agent.queries());
    drop((set, again));
}

#[tokio::test]
async fn token_is_sent() {
    let agent = ConsulStandIn::start().await;
    agent.require("geheim");
    let a = Served::start().await;
    let without = open(&agent.registry());
    let place = without.register(a.instance("a", "file"));
    let known = tokio::time::timeout(Duration::from_millis(500), place.known()).await;
    assert!(known.is_err() && agent.registered().is_empty());
    let settings = Settings {
        token: Some("geheim".into()),
        engines: Vec::new(),
    };
    let with = Registry::open(&agent.registry(), settings).unwrap();
    with.register(a.instance("b", "file")).known().await;
    becomes(&mut with.watch("file"), &["b"], HEARD_MAX).await;
}

#[tokio::test]
async fn static_list_names_instances_and_never_changes() {
    let registry = open(
        "static:file=https://10.0.0.1:8443,file=https://10.0.0.2:8443, db=http://127.0.0.1:9000",
    );
    assert_eq!(registry.engines(), ["db", "file"]);
    let set = registry.watch("file");
    assert_eq!(ids(&set.borrow()), ["10.0.0.1:8443", "10.0.0.2:8443"]);
    assert_eq!(set.borrow()[1].url, "https://10.0.0.2:8443");
    assert!(registry.watch("email").borrow().is_empty());
    let a = Served::start().await;
    let place = registry.register(a.instance("a", "file"));
    place.known().await;
    assert_eq!(set.borrow().len(), 2);
    place.deregister().await;
    assert_eq!(set.borrow().len(), 2);
}

#[tokio::test]
async fn names_are_resolved() {
    // The engine's name is the host's: the resolver knows this one everywhere.
    let registry = open("dns:http://{engine}:8443");
    assert_eq!(
        registry.engines(),
        ["file", "db"],
        "those that the settings name"
    );
    let mut set = registry.watch("localhost");
    let found = tokio::time::timeout(HEARD_MAX, set.wait_for(|s| !s.is_empty()));
    let found = found.await.expect("resolved").unwrap().clone();
    assert!(found.iter().any(|i| i.id == "127.0.0.1:8443"), "{found:?}");
    assert!(
        found.iter().all(|i| i.url.starts_with("http://")),
        "{found:?}"
    );
    let unknown = registry.watch("no-such-host.invalid");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(unknown.borrow().is_empty());
}

#[tokio::test]
async fn texts_that_are_no_registry_are_refused_with_the_remedy() {
    for bad in [
        "",
        "local",
        "local:x",
        "etcd:http://x",
        "static:file",
        "static:file=x",
        "static:file=https://u:geheim@x:1",
        "consul:",
        "consul:127.0.0.1:8500",
        "dns:file.example:1",
    ] {
        let error = Registry::open(bad, Settings::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("give ") || error.contains(", as ") || error.contains("write it as "),
            "{bad}: {error}"
        );
        assert!(!error.contains("geheim"), "{error}");
    }
}
