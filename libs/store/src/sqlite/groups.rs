//! How a file takes groups of operations.

use super::group as sql;
use super::{dedupe, journal};
use crate::append::{Accepted, NewRun};
use crate::committer::Outcome;
use crate::error::{Error, Result};
use crate::group::{Group, Losers};
use crate::heads::Head;
use crate::run_id::RunId;
use crate::store::Store;
use crate::transaction::Transaction;

/// The writer of groups into a file.
#[derive(Debug)]
pub(crate) struct Groups {
    store: Store,
    /// The transaction that was committed last, until it is tidied up after.
    committed: Option<Transaction>,
}

impl Groups {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            committed: None,
        }
    }

    pub(crate) async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Head)>> {
        let mut reader = self.store.read().await?;
        let mut heads = Vec::with_capacity(runs.len());
        for run in runs {
            let head = journal::head(&mut reader, &self.store.inner.counters, *run).await?;
            heads.extend(head.map(|head| (*run, head)));
        }
        Ok(heads)
    }

    /// One transaction over the group.
    pub(crate) async fn write(&mut self, group: &Group<'_>) -> Result<Outcome> {
        let mut transaction = Transaction::start(&self.store).await?;
        match self.fill(&mut transaction, group).await {
            Ok(losers) => {
                transaction.committed();
                self.committed = Some(transaction);
                Ok(Outcome::Committed(losers))
            }
            Err(e) => {
                if let Error::Failed(cause) = &e {
                    self.store.fail(cause);
                }
                transaction.rollback().await;
                Err(e)
            }
        }
    }

    pub(crate) async fn tidy(&mut self) {
        if let Some(transaction) = self.committed.take() {
            transaction.tidy().await;
        }
    }

    async fn fill(&self, t: &mut Transaction, group: &Group<'_>) -> Result<Losers> {
        let counters = &self.store.inner.counters;
        let mut fence = group.fences.values().next().copied();
        let new = group.new_runs();
        let mut losers = Losers::new();
        let asks = |r: &&NewRun| r.request.is_some() || r.dedupe.is_some();
        if let Some(fence) = fence.take_if(|_| new.iter().any(asks)) {
            sql::begin(t, counters, fence).await?;
            losers = self.losers(t, &new).await?;
        }
        let contents = group.contents(&losers);
        let bytes = contents.rows.iter().map(|(_, r)| r.body.len());
        let bytes = bytes.chain(contents.blobs.iter().map(|(_, b)| b.bytes.len()));
        t.weigh(bytes.map(|b| b as u64).sum());
        sql::write(t, counters, fence, &contents).await?;
        Ok(losers)
    }

    async fn losers(&self, t: &mut Transaction, new: &[&NewRun]) -> Result<Losers> {
        let counters = &self.store.inner.counters;
        let winners = sql::requests(t, counters, new).await?;
        let mut losers = Losers::new();
        let fresh = |r: &&&NewRun| r.request.is_none() || winners.contains(&r.run);
        // Repeats of a request have their answer; before these are read, the keys of
        // those that a dedupe key refuses must name the run that answers them.
        for run in new.iter().filter(fresh) {
            let Some(key) = &run.dedupe else {
                continue;
            };
            if let Some(first) = dedupe::take(t, counters, run, key).await? {
                losers.insert(run.run, Accepted::Existing(first));
            }
        }
        for run in new.iter().filter(|r| !fresh(r)) {
            let Some(request) = &run.request else {
                continue;
            };
            let (first, hash) = journal::request(t, counters, &run.principal, &request.key).await?;
            losers.insert(run.run, Accepted::by(first, hash == request.hash));
        }
        Ok(losers)
    }
}
