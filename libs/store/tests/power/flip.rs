//! One bit of the files is another.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use fastrand::Rng;
use gearmesh_store::{Error, RunIds};

use crate::book::Book;
use crate::check::{check, sequence};
use crate::machine::{NAME, Running, folder, runtime};
use crate::result::{Tally, first_seed, scale};
use crate::writer::{Style, Writer, checkpoint};

/// Of a file that was not closed, the most flips per thousand that may hide a row: SQLite's
/// pages have no checksum, and such a file has none over all of it. A row that keeps its place
/// in the order under another key is missed by nobody.
const SILENT_MAX: u64 = 4;
/// Bits that are flipped in a run: one per trial.
const FLIPS: u64 = 2_200;
const OPERATIONS: [usize; 2] = [80, 10];
const STYLE: Style = Style {
    operations: 0,
    body_max: 500,
    checkpoints: false,
};

/// Files as a process left them, and what it was told.
struct Left {
    files: BTreeMap<String, (Vec<u8>, SystemTime)>,
    books: Vec<Book>,
    seq: i64,
    closed: bool,
}

impl Left {
    /// Writes a store and leaves it: closed, or as a process does that is killed, with a log
    /// that does not hold all of the file.
    async fn make(closed: bool) -> Self {
        let folder = folder();
        let running = Running::open(folder.path()).await.unwrap();
        let seq = sequence(&running).await.unwrap();
        let ids = RunIds::after(None);
        // Who comes later writes to other pages.
        let mut writers = [3, 4].map(|n| Writer::new(n, Rng::with_seed(n as u64)));
        for (writer, operations) in writers.iter_mut().zip(OPERATIONS) {
            checkpoint(&running).await.unwrap();
            for _ in 0..operations {
                writer.one(&running, &ids, STYLE).await.unwrap();
            }
        }
        if closed {
            running.close().await.unwrap();
        }
        let mut files = BTreeMap::new();
        for end in [".db", ".db-wal", ".db.sum"] {
            let name = format!("{NAME}{end}");
            let path = folder.path().join(&name);
            if let Ok(bytes) = std::fs::read(&path) {
                let written = std::fs::metadata(&path).unwrap().modified().unwrap();
                files.insert(name, (bytes, written));
            }
        }
        assert_eq!(files.len(), 2);
        running.end().await;
        Self {
            files,
            books: writers.into_iter().map(|w| w.book).collect(),
            seq,
            closed,
        }
    }

    /// Flips a bit of a file, opens the store and reads all of it.
    async fn flip(&self, file: &str, bit: u64, tally: &mut Tally) {
        let place = folder();
        for (name, (bytes, written)) in &self.files {
            let mut bytes = bytes.clone();
            if name == file {
                bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
            }
            let path = place.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            // What decays is not written to.
            let copy = File::options().write(true).open(&path).unwrap();
            copy.set_modified(*written).unwrap();
        }
        tally.trials += 1;
        match self.read(place.path()).await {
            Ok(found) if found.lost + found.torn > 0 => {
                if self.is_newest(file, bit) {
                    tally.count("newestCommit", 1);
                    return;
                }
                if !self.closed && file.ends_with(".db") {
                    tally.count("silentUnclean", 1);
                    return;
                }
                tally.lost += 1;
                let text = &found.texts[0];
                let text = format!("{file} bit {bit}: {text}");
                tally.findings.push(text);
                let texts = found.texts.iter().skip(1);
                tally.findings.extend(texts.map(|t| format!("  {t}")));
            }
            Ok(found) if found.reported > 0 => tally.count("readsReport", 1),
            Ok(_) => tally.count("harmless", 1),
            Err(e) => {
                tally.count("openReports", 1);
                assert!(is_coded(&e), "{file} bit {bit}: {e}");
            }
        }
    }

    /// Whether a bit of the log belongs to its newest commit. Of that nobody can tell damage
    /// from a loss of power before its flush.
    fn is_newest(&self, file: &str, bit: u64) -> bool {
        const HEADER: usize = 32;
        const FRAME: usize = 24 + 4096;
        if !file.ends_with("-wal") {
            return false;
        }
        let (header, frames) = self.files[file].0.split_at(HEADER);
        // Behind them may be frames of an earlier use of the file, with other salts.
        let frames = frames.chunks_exact(FRAME).enumerate();
        let ours = frames.filter(|(_, f)| f[8..16] == header[16..24]);
        let mut commits = ours.filter(|(_, f)| f[4..8] != [0; 4]);
        let (before, _) = commits.by_ref().rev().nth(1).unwrap();
        bit / 8 >= (HEADER + (before + 1) * FRAME) as u64
    }

    async fn read(&self, place: &Path) -> Result<crate::check::Findings, Error> {
        let running = Running::open(place).await?;
        let mut books: Vec<Book> = self.books.iter().map(Book::copy).collect();
        let mut books: Vec<&mut Book> = books.iter_mut().collect();
        let mut seq = self.seq;
        let found = check(&running, &mut books, &mut seq).await;
        running.end().await;
        Ok(found)
    }
}

/// Whether an error says that the file is at fault.
fn is_coded(error: &Error) -> bool {
    matches!(
        error,
        Error::Corrupt { .. }
            | Error::Failed(_)
            | Error::NewerSchema { .. }
            | Error::Damaged { .. }
            | Error::Sql(_)
    )
}

fn flip_all(closed: bool, flips: u64) -> Tally {
    let left = runtime().block_on(Left::make(closed));
    let bits: Vec<(&String, u64)> = left
        .files
        .iter()
        .filter(|(name, _)| !name.ends_with(".sum"))
        .map(|(name, (bytes, _))| (name, bytes.len() as u64 * 8))
        .collect();
    let next = AtomicU64::new(0);
    let all = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = runtime();
                let mut tally = Tally::default();
                loop {
                    let trial = next.fetch_add(1, Ordering::Relaxed);
                    if trial >= flips {
                        break;
                    }
                    let mut rng = Rng::with_seed(first_seed() << 32 | trial);
                    let (file, length) = bits[rng.usize(..bits.len())];
                    let bit = rng.u64(..length);
                    runtime.block_on(left.flip(file, bit, &mut tally));
                }
                all.lock().unwrap().add(tally);
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn flipped_bit_is_harmless_or_reported() {
    let mut tally = Tally::default();
    for closed in [true, false] {
        let flips = FLIPS / 2 * scale();
        let found = flip_all(closed, flips);
        tally
            .faults
            .insert(if closed { "closed" } else { "unclean" }, flips);
        tally.add(found);
    }
    tally.print("flip", &[]);
    assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
    let silent = tally.more.get("silentUnclean").copied().unwrap_or_default();
    assert!(
        silent * 1000 <= SILENT_MAX * FLIPS / 2 * scale(),
        "{silent} silent"
    );
    // Reports of both kinds: otherwise nothing was damaged.
    for kind in ["openReports", "readsReport", "harmless"] {
        assert!(tally.more.get(kind).is_some_and(|n| *n > 0), "{kind}");
    }
}
