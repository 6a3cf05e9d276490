//! Workflows as they lie in a store: checksums, columns, pages.

use bytes::Bytes;

use super::{Head, PAGE_BYTES, Page, State, Version};
use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// Columns of a head: name, newest, state, etag, changed, checksum.
pub(crate) type StoredHead = (String, i64, String, String, i64, i64);

/// Columns of a version, without the last: name, version, hash, source, file, dialect, title,
/// author, comment, words, summary, sketch, created, checksums of source and version.
pub(crate) type StoredVersion = (
    String,
    i64,
    Vec<u8>,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Vec<u8>,
    Vec<u8>,
    i64,
    i64,
    i64,
);

impl Head {
    pub(crate) fn crc(&self) -> u32 {
        Checksum::default()
            .text(&self.name)
            .int(self.newest.into())
            .text(self.state.as_str())
            .text(&self.etag)
            .int(self.changed_at_ms)
            .value()
    }

    /// A head as it was stored, when it is as its checksum says.
    pub(crate) fn whole(stored: StoredHead) -> Result<Self> {
        let (name, newest, state, etag, changed_at_ms, crc) = stored;
        let (Ok(newest), Some(state)) = (u32::try_from(newest), State::from_name(&state)) else {
            return Err(damaged(&name, 0));
        };
        let head = Self {
            name,
            newest,
            state,
            etag,
            changed_at_ms,
        };
        if crc != i64::from(head.crc()) {
            return Err(damaged(&head.name, 0));
        }
        Ok(head)
    }
}

impl Version {
    pub(crate) fn source_crc(&self) -> u32 {
        Checksum::default().text(&self.source).value()
    }

    /// Covers all but the source itself, so that lists need not read that.
    pub(crate) fn crc(&self, source_crc: u32) -> u32 {
        Checksum::default()
            .text(&self.name)
            .int(self.version.into())
            .bytes(&self.spec_hash)
            .int(source_crc.into())
            .text(&self.file_name)
            .text(&self.dialect)
            .text(&self.title)
            .text(&self.author)
            .text(&self.comment)
            .text(&self.words)
            .bytes(&self.summary)
            .bytes(&self.sketch)
            .int(self.created_at_ms)
            .value()
    }

    /// A version as it was stored, when it is as its checksum says; its source, which lists
    /// leave out, is not looked at.
    pub(crate) fn listed(stored: StoredVersion) -> Result<Self> {
        Self::parts(stored).map(|(version, _)| version)
    }

    /// As [`Version::listed`], with its source.
    pub(crate) fn whole(stored: StoredVersion) -> Result<Self> {
        let (version, source_crc) = Self::parts(stored)?;
        if source_crc != version.source_crc() {
            return Err(damaged(&version.name, version.version));
        }
        Ok(version)
    }

    fn parts(stored: StoredVersion) -> Result<(Self, u32)> {
        let (name, version, spec_hash, source, file_name, dialect, title, author, ..) = stored;
        let (.., comment, words, summary, sketch, created_at_ms, source_crc, crc) = stored;
        let number = u32::try_from(version).unwrap_or_default();
        let (Ok(spec_hash), Ok(source_crc)) = (spec_hash.try_into(), u32::try_from(source_crc))
        else {
            return Err(damaged(&name, number));
        };
        let found = Self {
            name,
            version: number,
            spec_hash,
            source,
            file_name,
            dialect,
            title,
            author,
            comment,
            words,
            summary: Bytes::from(summary),
            sketch: Bytes::from(sketch),
            created_at_ms,
        };
        if crc != i64::from(found.crc(source_crc)) {
            return Err(damaged(&found.name, number));
        }
        Ok((found, source_crc))
    }
}

/// A page that is being filled.
#[derive(Debug)]
pub(crate) struct Filler<T> {
    entries: Vec<T>,
    limit: usize,
    bytes: usize,
    more: bool,
}

impl<T> Filler<T> {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            entries: Vec::new(),
            limit: limit as usize,
            bytes: 0,
            more: false,
        }
    }

    /// Takes an entry of so many bytes; false when the page was full, and nothing more is
    /// to be read.
    pub(crate) fn take(&mut self, entry: T, bytes: usize) -> bool {
        self.bytes += bytes;
        let full = self.entries.len() == self.limit || self.bytes > PAGE_BYTES;
        if full && !self.entries.is_empty() {
            self.more = true;
            return false;
        }
        self.entries.push(entry);
        true
    }

    pub(crate) fn page(self) -> Page<T> {
        Page {
            entries: self.entries,
            more: self.more,
        }
    }
}

fn damaged(name: &str, version: u32) -> Error {
    Error::DamagedWorkflow {
        name: name.to_owned(),
        version,
    }
}
