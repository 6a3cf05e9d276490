//! An entry of the ledger.

use bytes::Bytes;

use super::Call;
use crate::checksum::Checksum;

/// The order of attempts of one holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) epoch: i64,
    pub(crate) attempt: i64,
}

impl Pair {
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            epoch: call.epoch,
            attempt: call.attempt,
        }
    }
}

/// Whose call it is. Pairs compare only within one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) run: String,
    pub(crate) task: String,
    pub(crate) item: i64,
    pub(crate) pass: i64,
}

impl Holder {
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            run: call.run.clone(),
            task: call.task.clone(),
            item: call.item,
            pass: call.pass,
        }
    }

    pub(crate) fn is(&self, call: &Call) -> bool {
        self.run == call.run
            && self.task == call.task
            && self.item == call.item
            && self.pass == call.pass
    }
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Started,
    Done,
    /// It is known that there was no effect.
    Failed,
    Unknown,
    /// Nothing has begun; a fence alone.
    Fenced,
}

impl Status {
    pub(crate) const ALL: [Self; 5] = [
        Self::Started,
        Self::Done,
        Self::Failed,
        Self::Unknown,
        Self::Fenced,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Fenced => "fenced",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// An entry of the ledger, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// None for a fence that came before any call.
    pub(crate) holder: Option<(Holder, [u8; 32])>,
    pub(crate) status: Status,
    /// The newest attempt; that of the fence when there was none.
    pub(crate) pair: Pair,
    /// Attempts up to this one do not begin any more. It stands beside the
    /// status, so that a second fence still says that the call had begun.
    pub(crate) fence: Option<Pair>,
    pub(crate) reply: Option<Bytes>,
}

/// Columns of an entry: run, task, item, pass, hash, status, epoch, attempt, epoch and
/// attempt of the fence, reply, checksum.
pub(crate) type StoredEntry = (
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    i64,
);

impl Entry {
    /// An entry as it was stored; None when it is not one that was written.
    pub(crate) fn whole(tool: &str, key: &str, stored: StoredEntry) -> Option<Self> {
        let (run, task, item, pass, hash, status, epoch, attempt, ..) = &stored;
        let (.., fence_epoch, fence_attempt, reply, crc) = &stored;
        let holder = match run {
            Some(run) => {
                let holder = Holder {
                    run: run.clone(),
                    task: task.clone()?,
                    item: (*item)?,
                    pass: (*pass)?,
                };
                Some((holder, hash.as_deref()?.try_into().ok()?))
            }
            None => None,
        };
        let fence = match fence_epoch {
            Some(epoch) => Some(Pair {
                epoch: *epoch,
                attempt: (*fence_attempt)?,
            }),
            None => None,
        };
        let entry = Self {
            holder,
            status: Status::from_name(status)?,
            pair: Pair {
                epoch: *epoch,
                attempt: *attempt,
            },
            fence,
            reply: reply.clone().map(Bytes::from),
        };
        (*crc == i64::from(entry.crc(tool, key))).then_some(entry)
    }

    pub(crate) fn crc(&self, tool: &str, key: &str) -> u32 {
        let pair = |sum: Checksum, pair: Pair| sum.int(pair.epoch).int(pair.attempt);
        let sum = Checksum::default()
            .text(tool)
            .text(key)
            .text(self.status.name());
        let sum = sum.maybe(self.holder.as_ref(), |sum, (holder, hash)| {
            sum.text(&holder.run)
                .text(&holder.task)
                .int(holder.item)
                .int(holder.pass)
                .bytes(hash)
        });
        pair(sum, self.pair)
            .maybe(self.fence, pair)
            .maybe(self.reply.as_ref(), |sum, reply| sum.bytes(reply))
            .value()
    }
}
