//! The one task that writes a journal: many callers' operations, one commit.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::mpsc;

use crate::append::{Accepted, NewRun};
use crate::error::{Error, Result};
use crate::heads::Heads;
use crate::op::Op;
use crate::run_id::RunId;
use crate::sqlite::group::{self as sql, Contents, Fence};
use crate::sqlite::{dedupe, journal};
use crate::store::Store;
use crate::transaction::Transaction;

/// Most operations of one commit.
pub const GROUP_MAX: usize = 256;

/// Runs whose request key or dedupe key another run had first.
type Losers = HashMap<RunId, Accepted>;

/// Writes what comes, until nobody can send any more.
#[derive(Debug)]
pub(crate) struct Committer {
    store: Store,
    ops: mpsc::Receiver<Op>,
    epoch: i64,
    heads: Heads,
}

impl Committer {
    pub(crate) fn new(store: Store, ops: mpsc::Receiver<Op>, epoch: i64, heads: Heads) -> Self {
        Self {
            store,
            ops,
            epoch,
            heads,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while self.ops.recv_many(&mut group, GROUP_MAX).await > 0 {
            let ops = std::mem::replace(&mut group, Vec::with_capacity(GROUP_MAX));
            // When a statement failed, nobody knows whose fault it was, so each
            // goes alone and answers for itself.
            for op in self.commit(ops).await {
                self.commit(vec![op]).await;
            }
        }
    }

    /// Commits what fits and answers; gives back what is to be tried alone.
    async fn commit(&mut self, ops: Vec<Op>) -> Vec<Op> {
        let runs: Vec<_> = ops.iter().map(Op::run).collect();
        let (group, changed) = self.admit(ops).await;
        let mut again = Vec::new();
        if !group.is_empty() {
            match self.write(&group, &changed).await {
                Ok((losers, transaction)) => {
                    self.answer(group, &losers);
                    transaction.tidy().await;
                }
                Err(e) => again = self.refuse(group, e),
            }
        }
        for run in runs {
            self.heads.settle(run);
        }
        again
    }

    /// Keeps the operations that fit their runs, refuses the others. With them,
    /// the runs whose due time or status changes.
    async fn admit(&mut self, ops: Vec<Op>) -> (Vec<Op>, BTreeSet<RunId>) {
        let mut group = Vec::with_capacity(ops.len());
        let mut changed = BTreeSet::new();
        for op in ops {
            match self.fits(&op).await {
                Ok(true) => {
                    changed.insert(op.run());
                    group.push(op);
                }
                Ok(false) => group.push(op),
                Err(e) => op.refuse(e),
            }
        }
        (group, changed)
    }

    async fn fits(&mut self, op: &Op) -> Result<bool> {
        self.store.usable()?;
        if op.new_run().is_none() && self.heads.get(op.run()).is_none() {
            let mut reader = self.store.read().await?;
            if let Some(head) =
                journal::head(&mut reader, &self.store.inner.counters, op.run()).await?
            {
                self.heads.insert(op.run(), head);
            }
        }
        self.heads.admit(op)
    }

    fn answer(&mut self, group: Vec<Op>, losers: &Losers) {
        for op in group {
            match losers.get(&op.run()) {
                Some(by) => {
                    self.heads.forget(op.run());
                    op.forestalled(*by);
                }
                None => op.confirm(),
            }
        }
    }

    /// Nothing of the group is on disk, or nobody knows. Gives back what may
    /// have failed by another's fault.
    fn refuse(&mut self, group: Vec<Op>, error: Error) -> Vec<Op> {
        for op in &group {
            self.heads.forget(op.run());
        }
        let again: Box<dyn Fn() -> Error> = match error {
            Error::Full => Box::new(|| Error::Full),
            Error::Failed(cause) => Box::new(move || Error::Failed(cause.clone())),
            Error::Closed(name) => Box::new(move || Error::Closed(name.clone())),
            error => return self.alone(group, error),
        };
        for op in group {
            op.refuse(again());
        }
        Vec::new()
    }

    fn alone(&self, mut group: Vec<Op>, error: Error) -> Vec<Op> {
        if group.len() > 1 {
            return group;
        }
        if let Some(op) = group.pop() {
            let error = match error {
                Error::Sql(sqlx::Error::Database(e))
                    if e.is_unique_violation() && op.new_run().is_some() =>
                {
                    Error::RunExists(op.run())
                }
                e => e,
            };
            op.refuse(error);
        }
        Vec::new()
    }

    /// One transaction over the group; when it is there, it is durable.
    async fn write(
        &self,
        group: &[Op],
        changed: &BTreeSet<RunId>,
    ) -> Result<(Losers, Transaction)> {
        let mut transaction = Transaction::start(&self.store).await?;
        match self.fill(&mut transaction, group, changed).await {
            Ok(losers) => {
                transaction.committed();
                Ok((losers, transaction))
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

    async fn fill(
        &self,
        t: &mut Transaction,
        group: &[Op],
        changed: &BTreeSet<RunId>,
    ) -> Result<Losers> {
        let counters = &self.store.inner.counters;
        let mut fence = Some(Fence {
            epoch: self.epoch,
            ops: i64::try_from(group.len()).unwrap_or(i64::MAX),
        });
        let new: Vec<_> = group.iter().filter_map(Op::new_run).collect();
        let mut losers = Losers::new();
        let asks = |r: &&NewRun| r.request.is_some() || r.dedupe.is_some();
        if let Some(fence) = fence.take_if(|_| new.iter().any(asks)) {
            sql::begin(t, counters, fence).await?;
            losers = self.losers(t, &new).await?;
        }
        let contents = self.contents(group, changed, &losers);
        let bytes = contents.rows.iter().map(|(_, r)| r.body.len());
        let bytes = bytes.chain(contents.blobs.iter().map(|(_, b)| b.bytes.len()));
        t.weigh(bytes.map(|b| b as u64).sum());
        sql::write(t, counters, fence, &contents).await?;
        Ok(losers)
    }

    /// What the group writes, without the runs that lost.
    fn contents<'a>(
        &'a self,
        group: &'a [Op],
        changed: &BTreeSet<RunId>,
        losers: &Losers,
    ) -> Contents<'a> {
        let mut contents = Contents::default();
        for op in group.iter().filter(|op| !losers.contains_key(&op.run())) {
            let run = op.run();
            contents.runs.extend(op.new_run());
            contents.rows.extend(op.rows().iter().map(|row| (run, row)));
            contents
                .blobs
                .extend(op.blobs().iter().map(|blob| (run, blob)));
            contents.ends.extend(op.end().map(|end| (run, end)));
        }
        for run in changed.iter().filter(|run| !losers.contains_key(run)) {
            if let Some((due, status)) = self.heads.get(*run).and_then(|head| head.open.as_ref()) {
                contents.dues.push((*run, *due, status));
            }
        }
        contents.runs.sort_by_key(|r| r.run);
        contents.rows.sort_by_key(|(run, row)| (*run, row.n));
        contents.blobs.sort_by_key(|(_, blob)| blob.hash);
        contents.ends.sort_by_key(|(run, _)| *run);
        contents
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
            let by = if hash == request.hash {
                Accepted::Existing(first)
            } else {
                Accepted::KeyReused(first)
            };
            losers.insert(run.run, by);
        }
        Ok(losers)
    }
}
