//! Runs and rows as they are read from a store.

use bytes::Bytes;

use crate::append::{Row, RunRow};
use crate::error::{Error, Result};
use crate::run_id::RunId;

/// Columns of a run: run, workflow, version, principal, status, created, ended, deadline,
/// parent, checksum, checksum of its end.
pub(crate) type StoredRun = (
    RunId,
    String,
    i64,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
);

/// Columns of a row: n, v, kind, body, checksum.
pub(crate) type StoredRow = (i64, i64, i64, Vec<u8>, i64);

/// The rows of a run as they are read, each as its checksum says, none missing between.
#[derive(Debug)]
pub(crate) struct Rows {
    run: RunId,
    rows: Vec<Row>,
    next: u32,
}

impl Rows {
    pub(crate) fn of(run: RunId) -> Self {
        Self {
            run,
            rows: Vec::new(),
            next: 1,
        }
    }

    pub(crate) fn push(&mut self, (n, v, kind, body, crc): StoredRow) -> Result<()> {
        let damaged = || Error::Damaged {
            run: self.run,
            n: self.next,
        };
        // A number that does not even fit its type is damage as well.
        let row = Row {
            n: u32::try_from(n).map_err(|_| damaged())?,
            v: u16::try_from(v).map_err(|_| damaged())?,
            kind: u16::try_from(kind).map_err(|_| damaged())?,
            body: Bytes::from(body),
        };
        if row.n != self.next || crc != i64::from(row.crc(self.run)) {
            return Err(damaged());
        }
        self.rows.push(row);
        self.next += 1;
        Ok(())
    }

    pub(crate) fn whole(self) -> Vec<Row> {
        self.rows
    }
}

impl RunRow {
    /// A run as it was stored, when it is as its checksums say.
    pub(crate) fn whole(stored: StoredRun) -> Result<Self> {
        let (
            run,
            workflow,
            version,
            principal,
            status,
            created,
            ended,
            deadline,
            parent,
            crc,
            end_crc,
        ) = stored;
        let damaged = Error::Damaged { run, n: 0 };
        let Ok(version) = u32::try_from(version) else {
            return Err(damaged);
        };
        let found = Self {
            run,
            workflow,
            version,
            principal,
            parent,
            status,
            created_at_ms: created,
            ended_at_ms: ended,
            deadline_ms: deadline,
        };
        let end = found.end().map(|end| i64::from(end.crc(run)));
        if crc != i64::from(found.crc()) || end_crc != end {
            return Err(damaged);
        }
        Ok(found)
    }
}
