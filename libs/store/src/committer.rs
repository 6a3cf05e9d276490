//! The one task that writes a journal: many callers' operations, one commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::{mpsc, watch};

use crate::error::{Error, Result};
use crate::group::{Fence, Group, Losers};
use crate::heads::{Head, Heads};
use crate::op::Op;
use crate::owned::Owned;
use crate::postgres;
use crate::run_id::{RunId, Shard};
use crate::sqlite;

/// Most operations of one commit.
pub const GROUP_MAX: usize = 256;
/// Bytes of bodies and blobs above which a group is cut: what a server takes in one
/// statement without strain, and far below the gigabyte that it takes at all.
const GROUP_BYTES: usize = 64 << 20;

/// How the store writes a group: the one place where its kind counts.
#[derive(Debug)]
pub(crate) enum Groups {
    Sqlite(sqlite::Groups),
    Postgres(Box<postgres::Groups>),
}

/// How a group that was sent has ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is durable, but for these runs.
    Committed(Losers),
    /// Nothing is written: these shards have other owners.
    Lost(Vec<Shard>),
}

impl Groups {
    fn shard(&self, run: RunId) -> Shard {
        match self {
            // One file has one owner.
            Self::Sqlite(_) => 0,
            Self::Postgres(_) => crate::run_id::shard_of(run),
        }
    }

    async fn heads(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, Head)>> {
        match self {
            Self::Sqlite(groups) => groups.heads(runs).await,
            Self::Postgres(groups) => groups.heads(runs).await,
        }
    }

    async fn write(&mut self, group: &Group<'_>) -> Result<Outcome> {
        match self {
            Self::Sqlite(groups) => groups.write(group).await,
            Self::Postgres(groups) => groups.write(group).await,
        }
    }

    /// What may be done after the answers.
    async fn tidy(&mut self) {
        match self {
            Self::Sqlite(groups) => groups.tidy().await,
            Self::Postgres(groups) => groups.tidy().await,
        }
    }
}

/// Writes what comes, until nobody can send any more.
#[derive(Debug)]
pub(crate) struct Committer {
    groups: Groups,
    ops: mpsc::Receiver<Op>,
    owned: Owned,
    /// Says when `owned` has changed.
    changes: watch::Receiver<BTreeMap<Shard, i64>>,
    heads: Heads,
}

