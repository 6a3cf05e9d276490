//! The journal, what it keeps, and workflows in memory: as plain as can be. The ledger's
//! rules have tables of their own; of it, the two backends answer for each other.

use std::collections::BTreeMap;

use bytes::Bytes;
use gearmesh_store::workflow::{Change, Changed, Head, State, Version};
use gearmesh_store::{
    Accepted, Append, Blob, End, Error, ListRuns, NewRun, OpenRun, Row, RunId, RunRow,
};

use super::step::{Act, Step, said};

#[derive(Default)]
pub(super) struct Model {
    runs: BTreeMap<RunId, Run>,
    requests: BTreeMap<(String, String), Request>,
    dedupes: BTreeMap<(String, String), (RunId, i64)>,
    kept: BTreeMap<u8, (i64, Bytes)>,
    blobs: BTreeMap<[u8; 32], Bytes>,
    heads: BTreeMap<String, Head>,
    versions: BTreeMap<(String, u32), Version>,
}

struct Run {
    new: NewRun,
    rows: Vec<Row>,
    due_at_ms: Option<i64>,
    status: String,
    end: Option<End>,
}

struct Request {
    run: RunId,
    hash: [u8; 32],
    created_at_ms: i64,
}

impl Run {
    fn row(&self) -> RunRow {
        RunRow {
            run: self.new.run,
            workflow: self.new.workflow.clone(),
            version: self.new.version,
            principal: self.new.principal.clone(),
            parent: self.new.parent,
            status: self.status.clone(),
            created_at_ms: self.new.created_at_ms,
            ended_at_ms: self.end.as_ref().map(|end| end.ended_at_ms),
            deadline_ms: self.new.deadline_ms,
        }
    }
}

fn dense(run: RunId, last: usize, rows: &[Row]) -> Result<(), Error> {
    let mut expected = u32::try_from(last).unwrap();
    for row in rows {
        expected += 1;
        if row.n != expected {
            return Err(Error::Gap {
                run,
                expected,
                found: row.n,
            });
        }
    }
    Ok(())
}

impl Model {
    /// The answers that are known.
    pub(super) fn answers(&mut self, step: &Step) -> Vec<Option<String>> {
        match step {
            Step::Reopen => Vec::new(),
            Step::Acts(acts) => acts.iter().map(|act| self.answer(act)).collect(),
        }
    }

    /// Takes over what a backend decided by rules that are not modelled.
    pub(super) fn learn(&mut self, step: &Step, answers: &[String]) {
        let Step::Acts(acts) = step else {
            return;
        };
        for (act, answer) in acts.iter().zip(answers) {
            if let Act::Change(change, Some(_)) = act
                && answer == "Ok(Done)"
            {
                assert_eq!(said(&self.change(change)), *answer);
            }
        }
    }

    fn answer(&mut self, act: &Act) -> Option<String> {
        Some(match act {
            Act::Accept(new) => said(&self.accept(new)),
            Act::Append(append) => said(&self.append(append)),
            Act::Request(principal, key) => {
                let found = self.requests.get(&(principal.clone(), key.clone()));
                said(&Ok(found.map(|r| (r.run, r.hash.to_vec()))))
            }
            Act::Run(run) => said(&Ok(self.runs.get(run).map(Run::row))),
            Act::Rows(run) => {
                let rows = self.runs.get(run).map(|run| run.rows.clone());
                said(&Ok(rows.unwrap_or_default()))
            }
            Act::OpenRuns => said(&Ok(self.open_runs())),
            Act::LastRun => said(&Ok(self.runs.keys().next_back().copied())),
            Act::Blob(hash) => said(&Ok(self.blobs.get(&[*hash; 32]).cloned())),
            Act::List(filter) => said(&Ok(self.list(filter))),
            Act::PurgeRequests(before) => said(&Ok(self.purge_requests(*before))),
            Act::PurgeDedupe(now) => {
                said(&Ok(purged(&mut self.dedupes, |(_, until)| until <= now)))
            }
            Act::Cache(hash, at, n) => {
                self.kept.insert(*hash, (*at, Bytes::from(vec![*n; 3])));
                said(&Ok(()))
            }
            Act::Cached(hash, since) => {
                let found = self.kept.get(hash).filter(|(at, _)| at >= since);
                said(&Ok(found.map(|(_, bytes)| bytes.clone())))
            }
            Act::PurgeCache(before) => said(&Ok(purged(&mut self.kept, |(at, _)| at < before))),
            // Its key may have been used in the ledger.
            Act::Change(change, None) => said(&self.change(change)),
            Act::Change(..)
            | Act::Begin(_)
            | Act::Done(..)
            | Act::Failed(_)
            | Act::Unknown(_)
            | Act::Fence(_) => return None,
            Act::Head(name) => said(&Ok(self.heads.get(name).cloned())),
            Act::Version(name, n) => said(&Ok(self.versions.get(&(name.clone(), *n)).cloned())),
            Act::Versions(..) | Act::Workflows(_) => return None,
            Act::PurgeWorkflows(before) => said(&Ok(self.purge_workflows(*before))),
        })
    }

