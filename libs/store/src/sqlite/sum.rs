//! The checksum of a file that was closed.
//!
//! Rows have checksums, and a log has them; SQLite's own pages have none. A bit that flips in
//! one may hide a row, and a row that is not found has no checksum that could be wrong. So a
//! file that is closed gets one over all of it, beside it, which the next start compares and
//! takes away before it writes. A file that was not closed has none; it is checked otherwise.
//!
//! The sum holds for the file as it was last written to. Who replaces or changes a closed file
//! writes to it, and then there is nothing to compare; what decays is not written to.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest file that is read once more at its end and its start: that costs some ten ms.
const FILE_MAX: u64 = 64 << 20;
/// Longest text of a sum: four numbers.
const TEXT_MAX: u64 = 128;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Writes the sum of a file that nobody has open. Without one the next start has nothing to
/// compare, which is no reason to fail.
pub(crate) fn leave(path: &Path) {
    if let Err(error) = write(path) {
        tracing::warn!(file = %path.display(), %error, "no checksum is left beside the file");
        let _ = std::fs::remove_file(beside(path));
    }
}

fn write(path: &Path) -> Result<()> {
    if std::fs::metadata(path)?.len() > FILE_MAX {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside(path))?;
    let stamp = stamp(path)?;
    file.write_all(text(path, &stamp)?.as_bytes())?;
    file.sync_all()
}

/// Compares a file with its sum, if it has one, and takes the sum away; false when the file is
/// not as it was.
///
/// # Errors
/// When a file cannot be read, or its sum cannot be taken away for good.
pub(crate) fn take(path: &Path) -> Result<bool> {
    let sum = beside(path);
    let mut left = Vec::new();
    match File::open(&sum) {
        Ok(file) => file.take(TEXT_MAX).read_to_end(&mut left)?,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    };
    // Else it is of another file, or was being written when the power went.
    let stamp = stamp(path)?;
    if left.starts_with(stamp.as_bytes()) && left != text(path, &stamp)?.as_bytes() {
        return Ok(false);
    }
    std::fs::remove_file(&sum)?;
    // It must not come back when the power goes, beside a file that was written to.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(true)
}

/// Where the sum of a file lies.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut sum = path.as_os_str().to_owned();
    sum.push(".sum");
    sum.into()
}

/// The file's length, and when it was written to.
fn stamp(path: &Path) -> Result<String> {
    let file = std::fs::metadata(path)?;
    let (length, seconds, part) = (file.len(), file.mtime(), file.mtime_nsec());
    Ok(format!("{length} {seconds}.{part:09} crc32c"))
}

fn text(path: &Path, stamp: &str) -> Result<String> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    let mut sum = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("{stamp} {sum:08x}\n")),
            n => sum = crc32c::crc32c_append(sum, &piece[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes other bytes as decay does: nobody is told.
    fn decay(path: &Path, bytes: &[u8]) {
        let written = std::fs::metadata(path).unwrap().modified().unwrap();
        std::fs::write(path, bytes).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(written).unwrap();
    }

    #[test]
    fn decayed_file_is_seen_until_its_sum_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let mut bytes = vec![7; 200_000];
        std::fs::write(&path, &bytes).unwrap();
        assert!(take(&path).unwrap());
        leave(&path);
        assert!(take(&path).unwrap());
        assert!(!beside(&path).exists());
        leave(&path);
        bytes[150_000] = 6;
        decay(&path, &bytes);
        assert!(!take(&path).unwrap());
        assert!(!take(&path).unwrap());
        std::fs::remove_file(beside(&path)).unwrap();
        assert!(take(&path).unwrap());
    }

    #[test]
    fn file_that_was_written_to_has_nothing_to_be_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, b"one").unwrap();
        leave(&path);
        decay(&path, b"two");
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(take(&path).unwrap());
        assert!(!beside(&path).exists());
    }

    #[test]
    fn sum_that_was_never_written_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, b"x").unwrap();
        std::fs::write(beside(&path), b"").unwrap();
        assert!(take(&path).unwrap());
        assert!(!beside(&path).exists());
    }

    #[test]
    fn very_large_file_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let file = File::create(&path).unwrap();
        file.set_len(FILE_MAX + 1).unwrap();
        leave(&path);
        assert!(!beside(&path).exists());
        file.set_len(FILE_MAX).unwrap();
        leave(&path);
        assert!(beside(&path).exists());
    }
}
