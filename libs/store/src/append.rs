//! What goes into a journal and comes out of it.

use bytes::Bytes;

use crate::blob::Blob;
use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::run_id::RunId;

/// Largest body of a row, and largest blob, in bytes: as large as a message may be.
pub const BODY_MAX: usize = 16 << 20;
/// Longest name, key or status, in bytes.
pub const TEXT_MAX: usize = 1024;
/// Most runs of one answer of [`Journal::list`](crate::Journal::list).
pub const LIST_MAX: u32 = 1000;

/// A fact about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in the run, dense from 1.
    pub n: u32,
    /// The version of its body's format.
    pub v: u16,
    /// What kind of fact it is.
    pub kind: u16,
    /// At most [`BODY_MAX`]; only its owner knows what it says.
    pub body: Bytes,
}

impl Row {
    pub(crate) fn crc(&self, run: RunId) -> u32 {
        Checksum::default()
            .int(run)
            .int(self.n.into())
            .int(self.v.into())
            .int(self.kind.into())
            .bytes(&self.body)
            .value()
    }
}

/// The key of a request, that makes a repeated one answer the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The caller's key, unique per principal; at most [`TEXT_MAX`].
    pub key: String,
    /// Hash of the request.
    pub hash: [u8; 32],
}

/// A key that makes starts of a workflow, whatever they say, answer one run for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// The key, unique per workflow; at most [`TEXT_MAX`].
    pub key: String,
    /// When it stops; time since 1970. A run that is created then is a new one.
    pub until_ms: i64,
}

/// A run to be accepted.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// A fresh id.
    pub run: RunId,
    /// The workflow's name; at most [`TEXT_MAX`], as all texts here.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// Who started it.
    pub principal: String,
    /// The run whose task started it.
    pub parent: Option<RunId>,
    /// The request's key, when it had one.
    pub request: Option<RequestKey>,
    /// Refuses it while an earlier run answers this key.
    pub dedupe: Option<Dedupe>,
    /// Time since 1970.
    pub created_at_ms: i64,
    /// When the run must have ended; time since 1970.
    pub deadline_ms: Option<i64>,
    /// The first rows, from 1.
    pub rows: Vec<Row>,
    /// When the run is due next; time since 1970.
    pub due_at_ms: Option<i64>,
    /// What lists show while it is open.
    pub status: String,
    /// Large values that the rows refer to.
    pub blobs: Vec<Blob>,
}

impl NewRun {
    pub(crate) fn check(&self) -> Result<()> {
        if self.run < 0 {
            return Err(Error::RunExists(self.run));
        }
        text("a workflow's name", &self.workflow, TEXT_MAX)?;
        text("a principal's name", &self.principal, TEXT_MAX)?;
        text("a status", &self.status, TEXT_MAX)?;
        if let Some(request) = &self.request {
            text("a request key", &request.key, TEXT_MAX)?;
        }
        if let Some(dedupe) = &self.dedupe {
            text("a dedupe key", &dedupe.key, TEXT_MAX)?;
        }
        contents(&self.rows, &self.blobs)
    }

    /// Covers what never changes.
    pub(crate) fn crc(&self) -> u32 {
        let NewRun {
            run,
            workflow,
            version,
            principal,
            parent,
            created_at_ms,
            deadline_ms,
            ..
        } = self;
        let crc = head_crc(
            *run,
            workflow,
            *version,
            principal,
            *created_at_ms,
            *deadline_ms,
        );
        with_parent(crc, *parent)
    }
}

/// How an accept ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The run is durable.
    New,
    /// The same request came before, as this run; or its dedupe key is this run's.
    Existing(RunId),
    /// The key was used for another request, which is this run.
    KeyReused(RunId),
}

impl Accepted {
    /// A request whose key names a run, with the same hash or another.
    pub(crate) fn by(first: RunId, same: bool) -> Self {
        if same {
            Self::Existing(first)
        } else {
            Self::KeyReused(first)
        }
    }
}

