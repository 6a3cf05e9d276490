//! Keeping up with a Consul agent by blocking queries.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Instance;
use crate::consul::Client;
use crate::instance::in_order;

/// How long the agent may hold a query. Below a minute, so that no proxy cuts it off.
const WAIT: Duration = Duration::from_secs(55);

/// Wait after an answer that brought no news before its time: an agent behind a
/// cache may answer so for ever.
const PAUSE_IDLE: Duration = Duration::from_secs(1);

/// Wait after any answer: a service that flaps costs at most this many queries.
const PAUSE: Duration = Duration::from_millis(50);

/// First and longest wait before an agent that did not answer is asked again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(3);

/// How long instances that an agent has lost are kept after it was away. Those that
/// live register again within seconds; the dead ones fail to connect, which costs
/// nobody more than a second try.
const SETTLE: Duration = Duration::from_secs(10);

/// Asks until it is stopped.
pub(crate) async fn watch_consul(
    client: Client,
    engine: String,
    set: watch::Sender<Vec<Instance>>,
) {
    let mut index = 0;
    let mut retry = RETRY_FIRST;
    let mut settling: Option<Instant> = None;
    loop {
        let left = settling.map(|end| end.saturating_duration_since(Instant::now()));
        let asked = Instant::now();
        // An index of 0 does not block, and that is wanted when the settling is over.
        let ask = if left == Some(Duration::ZERO) {
            0
        } else {
            index
        };
        let wait = left.filter(|l| !l.is_zero()).unwrap_or(WAIT).min(WAIT);
        match client.living(&engine, ask, wait).await {
            Ok(found) => {
                retry = RETRY_FIRST;
                client.back();
                if found.index < index {
                    tracing::info!(engine, "the Consul agent has begun anew");
                    settling = Some(Instant::now() + SETTLE);
                }
                let same = found.index == index;
                // Backwards: ask for the whole again, as the index rules say.
                index = if found.index < index { 0 } else { found.index };
                let settled = settling.is_none_or(|end| end <= Instant::now());
                if settled {
                    settling = None;
                    publish(&set, found.instances);
                } else {
                    let kept = set.borrow().clone();
                    publish(&set, union(found.instances, kept));
                }
                let idle = same && asked.elapsed() < PAUSE_IDLE && ask != 0;
                tokio::time::sleep(if idle { PAUSE_IDLE } else { PAUSE }).await;
            }
            Err(error) => {
                if client.away() {
                    tracing::warn!(%error, "instances are not known anew; the last ones stay");
                }
                settling = Some(Instant::now() + SETTLE);
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

fn publish(set: &watch::Sender<Vec<Instance>>, instances: Vec<Instance>) {
    set.send_if_modified(|set| {
        let changed = *set != instances;
        *set = instances;
        changed
    });
}

/// What is known now, and what was known of others.
fn union(mut now: Vec<Instance>, kept: Vec<Instance>) -> Vec<Instance> {
    for instance in kept {
        if now.iter().all(|i| i.id != instance.id) {
            now.push(instance);
        }
    }
    in_order(now)
}