    fn is_open(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|run| run.end.is_none())
    }

    fn accept(&mut self, new: &NewRun) -> Result<Accepted, Error> {
        dense(new.run, 0, &new.rows)?;
        if self.is_open(new.run) {
            return Err(Error::RunExists(new.run));
        }
        let key = new
            .request
            .as_ref()
            .map(|r| (new.principal.clone(), r.key.clone()));
        if let (Some(request), Some(key)) = (&new.request, &key)
            && let Some(first) = self.requests.get(key)
        {
            return Ok(if first.hash == request.hash {
                Accepted::Existing(first.run)
            } else {
                Accepted::KeyReused(first.run)
            });
        }
        let dedupe = new
            .dedupe
            .as_ref()
            .map(|d| (new.workflow.clone(), d.key.clone()));
        let taken = dedupe.as_ref().and_then(|key| self.dedupes.get(key));
        let taken = taken.filter(|(_, until)| *until > new.created_at_ms);
        let first = taken.map(|(run, _)| *run);
        // A run that has ended cannot come again, but its keys are looked at before that.
        if first.is_none() && self.runs.contains_key(&new.run) {
            return Err(Error::RunExists(new.run));
        }
        if let (Some(request), Some(key)) = (&new.request, key) {
            let kept = Request {
                run: first.unwrap_or(new.run),
                hash: request.hash,
                created_at_ms: new.created_at_ms,
            };
            self.requests.insert(key, kept);
        }
        if let Some(first) = first {
            return Ok(Accepted::Existing(first));
        }
        if let (Some(wanted), Some(key)) = (&new.dedupe, dedupe) {
            self.dedupes.insert(key, (new.run, wanted.until_ms));
        }
        let run = Run {
            rows: new.rows.clone(),
            due_at_ms: new.due_at_ms,
            status: new.status.clone(),
            end: None,
            new: new.clone(),
        };
        self.runs.insert(new.run, run);
        keep(&mut self.blobs, &new.blobs);
        Ok(Accepted::New)
    }

    fn append(&mut self, append: &Append) -> Result<(), Error> {
        let run = self.runs.get_mut(&append.run);
        let run = run.ok_or(Error::UnknownRun(append.run))?;
        dense(append.run, run.rows.len(), &append.rows)?;
        if append.end.is_some() && run.end.is_some() {
            return Err(Error::Ended(append.run));
        }
        run.rows.extend(append.rows.iter().cloned());
        keep(&mut self.blobs, &append.blobs);
        if run.end.is_some() {
            return Ok(());
        }
        run.due_at_ms = append.due_at_ms;
        if let Some(end) = &append.end {
            run.status.clone_from(&end.status);
            run.end = Some(end.clone());
        } else if let Some(status) = &append.status {
            run.status.clone_from(status);
        }
        Ok(())
    }

    fn open_runs(&self) -> Vec<OpenRun> {
        let open = self.runs.values().filter(|run| run.end.is_none());
        open.map(|run| OpenRun {
            run: run.new.run,
            due_at_ms: run.due_at_ms,
            status: run.status.clone(),
        })
        .collect()
    }

    fn list(&self, filter: &ListRuns) -> Vec<RunRow> {
        let limit = if filter.limit == 0 {
            usize::MAX
        } else {
            filter.limit as usize
        };
        let fits = |row: &RunRow| {
            filter.workflow.as_ref().is_none_or(|w| row.workflow == *w)
                && filter.status.as_ref().is_none_or(|s| row.status == *s)
                && filter.from_ms.is_none_or(|from| row.created_at_ms >= from)
                && filter.to_ms.is_none_or(|to| row.created_at_ms < to)
                && filter
                    .principal
                    .as_ref()
                    .is_none_or(|p| row.principal == *p)
                && filter
                    .parent
                    .is_none_or(|parent| row.parent == Some(parent))
                && filter.before.is_none_or(|before| row.run < before)
        };
        let rows = self.runs.values().rev().map(Run::row);
        rows.filter(fits).take(limit).collect()
    }

    fn purge_requests(&mut self, before: i64) -> u64 {
        let awaited = |run: RunId| {
            let parent = self.runs.get(&run).and_then(|run| run.new.parent);
            self.is_open(run) || parent.is_some_and(|parent| self.is_open(parent))
        };
        let gone = |r: &Request| r.created_at_ms < before && !awaited(r.run);
        let requests = self.requests.iter().filter(|(_, request)| gone(request));
        let keys: Vec<_> = requests.map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.requests.remove(key);
        }
        keys.len() as u64
    }

    fn change(&mut self, change: &Change) -> Result<Changed, Error> {
        let name = &change.head.name;
        let etag = self.heads.get(name).map(|head| &head.etag);
        if etag != change.before.as_ref() {
            return Ok(Changed::Stale);
        }
        if let Some(version) = &change.version {
            let key = (name.clone(), version.version);
            if self.versions.contains_key(&key) {
                return Err(Error::Sql(gearmesh_store::sqlx::Error::RowNotFound));
            }
            self.versions.insert(key, version.clone());
        }
        self.heads.insert(name.clone(), change.head.clone());
        Ok(Changed::Done)
    }

    fn purge_workflows(&mut self, before: i64) -> u64 {
        let gone = |head: &Head| head.state == State::Deleted && head.changed_at_ms < before;
        let count = purged(&mut self.heads, gone);
        let heads = &self.heads;
        self.versions
            .retain(|(name, _), _| heads.contains_key(name));
        count
    }
}

fn purged<K: Ord, V>(all: &mut BTreeMap<K, V>, gone: impl Fn(&V) -> bool) -> u64 {
    let before = all.len();
    all.retain(|_, value| !gone(value));
    (before - all.len()) as u64
}

fn keep(all: &mut BTreeMap<[u8; 32], Bytes>, blobs: &[Blob]) {
    for blob in blobs {
        all.insert(blob.hash, blob.bytes.clone());
    }
}
