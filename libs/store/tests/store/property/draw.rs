//! Steps, drawn from a seed. Names are few, so that operations meet each other.

use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use gearmesh_store::workflow::{Change, Head, List, State, Version};
use gearmesh_store::{Append, Blob, Call, Dedupe, End, ListRuns, NewRun, RequestKey, Row, RunId};

use super::step::{Act, Step};

pub(super) struct Draw {
    chance: Rng,
    /// Runs that were named, and the rows that they may have by now.
    runs: BTreeMap<RunId, u32>,
    next_run: RunId,
    /// Changes of workflows so far: each makes another etag.
    changes: u32,
    /// Runs that are accepted in the step that is drawn, and whether they end in it. Their
    /// acceptance may fail for a key, which whoever sends at once cannot know; so what
    /// follows it fits.
    now: BTreeMap<RunId, bool>,
    /// Etags and versions as they were last seen, rightly or not.
    heads: BTreeMap<String, (u32, String)>,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chance: Rng::with_seed(seed),
            runs: BTreeMap::new(),
            next_run: 1,
            changes: 0,
            now: BTreeMap::new(),
            heads: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self) -> Step {
        self.now.clear();
        match self.chance.u8(0..20) {
            0 => Step::Reopen,
            // Only the journal keeps the order of what is sent at once.
            1..=6 => Step::Acts((0..self.chance.usize(2..9)).map(|_| self.write()).collect()),
            7..=10 => Step::Acts(vec![self.write()]),
            11..=14 => Step::Acts(vec![self.read()]),
            15..=16 => Step::Acts(vec![self.ledger()]),
            _ => Step::Acts(vec![self.workflow()]),
        }
    }

    fn of(&mut self, all: &[&str]) -> String {
        all[self.chance.usize(0..all.len())].to_owned()
    }

    fn time(&mut self) -> i64 {
        self.chance.i64(0..6) * 100
    }

    fn status(&mut self) -> String {
        self.of(&["running", "waiting", "paused", ""])
    }

    fn some_run(&mut self) -> RunId {
        let known: Vec<_> = self.runs.keys().copied().collect();
        match self.chance.usize(0..=known.len()) {
            0 => 99,
            i => known[i - 1],
        }
    }

    fn row(&mut self, n: u32) -> Row {
        let size = self.chance.usize(0..20);
        Row {
            n,
            v: self.chance.u16(..),
            kind: self.chance.u16(..),
            body: Bytes::from(vec![self.chance.u8(..); size]),
        }
    }

    /// The next rows of a run, or now and then others.
    fn rows(&mut self, from: u32, exact: bool) -> Vec<Row> {
        let first = match self.chance.u8(0..12) {
            0 if !exact => from + 1,
            1 if !exact => from.saturating_sub(1),
            _ => from,
        };
        (first..first + self.chance.u32(0..3))
            .map(|n| self.row(n))
            .collect()
    }

    fn blobs(&mut self) -> Vec<Blob> {
        let blob = |hash: u8| Blob {
            hash: [hash; 32],
            bytes: Bytes::from(vec![hash; 5]),
        };
        (0..self.chance.usize(0..3))
            .map(|_| blob(self.chance.u8(0..4)))
            .collect()
    }

    fn write(&mut self) -> Act {
        match self.chance.u8(0..10) {
            0..=4 => self.accept(),
            _ => self.append(),
        }
    }

    fn accept(&mut self) -> Act {
        // An id comes again now and then, though none should; without a key then, since
        // which of the two is looked at first is nobody's business.
        let again = Some(self.some_run()).filter(|run| !self.now.contains_key(run));
        let again = again.filter(|_| self.runs.len() > 3 && self.chance.u8(0..8) == 0);
        let run = again.unwrap_or_else(|| self.fresh());
        self.now.insert(run, false);
        let rows = self.rows(1, false);
        let parent = (self.chance.u8(0..4) == 0).then(|| self.some_run());
        let request = (again.is_none() && self.chance.bool()).then(|| RequestKey {
            key: self.of(&["k", "l", "m"]),
            hash: [self.chance.u8(0..2); 32],
        });
        let created_at_ms = self.time();
        let dedupe = (again.is_none() && self.chance.u8(0..4) == 0).then(|| Dedupe {
            key: self.of(&["d", "e"]),
            until_ms: created_at_ms + self.time(),
        });
        self.runs
            .entry(run)
            .or_insert_with(|| rows.last().map_or(0, |r| r.n));
        Act::Accept(NewRun {
            run,
            workflow: self.of(&["w", "x"]),
            version: self.chance.u32(..),
            principal: self.of(&["ada", "bob", "\u{fc}\u{10ffff}"]),
            parent,
            request,
            dedupe,
            created_at_ms,
            deadline_ms: self.chance.bool().then(|| self.time()),
            rows,
            due_at_ms: self.chance.bool().then(|| self.time()),
            status: self.status(),
            blobs: self.blobs(),
        })
    }

    fn fresh(&mut self) -> RunId {
        self.next_run += 1;
        self.next_run
    }

    fn append(&mut self) -> Act {
        let run = self.some_run();
        let known = self.runs.get(&run).copied().unwrap_or_default();
        let new = self.now.contains_key(&run);
        let rows = self.rows(known + 1, new);
        let dense = rows.first().is_none_or(|row| row.n == known + 1);
        if let (Some(n), Some(last), true) = (self.runs.get_mut(&run), rows.last(), dense) {
            *n = last.n;
        }
        let ended = self.now.get(&run).copied().unwrap_or_default();
        let end = (!ended && self.chance.u8(0..5) == 0).then(|| End {
            status: self.of(&["succeeded", "failed"]),
            ended_at_ms: self.time(),
        });
        if new && end.is_some() {
            self.now.insert(run, true);
        }
        Act::Append(Append {
            run,
            rows,
            status: self.chance.bool().then(|| self.status()),
            due_at_ms: self.chance.bool().then(|| self.time()),
            end,
            blobs: self.blobs(),
        })
    }

    fn read(&mut self) -> Act {
        match self.chance.u8(0..14) {
            12.. => Act::Blob(self.chance.u8(0..4)),
            0 => Act::Request(self.of(&["ada", "bob"]), self.of(&["k", "l", "z"])),
            1 => Act::Run(self.some_run()),
            2 => Act::Rows(self.some_run()),
            3 => Act::OpenRuns,
            4 => Act::LastRun,
            5 | 6 => Act::List(self.filter()),
            7 => Act::PurgeRequests(self.time()),
            8 => Act::PurgeDedupe(self.time()),
            9 => Act::Cache(self.chance.u8(0..3), self.time(), self.chance.u8(..)),
            10 => Act::Cached(self.chance.u8(0..3), self.time()),
            _ => Act::PurgeCache(self.time()),
        }
    }

    fn filter(&mut self) -> ListRuns {
        ListRuns {
            workflow: self.chance.bool().then(|| self.of(&["w", "x"])),
            status: self.chance.bool().then(|| self.status()),
            from_ms: self.chance.bool().then(|| self.time()),
            to_ms: self.chance.bool().then(|| self.time()),
            principal: self.chance.bool().then(|| self.of(&["ada", "bob"])),
            parent: (self.chance.u8(0..4) == 0).then(|| self.some_run()),
            before: self.chance.bool().then(|| self.some_run()),
            limit: self.chance.u32(0..4),
        }
    }

    fn call(&mut self) -> Call {
        Call {
            owner: "file".into(),
            tool: self.of(&["file.append", "file.move"]),
            key: self.of(&["k", "l"]),
            run: self.of(&["run_1", "run_2"]),
            task: "t".into(),
            item: 0,
            pass: 1,
            epoch: self.chance.i64(1..3),
            attempt: self.chance.i64(1..4),
            hash: [u8::from(self.chance.u8(0..8) == 0); 32],
        }
    }

    fn ledger(&mut self) -> Act {
        let call = self.call();
        match self.chance.u8(0..6) {
            0..=1 => Act::Begin(call),
            2 => Act::Done(call, self.chance.u8(..)),
            3 => Act::Failed(call),
            4 => Act::Unknown(call),
            _ => Act::Fence(call),
        }
    }

    fn workflow(&mut self) -> Act {
        let name = self.of(&["a", "B", "b-c"]);
        match self.chance.u8(0..9) {
            0..=3 => self.change(name),
            4 => Act::Head(name),
            5 => Act::Version(name, self.chance.u32(1..4)),
            6 => {
                let before = self.chance.bool().then(|| self.chance.u32(1..4));
                Act::Versions(name, before, self.chance.u32(1..3))
            }
            7 => Act::Workflows(List {
                state: [None, Some(State::Enabled), Some(State::Deleted)][self.chance.usize(0..3)],
                words: self.chance.bool().then(|| self.of(&["a", "%", "title"])),
                after: self.chance.bool().then(|| self.of(&["a", "B"])),
                limit: self.chance.u32(0..3),
            }),
            _ => Act::PurgeWorkflows(self.time()),
        }
    }

    fn change(&mut self, name: String) -> Act {
        self.changes += 1;
        let etag = self.changes.to_string();
        let seen = self.heads.get(&name).cloned();
        // Now and then somebody has not looked.
        let before = match self.chance.u8(0..6) {
            0 => None,
            1 => Some("other".to_owned()),
            _ => seen.as_ref().map(|(_, etag)| etag.clone()),
        };
        let last = seen.map_or(0, |(version, _)| version);
        let adds = last == 0 || self.chance.bool();
        let newest = if adds { last + 1 } else { last };
        let states = [State::Enabled, State::Disabled, State::Deleted];
        let head = Head {
            name: name.clone(),
            newest,
            state: states[self.chance.usize(0..3)],
            etag: etag.clone(),
            changed_at_ms: self.time(),
        };
        let version = adds.then(|| Version {
            name: name.clone(),
            version: newest,
            spec_hash: [self.chance.u8(..); 32],
            source: format!("name: {name}"),
            file_name: "f".into(),
            dialect: "native".into(),
            title: self.of(&["A title", ""]),
            author: "ada".into(),
            comment: String::new(),
            words: self.of(&["a title", "50% of a", ""]),
            summary: Bytes::from_static(b"{}"),
            sketch: Bytes::new(),
            created_at_ms: self.time(),
        });
        self.heads.insert(name, (newest, etag));
        let keyed = (self.chance.u8(0..4) == 0).then(|| (self.call(), self.chance.u8(..)));
        let change = Change {
            before,
            head,
            version,
        };
        Act::Change(Box::new(change), keyed)
    }
}
