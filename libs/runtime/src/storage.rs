//! Whether the stores of this process can be written to.
//!
//! A full disk is no end: reads go on, writes are refused, and who balances calls must learn of
//! it before they come. A store that has failed is one: what is on its disk is not known any more, so the
//! process ends, and the next one reads what is there.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::context::Context;

/// Time between two looks: a full disk is known within a second, and space as well.
const LOOK: Duration = Duration::from_millis(400);

/// Free space with which a store still takes writes, in bytes: what a group of commits adds to a
/// log, and the log's index.
const FREE_MIN: u64 = 512 << 10;

/// Whether the stores can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Usable,
    /// There is no space; there may be again.
    Full,
    /// The outcome of a write is not known.
    Failed,
}

impl Storage {
    /// What health says of it.
    pub(crate) fn serving(self) -> ServingStatus {
        match self {
            Self::Usable => ServingStatus::Serving,
            Self::Full | Self::Failed => ServingStatus::NotServing,
        }
    }

    async fn look(contexts: &[Context]) -> Self {
        let mut folders = Vec::new();
        for context in contexts {
            if let Some(store) = context.inner.store.get() {
                if !store.healthy() {
                    return Self::Failed;
                }
                folders.push(context.folder().to_owned());
            }
        }
        folders.dedup();
        // A file system over a network may take its time.
        let full = tokio::task::spawn_blocking(move || folders.iter().any(|f| is_full(f)));
        match full.await {
            Ok(true) => Self::Full,
            // It panics no more than the call below does.
            Ok(false) | Err(_) => Self::Usable,
        }
    }
}

/// Whether a folder has no space. One that cannot be asked is left to its store.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|s| s.f_bavail.saturating_mul(s.f_frsize) < FREE_MIN)
}

/// Looks until the process stops; tells who waits, and health of these services.
pub(crate) async fn watch(
    contexts: Vec<Context>,
    tell: watch::Sender<Storage>,
    health: HealthReporter,
    services: Vec<String>,
) {
    let Some(shutdown) = contexts.first().map(|c| c.shutdown().clone()) else {
        return;
    };
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        let now = Storage::look(&contexts).await;
        if *tell.borrow() == now {
            continue;
        }
        match now {
            Storage::Usable => tracing::info!("the stores take writes again"),
            Storage::Full => tracing::warn!("the disk of the stores is full, writes are refused"),
            Storage::Failed => tracing::error!("a store has failed, the process ends"),
        }
        // The empty name is the process itself.
        for service in services.iter().map(String::as_str).chain([""]) {
            health.set_service_status(service, now.serving()).await;
        }
        tell.send_replace(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_that_take_writes_serve() {
        let serving = |s: Storage| s.serving() == ServingStatus::Serving;
        let all = [Storage::Usable, Storage::Full, Storage::Failed];
        assert_eq!(all.map(serving), [true, false, false]);
    }

    #[test]
    fn folder_that_cannot_be_asked_is_not_full() {
        assert!(!is_full(Path::new("/there/is/no/such/folder")));
        assert!(!is_full(&std::env::temp_dir()));
    }
}
