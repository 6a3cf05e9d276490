//! What was sealed for runs that are not there: their start failed, or they are gone.

use std::time::Duration;

use tonic::Status;

use gearmesh_store::parse_run;

use crate::run::Runs;
use crate::seal;

/// How long a start may take from its first seal to its durable run.
const START_MAX: Duration = Duration::from_secs(3600);

/// Wait between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Forgets it, time and again.
pub(crate) async fn sweep(runs: Runs) {
    let cx = runs.context().clone();
    // At the start as well: a mesh on a laptop may never live as long as the wait.
    cx.ready().await;
    loop {
        let kept = i64::try_from(START_MAX.as_millis()).unwrap_or(i64::MAX);
        let before_ms = cx.clock().now_ms().saturating_sub(kept);
        tokio::select! {
            () = cx.shutdown().cancelled() => return,
            swept = once(&runs, before_ms) => if let Err(status) = swept {
                // The next sweep finds them too.
                tracing::debug!(error = status.message(), "sealed values of lost runs not forgotten");
            },
        }
        tokio::select! {
            () = cx.shutdown().cancelled() => return,
            () = cx.clock().sleep(SWEEP_EVERY) => {}
        }
    }
}

async fn once(runs: &Runs, before_ms: i64) -> Result<(), Status> {
    let cx = runs.context();
    let mut token = String::new();
    loop {
        let (page, next) = cx.seals().runs(before_ms, token).await?;
        for run in page {
            // Whoever sealed for what is no run of ours knows why.
            let Some(id) = parse_run(&run) else {
                continue;
            };
            match runs.journal().run(id).await {
                Ok(None) => seal::forget(cx, &run).await,
                Ok(Some(_)) => {}
                Err(error) => tracing::warn!(run, %error, "run not looked up"),
            }
        }
        match next {
            Some(next) => token = next,
            None => return Ok(()),
        }
    }
}
