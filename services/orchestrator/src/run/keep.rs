//! Keeps this instance's share of the shards.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;

use gearmesh_runtime::Context;
use gearmesh_store::lease::{Change, Instance, Keeper, STEP_MS};
use gearmesh_store::{Owned, PgStore, SHARDS, Shard};

use crate::run::load::take_up;
use crate::run::runs::Runs;

/// Wait between two steps.
const STEP: Duration = Duration::from_millis(STEP_MS.unsigned_abs());

/// How long what is under way in a shard that is given away may take to end. What is not
/// over by then is found by the next owner, as after a crash.
const GRACE: Duration = Duration::from_secs(5);

/// Wait between two looks whether a shard is empty.
const EMPTY_LOOK: Duration = Duration::from_millis(10);

/// One that shares the shards of a schema, named as no earlier life of it was.
fn instance(cx: &Context) -> Instance {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    let process = std::process::id();
    Instance {
        name: format!("{host}/{process}#{:08x}", cx.rng().number() & 0xffff_ffff),
        endpoint: cx.endpoint().unwrap_or_default().to_owned(),
        host,
        process,
        started_at_ms: cx.clock().now_ms(),
    }
}

/// A keeper that notes its shards in `owned`, and this instance's name among the others.
pub(crate) fn keeper(cx: &Context, store: PgStore, owned: Owned) -> (Keeper, String) {
    let me = instance(cx);
    let name = me.name.clone();
    (Keeper::new(store, me, owned), name)
}

/// Keeps the share until the process ends.
pub(crate) async fn keep(runs: Runs, mut keeper: Keeper) {
    let cx = runs.context().clone();
    let clock = cx.clock().clone();
    let now_ms = move || clock.boot_ms();
    let (empty, mut emptied) = mpsc::channel(SHARDS);
    let mut draining = false;
    while !keeper.drained() {
        let changes = tokio::select! {
            Some(shard) = emptied.recv() => {
                runs.shards().lost(shard);
                keeper.yielded(shard, &now_ms).await
            }
            () = cx.shutdown().cancelled(), if !draining => {
                draining = true;
                keeper.drain(&now_ms).await
            }
            () = cx.clock().sleep(STEP) => keeper.step(&now_ms).await,
        };
        let mut gained = BTreeSet::new();
        for change in changes {
            match change {
                Change::Gained(shard) => {
                    gained.insert(shard);
                }
                Change::Yields(shard) => {
                    runs.shards().leaves(shard);
                    let (runs, empty) = (runs.clone(), empty.clone());
                    cx.spawn(async move {
                        over(&runs, shard).await;
                        // The keeper has ended: nobody needs to hear of it.
                        let _ = empty.send(shard).await;
                    });
                }
                Change::Lost(shard) => {
                    gained.remove(&shard);
                    runs.forget(shard);
                }
            }
        }
        if !gained.is_empty() {
            tracing::info!(shards = gained.len(), "shards taken over");
            for shard in &gained {
                runs.shards().gained(*shard);
            }
            cx.spawn(take_up(runs.clone(), gained.into_iter().collect()));
        }
    }
    keeper.leave().await;
}

/// Waits until nothing is under way in a shard that leaves.
async fn over(runs: &Runs, shard: Shard) {
    let clock = runs.context().clock();
    let grace = u64::try_from(GRACE.as_micros()).unwrap_or(u64::MAX);
    let until_us = clock.monotonic_us().saturating_add(grace);
    while runs.drives(shard) && clock.monotonic_us() < until_us {
        clock.sleep(EMPTY_LOOK).await;
    }
    runs.forget(shard);
}