impl Committer {
    pub(crate) fn new(groups: Groups, ops: mpsc::Receiver<Op>, owned: Owned, heads: Heads) -> Self {
        Self {
            groups,
            ops,
            changes: owned.watch(),
            owned,
            heads,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while self.ops.recv_many(&mut group, GROUP_MAX).await > 0 {
            let ops = std::mem::replace(&mut group, Vec::with_capacity(GROUP_MAX));
            let mut waiting = VecDeque::from(cut(ops));
            while let Some(ops) = waiting.pop_front() {
                for again in self.commit(ops).await.into_iter().rev() {
                    waiting.push_front(again);
                }
            }
        }
    }

    /// Commits what fits and answers; gives back what is to be tried again, group by
    /// group.
    async fn commit(&mut self, ops: Vec<Op>) -> Vec<Vec<Op>> {
        self.drop_lost_heads();
        let runs: Vec<_> = ops.iter().map(Op::run).collect();
        let ops = self.read_heads(ops).await;
        let (ops, changed, fences) = self.admit(ops);
        let mut again = Vec::new();
        if !ops.is_empty() {
            let heads = &self.heads;
            let due = |run: &RunId| {
                let (due, status) = heads.get(*run)?.open.as_ref()?;
                Some((*run, *due, status.as_str()))
            };
            let group = Group {
                ops: &ops,
                dues: changed.iter().filter_map(due).collect(),
                fences: &fences,
            };
            match self.groups.write(&group).await {
                Ok(Outcome::Committed(losers)) => {
                    self.answer(ops, &losers);
                    self.groups.tidy().await;
                }
                Ok(Outcome::Lost(shards)) => again = self.fenced(ops, &shards, &fences),
                Err(e) => again = self.refuse(ops, e),
            }
        }
        for run in runs {
            self.heads.settle(run);
        }
        again
    }

    /// Memory of shards that are not owned any more is of no use, and grows.
    fn drop_lost_heads(&mut self) {
        if self.changes.has_changed().unwrap_or(false) {
            let owned = self.changes.borrow_and_update().clone();
            let groups = &self.groups;
            self.heads
                .retain(|run, epoch| owned.get(&groups.shard(run)) == Some(&epoch));
        }
    }

    /// Reads where the runs stand that go on and are not known; refuses all when that
    /// cannot be read.
    async fn read_heads(&mut self, ops: Vec<Op>) -> Vec<Op> {
        let mut missing = Vec::new();
        for op in &ops {
            let run = op.run();
            let Some(epoch) = self.owned.epoch(self.groups.shard(run)) else {
                continue;
            };
            // Also of one that this very group is to create: somebody may be mistaken.
            if op.new_run().is_none() && !self.heads.at(run, epoch) {
                missing.push((run, epoch));
            }
        }
        if missing.is_empty() {
            return ops;
        }
        missing.sort_unstable();
        missing.dedup();
        let runs: Vec<_> = missing.iter().map(|(run, _)| *run).collect();
        match self.groups.heads(&runs).await {
            Ok(found) => {
                let epochs: BTreeMap<_, _> = missing.into_iter().collect();
                for (run, head) in found {
                    let epoch = epochs.get(&run).copied().unwrap_or_default();
                    self.heads.insert(run, epoch, head);
                }
                ops
            }
            Err(e) => {
                for op in ops {
                    let again = e.again();
                    op.refuse(again.unwrap_or_else(|| Error::Unavailable(e.to_string())));
                }
                Vec::new()
            }
        }
    }

    /// Keeps the operations that fit their runs, refuses the others. With them, the
    /// runs whose due time or status changes, and what fences them.
    fn admit(&mut self, ops: Vec<Op>) -> (Vec<Op>, BTreeSet<RunId>, BTreeMap<Shard, Fence>) {
        let mut group = Vec::with_capacity(ops.len());
        let mut changed = BTreeSet::new();
        let mut fences = BTreeMap::new();
        for op in ops {
            match self.fits(&op, &mut fences) {
                Ok(true) => {
                    changed.insert(op.run());
                    group.push(op);
                }
                Ok(false) => group.push(op),
                Err(e) => op.refuse(e),
            }
        }
        (group, changed, fences)
    }

    fn fits(&mut self, op: &Op, fences: &mut BTreeMap<Shard, Fence>) -> Result<bool> {
        let shard = self.groups.shard(op.run());
        // All operations of a group in one shard stand under one epoch.
        let epoch = match fences.get(&shard) {
            Some(fence) => fence.epoch,
            None => self.owned.epoch(shard).ok_or(Error::Fenced { shard })?,
        };
        self.heads.at(op.run(), epoch);
        let changes = self.heads.admit(op, epoch)?;
        let fence = fences.entry(shard).or_insert(Fence { epoch, ops: 0 });
        fence.ops += 1;
        Ok(changes)
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

    /// Nothing of the group is on disk. What lies in other shards is tried again at
    /// once.
    fn fenced(
        &mut self,
        group: Vec<Op>,
        lost: &[Shard],
        fences: &BTreeMap<Shard, Fence>,
    ) -> Vec<Vec<Op>> {
        for shard in lost {
            if let Some(fence) = fences.get(shard) {
                self.owned.lose(*shard, fence.epoch);
            }
        }
        let mut again = Vec::new();
        for op in group {
            self.heads.forget(op.run());
            let shard = self.groups.shard(op.run());
            if lost.contains(&shard) {
                op.refuse(Error::Fenced { shard });
            } else {
                again.push(op);
            }
        }
        if again.is_empty() {
            return Vec::new();
        }
        vec![again]
    }

    /// Nothing of the group is on disk, or nobody knows. Gives back what may have
    /// failed by another's fault: when a statement failed, nobody knows whose fault it
    /// was, so each goes alone and answers for itself.
    fn refuse(&mut self, mut group: Vec<Op>, error: Error) -> Vec<Vec<Op>> {
        for op in &group {
            self.heads.forget(op.run());
        }
        if error.again().is_some() {
            for op in group {
                op.refuse(error.again().unwrap_or(Error::CommitUnknown));
            }
            return Vec::new();
        }
        if group.len() > 1 {
            return group.into_iter().map(|op| vec![op]).collect();
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
}

/// Groups of at most [`GROUP_BYTES`]; one operation may have more.
fn cut(ops: Vec<Op>) -> Vec<Vec<Op>> {
    let mut groups = vec![Vec::new()];
    let mut bytes = 0;
    for op in ops {
        bytes += op.bytes();
        if bytes > GROUP_BYTES && groups.last().is_some_and(|g| !g.is_empty()) {
            bytes = op.bytes();
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(op);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::*;
    use crate::append::{Append, Row};

    #[test]
    fn group_is_cut_where_it_grows_too_large() {
        let op = |size| {
            let row = Row {
                n: 1,
                v: 1,
                kind: 1,
                body: Bytes::from(vec![0; size]),
            };
            let append = Append {
                rows: vec![row],
                ..Append::default()
            };
            Op::Append(Box::new(append), oneshot::channel().0)
        };
        for (sizes, expected) in [
            (vec![GROUP_BYTES - 1, 1], vec![2]),
            (vec![GROUP_BYTES, 1], vec![1, 1]),
            (vec![1, GROUP_BYTES + 1, 1, 1], vec![1, 1, 2]),
        ] {
            let cut = cut(sizes.iter().map(|size| op(*size)).collect());
            let lengths: Vec<_> = cut.iter().map(Vec::len).collect();
            assert_eq!(lengths, expected, "{sizes:?}");
        }
    }
}
