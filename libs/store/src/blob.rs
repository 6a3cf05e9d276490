//! Large values, kept once under their hash.

use bytes::Bytes;

use crate::append::BODY_MAX;
use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// A value that is stored once, however many runs refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The hash that finds it again; the same hash means the same bytes.
    pub hash: [u8; 32],
    /// At most [`BODY_MAX`](crate::limits::BODY_MAX).
    pub bytes: Bytes,
}

impl Blob {
    pub(crate) fn check(&self) -> Result<()> {
        crate::append::bounded("a blob", self.bytes.len(), BODY_MAX)
    }

    pub(crate) fn crc(&self) -> u32 {
        Checksum::default()
            .bytes(&self.hash)
            .bytes(&self.bytes)
            .value()
    }
}

/// The bytes that were stored under a hash, when they are as their checksum says.
pub(crate) fn whole(hash: &[u8; 32], stored: Option<(Vec<u8>, i64)>) -> Result<Option<Bytes>> {
    let Some((bytes, crc)) = stored else {
        return Ok(None);
    };
    let blob = Blob {
        hash: *hash,
        bytes: bytes.into(),
    };
    if crc != i64::from(blob.crc()) {
        return Err(damaged(hash));
    }
    Ok(Some(blob.bytes))
}

fn damaged(hash: &[u8; 32]) -> Error {
    Error::DamagedBlob(hash.iter().map(|b| format!("{b:02x}")).collect())
}
