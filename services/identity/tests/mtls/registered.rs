//! Processes that find each other by Consul, and speak TLS alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gearmesh_runtime::Call;
use gearmesh_testkit::servers::{Consul, ConsulStandIn};

use crate::mesh::{Site, put};
use crate::renewed::{CALLER, joined};

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 10 s");
}

/// Two instances register themselves; one drains under writes, and none fails. The
/// agent cannot look at them, since it has no certificate: they report, and stay.
async fn instances_are_found_and_drain(registry: &str) {
    let site = Site::start().await;
    let state = |id: &'static str| {
        site.process(gearmesh_state::SERVICE, move |config| {
            config.set("registry", registry);
            config.set("instance", id);
        })
    };
    let one = state("one").await;
    let caller = site
        .process(CALLER, |config| config.set("registry", registry))
        .await;
    let link = joined(&caller).await;
    let two = state("two").await;
    let there = |id: &str| {
        let call = Call {
            instance: Some(id.to_owned()),
            ..Call::default()
        };
        caller.mesh().pick("state", &call).is_some()
    };
    until("both are found", || there("one") && there("two")).await;

    let (done, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (link, done, calls) = (link.clone(), done.clone(), calls.clone());
        load.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                put(&link, "a").await.expect("no call fails");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    until("calls go", || calls.load(Ordering::Relaxed) > 50).await;
    one.stop().await;
    until("it has left", || !there("one")).await;
    let before = calls.load(Ordering::Relaxed);
    until("calls go on", || {
        calls.load(Ordering::Relaxed) > before + 50
    })
    .await;
    // Longer than silence may last.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(there("two"), "it reports itself");
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_found_and_drain_at_the_stand_in() {
    let agent = ConsulStandIn::start().await;
    instances_are_found_and_drain(&agent.registry()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_found_and_drain_at_a_real_agent() {
    if let Some(agent) = Consul::start().await {
        instances_are_found_and_drain(&agent.registry()).await;
    }
}
