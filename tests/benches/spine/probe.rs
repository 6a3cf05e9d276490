//! What the disk itself needs: a record appended and flushed, nothing else.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::figure::{Samples, Table, now};

/// Records of one round; half of them before the runs, half after.
const RECORDS: usize = 500;

/// Bytes of a record: about what a journal row needs.
const RECORD: [u8; 512] = [7; 512];

/// A file beside the journal that is appended to and flushed.
#[derive(Debug)]
pub(crate) struct Probe {
    file: File,
    samples: Samples,
}

impl Probe {
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: File::create(folder.join("probe"))?,
            samples: Samples::default(),
        })
    }

    pub(crate) fn take(&mut self) -> std::io::Result<()> {
        for _ in 0..RECORDS {
            let begun = now();
            self.file.write_all(&RECORD)?;
            self.file.sync_data()?;
            self.samples.add(begun);
        }
        Ok(())
    }

    pub(crate) fn median(&self) -> Duration {
        self.samples.median()
    }

    pub(crate) fn show(&self, table: &mut Table) -> std::io::Result<()> {
        table.part("disk")?;
        table.micros("append 512 bytes and fdatasync", &self.samples, "")
    }
}
