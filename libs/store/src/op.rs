//! What callers ask the committer for.

use tokio::sync::oneshot;

use crate::append::{Accepted, Append, End, NewRun, Row};
use crate::blob::Blob;
use crate::error::{Error, Result};
use crate::run_id::RunId;

/// An operation, and whom to answer.
#[derive(Debug)]
pub(crate) enum Op {
    Accept(Box<NewRun>, oneshot::Sender<Result<Accepted>>),
    Append(Box<Append>, oneshot::Sender<Result<()>>),
}

impl Op {
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Accept(new, _) => new.run,
            Self::Append(append, _) => append.run,
        }
    }

    pub(crate) fn new_run(&self) -> Option<&NewRun> {
        match self {
            Self::Accept(new, _) => Some(new),
            Self::Append(..) => None,
        }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        match self {
            Self::Accept(new, _) => &new.rows,
            Self::Append(append, _) => &append.rows,
        }
    }

    pub(crate) fn blobs(&self) -> &[Blob] {
        match self {
            Self::Accept(new, _) => &new.blobs,
            Self::Append(append, _) => &append.blobs,
        }
    }

    /// Bytes of its bodies and blobs.
    pub(crate) fn bytes(&self) -> usize {
        let rows = self.rows().iter().map(|row| row.body.len());
        let blobs = self.blobs().iter().map(|blob| blob.bytes.len());
        rows.chain(blobs).sum()
    }

    pub(crate) fn end(&self) -> Option<&End> {
        match self {
            Self::Accept(..) => None,
            Self::Append(append, _) => append.end.as_ref(),
        }
    }

    // In the answers below, whoever does not wait any more needs none.

    pub(crate) fn refuse(self, error: Error) {
        match self {
            Self::Accept(_, answer) => drop(answer.send(Err(error))),
            Self::Append(_, answer) => drop(answer.send(Err(error))),
        }
    }

    pub(crate) fn confirm(self) {
        match self {
            Self::Accept(_, answer) => drop(answer.send(Ok(Accepted::New))),
            Self::Append(_, answer) => drop(answer.send(Ok(()))),
        }
    }

    /// Answers an accept that came second, and whatever was to go on in its run.
    pub(crate) fn forestalled(self, by: Accepted) {
        match self {
            Self::Accept(_, answer) => drop(answer.send(Ok(by))),
            Self::Append(append, answer) => drop(answer.send(Err(Error::UnknownRun(append.run)))),
        }
    }
}
