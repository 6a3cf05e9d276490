//! The mails, in memory.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use gearmesh_runtime::{Clock, SystemClock};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Mails that are kept; the oldest go.
const MAILS_MAX: usize = 1000;

/// Bytes of mails that are kept; the oldest go.
const BYTES_MAX: usize = 96 * 1024 * 1024;

/// A mail.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) uid: u32,
    pub(super) raw: Arc<Vec<u8>>,
    pub(super) flags: BTreeSet<String>,
    /// The day on which it came, UTC.
    pub(super) day: Date,
}

/// All mails, oldest first.
#[derive(Debug, Default)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    clock: SystemClock,
}

#[derive(Debug, Default)]
struct Inner {
    mails: VecDeque<Stored>,
    last: u32,
    bytes: usize,
}

impl Store {
    /// Keeps a mail.
    pub(super) fn add(&self, raw: Vec<u8>) {
        let now = Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or_default();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last = inner.last.saturating_add(1);
        inner.bytes += raw.len();
        let mail = Stored {
            uid: inner.last,
            raw: Arc::new(raw),
            flags: BTreeSet::new(),
            day: now.to_zoned(TimeZone::UTC).date(),
        };
        inner.mails.push_back(mail);
        while inner.mails.len() > MAILS_MAX || inner.bytes > BYTES_MAX {
            let Some(oldest) = inner.mails.pop_front() else {
                break;
            };
            inner.bytes -= oldest.raw.len();
        }
    }

    /// The mails as they are now.
    pub(super) fn all(&self) -> Vec<Stored> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.mails.iter().cloned().collect()
    }

    /// The number that the next mail gets.
    pub(super) fn next(&self) -> u32 {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last.saturating_add(1)
    }

    /// Changes the flags of a mail.
    pub(super) fn flag(&self, uid: u32, change: impl FnOnce(&mut BTreeSet<String>)) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mail) = inner.mails.iter_mut().find(|m| m.uid == uid) {
            change(&mut mail.flags);
        }
    }
}
