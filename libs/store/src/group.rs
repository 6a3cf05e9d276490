//! Operations that are written together.

use std::collections::{BTreeMap, HashMap};

use crate::append::{Accepted, End, NewRun, Row};
use crate::blob::Blob;
use crate::op::Op;
use crate::run_id::{RunId, Shard};

/// Runs whose request key or dedupe key another run had first.
pub(crate) type Losers = HashMap<RunId, Accepted>;

/// What holds a group against another owner of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) epoch: i64,
    /// Operations of the group in this shard: the numbers that it takes of the shard's.
    pub(crate) ops: i64,
}

/// Operations that fit their runs.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) ops: &'a [Op],
    /// Open runs whose due time or status changes, by run.
    pub(crate) dues: Vec<(RunId, Option<i64>, &'a str)>,
    pub(crate) fences: &'a BTreeMap<Shard, Fence>,
}

/// What a group writes, each list in the order of its table's key.
#[derive(Debug, Default)]
pub(crate) struct Contents<'a> {
    pub(crate) runs: Vec<&'a NewRun>,
    pub(crate) rows: Vec<(RunId, &'a Row)>,
    pub(crate) blobs: Vec<(RunId, &'a Blob)>,
    pub(crate) dues: Vec<(RunId, Option<i64>, &'a str)>,
    pub(crate) ends: Vec<(RunId, &'a End)>,
}

impl<'a> Group<'a> {
    pub(crate) fn new_runs(&self) -> Vec<&'a NewRun> {
        self.ops.iter().filter_map(Op::new_run).collect()
    }

    /// What the group writes, without the runs that lost.
    pub(crate) fn contents(&self, losers: &Losers) -> Contents<'a> {
        let mut contents = Contents::default();
        for op in self.ops.iter().filter(|op| !losers.contains_key(&op.run())) {
            let run = op.run();
            contents.runs.extend(op.new_run());
            contents.rows.extend(op.rows().iter().map(|row| (run, row)));
            let blobs = op.blobs().iter().map(|blob| (run, blob));
            contents.blobs.extend(blobs);
            contents.ends.extend(op.end().map(|end| (run, end)));
        }
        let stay = self
            .dues
            .iter()
            .filter(|(run, ..)| !losers.contains_key(run));
        contents.dues.extend(stay);
        contents.runs.sort_by_key(|r| r.run);
        contents.rows.sort_by_key(|(run, row)| (*run, row.n));
        contents.blobs.sort_by_key(|(_, blob)| blob.hash);
        contents.ends.sort_by_key(|(run, _)| *run);
        contents
    }
}
