//! Where each run stands, in memory.

use std::collections::HashMap;

use crate::append::{Append, NewRun, Row};
use crate::error::{Error, Result};
use crate::op::Op;
use crate::run_id::RunId;

/// Where a run stands: what an append must fit.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The newest row.
    pub(crate) n: u32,
    /// When it is due and what lists show; None once it has ended.
    pub(crate) open: Option<(Option<i64>, String)>,
}

/// Columns of a head: newest row, due time, status; without a status it has ended.
pub(crate) type StoredHead = (Option<i64>, Option<i64>, Option<String>);

impl From<StoredHead> for Head {
    fn from((n, due_at_ms, status): StoredHead) -> Self {
        Self {
            n: u32::try_from(n.unwrap_or_default()).unwrap_or(u32::MAX),
            open: status.map(|status| (due_at_ms, status)),
        }
    }
}

/// The heads of the open runs, and of ended ones while they are written to.
///
/// INVARIANT: between two groups they are as on disk. So a head that a failed
/// group has moved is forgotten, and read again when it is needed; and so is one that
/// was read under another epoch of its shard, because another owner may have written
/// since.
#[derive(Debug, Default)]
pub(crate) struct Heads(HashMap<RunId, Kept>);

/// A head, and the epoch of its shard under which it was read.
#[derive(Debug)]
struct Kept {
    epoch: i64,
    head: Head,
}

impl Heads {
    pub(crate) fn get(&self, run: RunId) -> Option<&Head> {
        self.0.get(&run).map(|kept| &kept.head)
    }

    pub(crate) fn insert(&mut self, run: RunId, epoch: i64, head: Head) {
        self.0.insert(run, Kept { epoch, head });
    }

    /// Whether a head is here that was read under this epoch; one of another is
    /// forgotten.
    pub(crate) fn at(&mut self, run: RunId, epoch: i64) -> bool {
        let found = self.0.get(&run).map(|kept| kept.epoch == epoch);
        if found == Some(false) {
            self.0.remove(&run);
        }
        found == Some(true)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(RunId, i64) -> bool) {
        self.0.retain(|run, kept| keep(*run, kept.epoch));
    }

    pub(crate) fn forget(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    /// Forgets a run that has ended.
    pub(crate) fn settle(&mut self, run: RunId) {
        if self.get(run).is_some_and(|h| h.open.is_none()) {
            self.0.remove(&run);
        }
    }

    /// Checks an operation against its run, whose head is here when there is
    /// such a run, and moves the head on. Says whether due time or status of an
    /// open run differ from before.
    pub(crate) fn admit(&mut self, op: &Op, epoch: i64) -> Result<bool> {
        match op {
            Op::Accept(new, _) => self.accept(new, epoch).map(|()| false),
            Op::Append(append, _) => self.append(append),
        }
    }

    fn accept(&mut self, new: &NewRun, epoch: i64) -> Result<()> {
        new.check()?;
        let n = dense(new.run, 0, &new.rows)?;
        if self.0.contains_key(&new.run) {
            return Err(Error::RunExists(new.run));
        }
        let open = Some((new.due_at_ms, new.status.clone()));
        self.insert(new.run, epoch, Head { n, open });
        Ok(())
    }

    fn append(&mut self, append: &Append) -> Result<bool> {
        append.check()?;
        let kept = self.0.get_mut(&append.run);
        let head = &mut kept.ok_or(Error::UnknownRun(append.run))?.head;
        let n = dense(append.run, head.n, &append.rows)?;
        if append.end.is_some() && head.open.take().is_none() {
            return Err(Error::Ended(append.run));
        }
        head.n = n;
        let Some((due_at_ms, status)) = &mut head.open else {
            return Ok(false);
        };
        let mut differs = *due_at_ms != append.due_at_ms;
        *due_at_ms = append.due_at_ms;
        if let Some(new) = append.status.as_ref().filter(|new| *new != status) {
            status.clone_from(new);
            differs = true;
        }
        Ok(differs)
    }
}

/// The number of the last of these rows, when they follow `last` without a gap.
fn dense(run: RunId, last: u32, rows: &[Row]) -> Result<u32> {
    let mut n = last;
    for row in rows {
        let expected = n.saturating_add(1);
        if row.n != expected {
            return Err(Error::Gap {
                run,
                expected,
                found: row.n,
            });
        }
        n = expected;
    }
    Ok(n)
}
