//! What a writer was told.

use bytes::Bytes;
use gearmesh_store::{Append, Blob, End, NewRun, OpenRun, Row, RunId, RunRow};

/// A run, as its writer knows it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) first: NewRun,
    pub(crate) rows: Vec<Row>,
    pub(crate) blobs: Vec<Blob>,
    status: String,
    due_at_ms: Option<i64>,
    pub(crate) end: Option<End>,
}

impl Known {
    pub(crate) fn new(first: NewRun) -> Self {
        Self {
            rows: first.rows.clone(),
            blobs: first.blobs.clone(),
            status: first.status.clone(),
            due_at_ms: first.due_at_ms,
            end: None,
            first,
        }
    }

    pub(crate) fn run(&self) -> RunId {
        self.first.run
    }

    pub(crate) fn apply(&mut self, append: Append) {
        self.rows.extend(append.rows);
        self.blobs.extend(append.blobs);
        self.due_at_ms = append.due_at_ms;
        if let Some(status) = append.status {
            self.status = status;
        }
        if append.end.is_some() {
            self.end = append.end;
        }
    }

    /// What lists must show.
    pub(crate) fn listed(&self) -> RunRow {
        let first = &self.first;
        RunRow {
            run: first.run,
            workflow: first.workflow.clone(),
            version: first.version,
            principal: first.principal.clone(),
            parent: first.parent,
            status: match &self.end {
                Some(end) => end.status.clone(),
                None => self.status.clone(),
            },
            created_at_ms: first.created_at_ms,
            ended_at_ms: self.end.as_ref().map(|end| end.ended_at_ms),
            deadline_ms: first.deadline_ms,
        }
    }

    /// What the list of open runs must show.
    pub(crate) fn open(&self) -> Option<OpenRun> {
        self.end.is_none().then(|| OpenRun {
            run: self.run(),
            due_at_ms: self.due_at_ms,
            status: self.status.clone(),
        })
    }
}

/// What was asked for and not answered.
#[derive(Debug, Clone)]
pub(crate) enum Sent {
    Accept(Box<NewRun>),
    Append(Box<Append>),
    /// Something that leaves nothing by which it could be found.
    Unseen,
}

/// What one writer knows. Each writes to runs of its own.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) runs: Vec<Known>,
    /// At most one: a writer waits for its answer.
    pub(crate) sent: Option<Sent>,
    /// Operations that were answered as done.
    pub(crate) acked: u64,
}

impl Book {
    /// The same, for somebody who goes on from here.
    pub(crate) fn copy(&self) -> Self {
        Self {
            runs: self.runs.clone(),
            sent: self.sent.clone(),
            acked: self.acked,
        }
    }

    /// Notes that what was sent is done.
    pub(crate) fn confirm(&mut self) {
        self.acked += 1;
        self.settle();
    }

    /// Notes that what was sent is there, answered or not.
    pub(crate) fn settle(&mut self) {
        match self.sent.take() {
            Some(Sent::Accept(new)) => self.runs.push(Known::new(*new)),
            Some(Sent::Append(append)) => {
                let run = self.runs.iter_mut().find(|k| k.run() == append.run);
                run.unwrap().apply(*append);
            }
            Some(Sent::Unseen) | None => {}
        }
    }

    /// Open runs, by their places.
    pub(crate) fn open(&self) -> Vec<usize> {
        let open = |(_, known): &(usize, &Known)| known.end.is_none();
        let runs = self.runs.iter().enumerate();
        runs.filter(open).map(|(i, _)| i).collect()
    }
}

/// A body that says what it is and is as long as it should be.
pub(crate) fn body(run: RunId, n: u32, length: usize) -> Bytes {
    let mut text = format!("{run}/{n}/").into_bytes();
    let mut x = run.cast_unsigned() ^ u64::from(n);
    while text.len() < length {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.extend((x >> 32).to_le_bytes());
    }
    text.into()
}
