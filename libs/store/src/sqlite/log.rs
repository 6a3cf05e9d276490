//! What SQLite does not say of a log that was left behind.
//!
//! When a file was not closed, SQLite reads its log up to the first frame that does not fit its
//! checksum and takes that for the end: a write that the power interrupted. But a frame may
//! also be one that was written well and is damaged since. Then every commit behind it would be
//! gone without a word, or pages of the file would be covered by older ones. The two are told
//! apart here, before SQLite opens the file: a commit is flushed before the next one begins, so
//! where a frame goes on from a commit behind the damage, that commit was durable.
//!
//! Of the newest commit alone this says nothing. Whether the power interrupted it or it was
//! damaged later looks the same: what lies in its place may be an older version of the page,
//! that differs by one bit.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Result};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Of a frame's words, the one that is not zero in a commit.
const COMMIT_WORD: usize = 1;
/// The header's first number, but for its lowest bit: the order of bytes in checksums.
const MAGIC: u32 = 0x377f_0682;
const PAGE_MIN: u32 = 512;
const PAGE_MAX: u32 = 65_536;

/// Where a log is damaged; none where SQLite reads all that was committed.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn damage(path: &Path) -> Result<Option<String>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut header = [0; HEADER];
    if !fill(&mut file, &mut header)? {
        return Ok(None);
    }
    let Some(log) = Log::from_header(&header) else {
        // It is flushed before the first frame is written, so where there are frames it was
        // there.
        let mut byte = [0];
        let framed = fill(&mut file, &mut byte)?;
        return Ok(framed.then(|| "the header of its log".to_owned()));
    };
    log.walk(&mut file)
}

/// Fills the buffer; false when the file ends first.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

/// A running checksum.
type Sums = (u32, u32);

/// What the header says.
#[derive(Debug)]
struct Log {
    page: usize,
    salts: u64,
    sums: Sums,
    big_endian: bool,
}

/// A frame as it stands in the log.
#[derive(Debug)]
struct Frame {
    /// What its checksum is over, in the checksum's order.
    words: Vec<u32>,
    salts: u64,
    sums: Sums,
    /// The last of its transaction.
    is_commit: bool,
}

impl Log {
    fn from_header(header: &[u8; HEADER]) -> Option<Self> {
        let magic = number(header, 0);
        let page = number(header, 8);
        let big_endian = magic & 1 == 1;
        let sums = add((0, 0), &words(&header[..24], big_endian));
        let fits = magic & !1 == MAGIC
            && page.is_power_of_two()
            && (PAGE_MIN..=PAGE_MAX).contains(&page)
            && sums == (number(header, 24), number(header, 28));
        fits.then(|| Self {
            page: page as usize,
            salts: u64::from(number(header, 16)) << 32 | u64::from(number(header, 20)),
            sums,
            big_endian,
        })
    }

    fn frame(&self, bytes: &[u8]) -> Frame {
        let (header, page) = bytes.split_at(FRAME_HEADER);
        let mut all = words(&header[..8], self.big_endian);
        all.extend(words(page, self.big_endian));
        Frame {
            words: all,
            salts: u64::from(number(header, 8)) << 32 | u64::from(number(header, 12)),
            sums: (number(header, 16), number(header, 20)),
            is_commit: number(header, 4) != 0,
        }
    }

    fn walk(&self, file: &mut impl Read) -> Result<Option<String>> {
        let mut bytes = vec![0; FRAME_HEADER + self.page];
        let mut sums = self.sums;
        let mut number = 0_u64;
        // As far as SQLite reads.
        let broken = loop {
            if !fill(file, &mut bytes)? {
                return Ok(None);
            }
            number += 1;
            let frame = self.frame(&bytes);
            let found = add(sums, &frame.words);
            if frame.salts != self.salts || found != frame.sums {
                let is_commit = frame.is_commit || was_commit(sums, &frame);
                // The sum that it has is damaged, or what the sum is over.
                break ([frame.sums, found], is_commit);
            }
            sums = found;
        };
        let (mut before, mut is_commit) = broken;
        while fill(file, &mut bytes)? {
            let frame = self.frame(&bytes);
            let follows = before.iter().any(|b| add(*b, &frame.words) == frame.sums);
            if follows && is_commit && frame.salts == self.salts {
                return Ok(Some(format!("frame {number} of its log")));
            }
            before = [frame.sums; 2];
            is_commit = frame.is_commit;
        }
        Ok(None)
    }
}

