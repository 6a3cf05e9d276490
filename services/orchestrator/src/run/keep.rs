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

/// How long what is under way in a shard that is given away may take to end: when the process
/// ends, and when the shares only become even. What is not over by then is found by the next
/// owner, as after a crash.
const GRACE: Duration = Duration::from_secs(5);
const EVEN_GRACE: Duration = Duration::from_secs(600);

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
            Some(shard) = emptied.recv() => keeper.yielded(shard, &now_ms).await,
            () = cx.shutdown().cancelled(), if !draining => {
                draining = true;
                keeper.drain(&now_ms).await
            }
            () = cx.clock().sleep(STEP) => keeper.step(&now_ms).await,
        };
        let (mut gained, mut leaving) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Gained(shard) => {
                    gained.insert(shard);
                }
                Change::Yields(shard) => {
                    runs.shards().leaves(shard);
                    leaving.insert(shard);
                }
                Change::Lost(shard) => {
                    gained.remove(&shard);
                    runs.forget(shard);
                }
            }
        }
        if !leaving.is_empty() {
            tracing::info!(shards = leaving.len(), "shards handed over");
            cx.spawn(over(runs.clone(), leaving, empty.clone()));
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

/// Tells of each shard that leaves when nothing is under way in it any more.
async fn over(runs: Runs, mut leaving: BTreeSet<Shard>, empty: mpsc::Sender<Shard>) {
    let (clock, shutdown) = (runs.context().clock().clone(), runs.context().shutdown());
    let after = |grace: Duration| {
        let grace = u64::try_from(grace.as_micros()).unwrap_or(u64::MAX);
        clock.monotonic_us().saturating_add(grace)
    };
    let (mut until_us, mut ends) = (after(EVEN_GRACE), false);
    while !leaving.is_empty() {
        if shutdown.is_cancelled() && !ends {
            (until_us, ends) = (until_us.min(after(GRACE)), true);
        }
        let driven = if clock.monotonic_us() < until_us {
            runs.driven()
        } else {
            BTreeSet::new()
        };
        let done: Vec<_> = leaving.difference(&driven).copied().collect();
        for shard in done {
            leaving.remove(&shard);
            runs.forget(shard);
            if empty.send(shard).await.is_err() {
                // The keeper has ended: nobody needs to hear of it.
                return;
            }
        }
        clock.sleep(EMPTY_LOOK).await;
    }
}
