//! Forgets what has had its time: keys of requests and dedupe keys, kept results, deleted
//! workflows.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::run::Runs;
use crate::stored::{self, PURGE_MAX};

/// How long a request key answers its run.
const REQUEST_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a result is kept for tasks that ask for one of an earlier run.
const CACHE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Wait between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Rows forgotten in one transaction: it keeps others from writing for a moment only.
const BATCH_MAX: u32 = 500;

/// Sweeps for as long as the process lives. At the start as well: a mesh on a laptop may
/// never live as long as the wait.
pub(super) async fn sweep(runs: Runs) {
    let cx = runs.context().clone();
    tokio::select! {
        () = cx.shutdown().cancelled() => return,
        () = runs.resumed() => {}
    }
    while !cx.shutdown().is_cancelled() {
        once(&runs).await;
        tokio::select! {
            () = cx.shutdown().cancelled() => {}
            () = cx.clock().sleep(SWEEP_EVERY) => {}
        }
    }
}

async fn once(runs: &Runs) {
    let (journal, stop) = (runs.journal(), runs.context().shutdown());
    let now = runs.context().clock().now_ms();
    let before = |kept: Duration| now - i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let requests = || journal.purge_requests(before(REQUEST_KEPT), BATCH_MAX);
    drain("request keys", BATCH_MAX, stop, requests).await;
    let dedupe = || journal.purge_dedupe(now, BATCH_MAX);
    drain("dedupe keys", BATCH_MAX, stop, dedupe).await;
    let cache = || journal.purge_cache(before(CACHE_KEPT), BATCH_MAX);
    drain("kept results", BATCH_MAX, stop, cache).await;
    drain("deleted workflows", PURGE_MAX, stop, || stored::purge(runs)).await;
}

/// Forgets in batches of at most `max` until one is smaller: then nothing is left.
async fn drain<F, E>(what: &str, max: u32, stop: &CancellationToken, mut batch: impl FnMut() -> F)
where
    F: Future<Output = Result<u64, E>>,
    E: std::fmt::Display,
{
    while !stop.is_cancelled() {
        match batch().await {
            Ok(forgotten) if forgotten >= u64::from(max) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(what, %error, "what is old was not forgotten");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often a batch of at most 3 is asked for when there are so many rows.
    async fn asked(rows: u64, stop: &CancellationToken) -> u32 {
        let (left, asked) = (Cell::new(rows), Cell::new(0));
        let batch = || {
            asked.set(asked.get() + 1);
            let forgotten = left.get().min(3);
            left.set(left.get() - forgotten);
            std::future::ready(Ok::<_, String>(forgotten))
        };
        drain("rows", 3, stop, batch).await;
        asked.get()
    }

    #[tokio::test]
    async fn all_that_is_old_goes_in_one_sweep() {
        let stop = CancellationToken::new();
        for (rows, batches) in [(0, 1), (2, 1), (3, 2), (7, 3), (300, 101)] {
            assert_eq!(asked(rows, &stop).await, batches, "{rows}");
        }
        stop.cancel();
        assert_eq!(asked(7, &stop).await, 0, "the process stops");
    }

    #[tokio::test]
    async fn batch_that_fails_is_left_to_the_next_sweep() {
        let asked = Cell::new(0);
        let failing = || {
            asked.set(asked.get() + 1);
            std::future::ready(Err::<u64, _>("the store is away"))
        };
        drain("rows", 3, &CancellationToken::new(), failing).await;
        assert_eq!(asked.get(), 1);
    }
}