/// Whether it was a commit before a bit of the number flipped that says so.
fn was_commit(before: Sums, frame: &Frame) -> bool {
    let mut words = frame.words.clone();
    (0..u32::BITS).any(|bit| {
        words[COMMIT_WORD] = frame.words[COMMIT_WORD] ^ (1 << bit);
        add(before, &words) == frame.sums
    })
}

/// The checksum, over an even number of words.
fn add((mut a, mut b): Sums, words: &[u32]) -> Sums {
    for pair in words.chunks_exact(2) {
        a = a.wrapping_add(pair[0]).wrapping_add(b);
        b = b.wrapping_add(pair[1]).wrapping_add(a);
    }
    (a, b)
}

fn words(bytes: &[u8], big_endian: bool) -> Vec<u32> {
    let word = |b: &[u8]| {
        let bytes = [b[0], b[1], b[2], b[3]];
        if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    bytes.chunks_exact(4).map(word).collect()
}

/// A number of a header: four bytes, highest first.
fn number(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(four)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sqlx::ConnectOptions;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
    use tempfile::TempDir;

    use super::*;

    const PAGE: usize = 4096;

    /// A log as SQLite writes it: a table, then eight commits.
    async fn made() -> (TempDir, PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = SqliteConnectOptions::new()
            .filename(folder.path().join("x.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .connect()
            .await
            .unwrap();
        let mut run = async |text| {
            sqlx::query(text).execute(&mut connection).await.unwrap();
        };
        run("CREATE TABLE t(x TEXT)").await;
        for _ in 0..8 {
            run("INSERT INTO t VALUES (hex(randomblob(700)))").await;
        }
        let path = folder.path().join("copy-wal");
        std::fs::copy(folder.path().join("x.db-wal"), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > HEADER + 9 * (FRAME_HEADER + PAGE));
        (folder, path, bytes)
    }

    fn found(path: &Path, bytes: &[u8]) -> Option<String> {
        std::fs::write(path, bytes).unwrap();
        damage(path).unwrap()
    }

    #[tokio::test]
    async fn whole_log_is_not_damaged() {
        let (_folder, path, bytes) = made().await;
        assert_eq!(found(&path, &bytes), None);
        assert_eq!(found(&path, &[]), None);
        assert_eq!(found(&path, &bytes[..HEADER]), None);
    }

    fn at(frame: usize) -> usize {
        HEADER + frame * (FRAME_HEADER + PAGE)
    }

    /// The last frame before the newest commit begins, and all frames.
    fn frames(bytes: &[u8]) -> (usize, usize) {
        let frames = (bytes.len() - HEADER) / (FRAME_HEADER + PAGE);
        let commits = (0..frames).filter(|f| number(bytes, at(*f) + 4) != 0);
        (commits.rev().nth(1).unwrap(), frames)
    }

    #[tokio::test]
    async fn flipped_bit_before_the_newest_commit_is_seen() {
        let (_folder, path, bytes) = made().await;
        let (before, _) = frames(&bytes);
        // All of two headers, and every 1,009th of the pages: no common factor with their sizes.
        let bits = |from: usize, to: usize| from * 8..to * 8;
        let header = bits(0, at(0) + FRAME_HEADER);
        let last = bits(at(before), at(before) + FRAME_HEADER);
        let spread = bits(0, at(before + 1)).step_by(1009);
        for bit in header.chain(last).chain(spread) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(found(&path, &bytes).is_some(), "bit {bit}");
        }
    }

    #[tokio::test]
    async fn sector_inside_of_the_log_is_seen_and_an_interrupted_commit_is_none() {
        let (_folder, path, bytes) = made().await;
        let (before, frames) = frames(&bytes);
        for frame in 0..frames {
            let start = at(frame) + FRAME_HEADER;
            let mut torn = bytes.clone();
            torn[start + 512..start + 1024].fill(0xa5);
            let newest = frame > before;
            assert_eq!(found(&path, &torn).is_none(), newest, "frame {frame}");
            // Nothing behind it: as a commit that the power interrupted leaves it.
            torn.truncate(start + PAGE);
            assert_eq!(found(&path, &torn), None, "frame {frame}, cut");
        }
    }
}
