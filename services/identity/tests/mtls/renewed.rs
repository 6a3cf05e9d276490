//! Leaves that change while calls go on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gearmesh_api::identity::v1::ListCredentialsRequest;
use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_link::{Link, Peer};
use gearmesh_runtime::{BoxFuture, Clock, Config, Service, SystemClock, start_at};
use gearmesh_testkit::TestMesh;
use tonic::service::Routes;

use crate::mesh::{Site, causes, get, https, link, put};

/// Who calls: an orchestrator that does nothing else.
pub(crate) const CALLER: Service = Service {
    name: "orchestrator",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start: |_| Box::pin(async { Ok(Routes::default()) }),
};

/// A process that calls `state` as its registry says.
async fn caller(site: &Site, state: &TestMesh) -> TestMesh {
    let registry = format!("static:state={}", https(state));
    let settings = |config: &mut Config| {
        config.set("registry", registry);
        config.set("mesh.connectionAge", 1);
    };
    site.process(CALLER, settings).await
}

/// The link to `state`, once it has joined.
pub(crate) async fn joined(caller: &TestMesh) -> Link {
    let mesh = caller.mesh().seen_by(Peer::local("orchestrator"));
    for _ in 0..500 {
        if let Ok(link) = mesh.link("state") {
            return link;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the engine did not join within 5 s");
}

/// The serial of the last leaf of a service.
async fn serial(identity: &mut IdentityServiceClient<Link>, service: &str) -> String {
    let request = ListCredentialsRequest::default();
    let answer = identity.list_credentials(request).await.unwrap();
    let found = answer.into_inner().credentials;
    let own = found.iter().find(|c| c.spiffe.ends_with(service));
    own.map_or(String::new(), |c| c.serial.clone())
}

/// A clock by which nobody waits long, and which remembers how long that was.
#[derive(Debug, Default)]
struct Hurried {
    clock: SystemClock,
    waits: Mutex<Vec<Duration>>,
}

/// What counts as long: retries and starts wait less.
const LONG: Duration = Duration::from_secs(100);

impl Clock for Hurried {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn monotonic_us(&self) -> u64 {
        self.clock.monotonic_us()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        if time < LONG {
            return self.clock.sleep(time);
        }
        self.waits.lock().unwrap().push(time);
        self.clock.sleep(Duration::from_millis(20))
    }
}

#[tokio::test]
async fn leaf_is_renewed_at_half_its_life() {
    let site = Site::start().await;
    let gateway = site.leaf_of("gateway").await;
    let identity = link(site.identity.as_ref().unwrap(), "identity", gateway);
    let mut identity = IdentityServiceClient::new(identity);
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    site.settings(&mut config, "state");
    let clock = Arc::new(Hurried::default());
    let state = start_at(&[gearmesh_state::SERVICE], config, clock.clone())
        .await
        .unwrap();
    let mut serials = BTreeSet::new();
    while serials.len() < 4 {
        serials.insert(serial(&mut identity, "/engine/state").await);
    }
    state.stop().await;
    let waits = clock.waits.lock().unwrap().clone();
    assert!(waits.len() >= 3, "{waits:?}");
    // Half of 3300 s, spread by a tenth so that a mesh does not ask at once.
    let half = Duration::from_secs(1_480)..=Duration::from_secs(1_650);
    assert!(waits.iter().all(|w| half.contains(w)), "{waits:?}");
}

#[tokio::test]
async fn process_lives_on_while_identity_is_away() {
    let mut site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let gateway = link(&state, "state", site.leaf_of("gateway").await);
    put(&gateway, "a").await.unwrap();
    site.identity.take().unwrap().stop().await;
    get(&gateway, "a").await.unwrap();
    // A process that is started meanwhile waits for its leaf.
    let starting = site.process(gearmesh_state::SERVICE, |_| {});
    let mut starting = Box::pin(starting);
    let early = tokio::time::timeout(Duration::from_millis(500), &mut starting).await;
    assert!(early.is_err(), "started without a leaf");
    let _identity = site.start_identity().await;
    let late = tokio::time::timeout(Duration::from_secs(5), starting).await;
    let late = link(
        &late.expect("started"),
        "state",
        site.leaf_of("gateway").await,
    );
    put(&late, "a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rotations_under_load_fail_no_call() {
    /// Leaves of two seconds are renewed each second, connections end as often.
    const LIFE: i64 = 2;
    const ROTATIONS: usize = 20;
    const CALLERS: usize = 8;
    let site = Site::start_with(LIFE).await;
    let state = site
        .process(gearmesh_state::SERVICE, |c| c.set("mesh.connectionAge", 1))
        .await;
    let caller = caller(&site, &state).await;
    let link = joined(&caller).await;
    put(&link, "a").await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let mut load = tokio::task::JoinSet::new();
    for n in 0..CALLERS {
        let (link, done, calls) = (link.clone(), done.clone(), calls.clone());
        load.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                // One of them writes: a call that may not be sent twice.
                let answer = match n {
                    0 => put(&link, "b").await,
                    _ => get(&link, "a").await,
                };
                if let Err(status) = answer {
                    return Err(causes(&status));
                }
                calls.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    let started = tokio::time::Instant::now();
    while seen.iter().any(|s| s.len() <= ROTATIONS) {
        assert!(started.elapsed() < Duration::from_secs(60), "{seen:?}");
        // A leaf is as short here as there, so each look takes a fresh one.
        let gateway = site.leaf_of("gateway").await;
        let identity = crate::mesh::link(site.identity.as_ref().unwrap(), "identity", gateway);
        let mut identity = IdentityServiceClient::new(identity);
        for (seen, service) in seen
            .iter_mut()
            .zip(["/engine/state", "/engine/orchestrator"])
        {
            seen.insert(serial(&mut identity, service).await);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        assert_eq!(ended.unwrap(), Ok(()));
    }
    let calls = calls.load(Ordering::Relaxed);
    println!(
        "{calls} calls, {:?} leaves of both ends, 0 failed, {:?}",
        seen.map(|s| s.len()),
        started.elapsed()
    );
    assert!(calls > 1_000, "{calls}");
}
