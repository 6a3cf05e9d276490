//! The store alone: the commits that runs need, and nothing around them.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gearmesh_store::{Append, End, Journal, NewRun, Row, RunIds, Store};

use crate::figure::now;

/// Bytes of a row's body: about what a leased or an ended task takes.
const BODY: usize = 200;

/// A journal of its own.
#[derive(Debug)]
pub(crate) struct Raw {
    journal: Journal,
    ids: Arc<RunIds>,
}

impl Raw {
    pub(crate) async fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let store = Store::open(folder, "raw").await?;
        #[expect(clippy::disallowed_methods, reason = "no context in a bench")]
        let journal = Journal::open(store, |committer| {
            tokio::spawn(committer);
        })
        .await?;
        Ok(Self {
            journal,
            ids: Arc::new(RunIds::after(None)),
        })
    }

    /// Writes so many runs, so many at once: an accept, then rows in as many appends as the
    /// levels of a run, the last with its end. Answers the time.
    pub(crate) async fn round(
        &self,
        appends: u32,
        at_once: u32,
        runs: u32,
    ) -> Result<Duration, Box<dyn Error>> {
        let left = Arc::new(AtomicU32::new(runs));
        let begun = now();
        let writers = (0..at_once).map(|_| {
            let (journal, ids, left) = (self.journal.clone(), self.ids.clone(), left.clone());
            async move {
                let take = |n: u32| n.checked_sub(1);
                while left
                    .try_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    write(&journal, &ids, appends).await?;
                }
                Ok::<_, gearmesh_store::Error>(())
            }
        });
        futures::future::try_join_all(writers).await?;
        Ok(now().duration_since(begun))
    }
}

fn row(n: u32) -> Row {
    Row {
        n,
        v: 1,
        kind: 2,
        body: vec![7; BODY].into(),
    }
}

async fn write(journal: &Journal, ids: &RunIds, appends: u32) -> Result<(), gearmesh_store::Error> {
    let run = ids.next(1_790_000_000_000);
    let new = NewRun {
        run,
        workflow: "raw".into(),
        version: 1,
        principal: "local".into(),
        parent: None,
        request: None,
        dedupe: None,
        created_at_ms: 1,
        deadline_ms: None,
        rows: vec![row(1), row(2)],
        due_at_ms: None,
        status: "running".into(),
        blobs: Vec::new(),
    };
    journal.accept(new).await?;
    for n in 0..appends {
        let end = (n + 1 == appends).then(|| End {
            status: "succeeded".into(),
            ended_at_ms: 2,
        });
        let append = Append {
            run,
            rows: vec![row(2 * n + 3), row(2 * n + 4)],
            end,
            ..Append::default()
        };
        journal.append(append).await?;
    }
    Ok(())
}