/// What goes on in a run.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The next rows, without a gap.
    pub rows: Vec<Row>,
    /// What lists show from now on; absent: as before.
    pub status: Option<String>,
    /// When the run is due next, as of these rows; absent: at no time. Given
    /// each time, written only when it differs.
    pub due_at_ms: Option<i64>,
    /// The run's end.
    pub end: Option<End>,
    /// Large values that the rows refer to.
    pub blobs: Vec<Blob>,
}

impl Append {
    pub(crate) fn check(&self) -> Result<()> {
        for status in self.status.iter().chain(self.end.iter().map(|e| &e.status)) {
            text("a status", status, TEXT_MAX)?;
        }
        contents(&self.rows, &self.blobs)
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What lists show from now on.
    pub status: String,
    /// Time since 1970.
    pub ended_at_ms: i64,
}

impl End {
    pub(crate) fn crc(&self, run: RunId) -> u32 {
        Checksum::default()
            .int(run)
            .text(&self.status)
            .int(self.ended_at_ms)
            .value()
    }
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// When it is due next; time since 1970.
    pub due_at_ms: Option<i64>,
    /// What lists show.
    pub status: String,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// Who started it.
    pub principal: String,
    /// The run whose task started it.
    pub parent: Option<RunId>,
    /// What was last said of it.
    pub status: String,
    /// Time since 1970.
    pub created_at_ms: i64,
    /// Time since 1970; absent while it is open.
    pub ended_at_ms: Option<i64>,
    /// When it must have ended; time since 1970.
    pub deadline_ms: Option<i64>,
}

impl RunRow {
    pub(crate) fn crc(&self) -> u32 {
        let crc = head_crc(
            self.run,
            &self.workflow,
            self.version,
            &self.principal,
            self.created_at_ms,
            self.deadline_ms,
        );
        with_parent(crc, self.parent)
    }

    pub(crate) fn end(&self) -> Option<End> {
        Some(End {
            status: self.status.clone(),
            ended_at_ms: self.ended_at_ms?,
        })
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct ListRuns {
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Only in this status.
    pub status: Option<String>,
    /// Only created at or after this; time since 1970.
    pub from_ms: Option<i64>,
    /// Only created before this; time since 1970.
    pub to_ms: Option<i64>,
    /// Only started by this one.
    pub principal: Option<String>,
    /// Only started by a task of this run.
    pub parent: Option<RunId>,
    /// Only older than this run: the last one of the page before.
    pub before: Option<RunId>,
    /// At most so many; 0 and more than [`LIST_MAX`] mean [`LIST_MAX`].
    pub limit: u32,
}

fn head_crc(
    run: RunId,
    workflow: &str,
    version: u32,
    principal: &str,
    created_at_ms: i64,
    deadline_ms: Option<i64>,
) -> Checksum {
    Checksum::default()
        .int(run)
        .text(workflow)
        .int(version.into())
        .text(principal)
        .int(created_at_ms)
        .maybe(deadline_ms, Checksum::int)
}

/// Runs without a parent keep the sum of those that were stored before there were any.
fn with_parent(crc: Checksum, parent: Option<RunId>) -> u32 {
    parent.map_or(crc, |parent| crc.int(parent)).value()
}

fn contents(rows: &[Row], blobs: &[Blob]) -> Result<()> {
    for row in rows {
        bounded("a row", row.body.len(), BODY_MAX)?;
    }
    blobs.iter().try_for_each(Blob::check)
}

pub(crate) fn bounded(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::TooLarge { what, size, limit });
    }
    Ok(())
}

/// Checks a text: not every store takes every character.
pub(crate) fn text(what: &'static str, text: &str, limit: usize) -> Result<()> {
    bounded(what, text.len(), limit)?;
    if text.contains('\0') {
        return Err(Error::Nul(what));
    }
    Ok(())
}
