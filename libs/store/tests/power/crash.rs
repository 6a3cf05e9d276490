//! The power goes at any operation of the disk, and comes back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use gearmesh_faultdisk::{Failure, Fault, Kind, Operation, Site};
use gearmesh_store::{Error, RunIds};

use crate::book::Book;
use crate::check::{check, sequence};
use crate::machine::{Machine, Running, runtime};
use crate::result::{Tally, first_seed, scale, sites};
use crate::writer::{Style, Writer};

/// Seeds of a run; each loses power a few times.
const SEEDS: u64 = 500;
/// Losses of power that a run must have had.
const CRASHES_MIN: u64 = 2_000;
/// Seeds with a disk that claims its flushes.
const LYING_SEEDS: u64 = 40;
const WRITERS: std::ops::RangeInclusive<usize> = 4..=16;
/// How often a start may lose power before it may end.
const STARTS_MAX: u32 = 3;

/// Where the power must have gone.
fn expected() -> Vec<Site> {
    use Operation::{Delete, Sync, Write};
    [
        sites("write", Kind::Log, &[Write, Sync]),
        sites("write", Kind::Database, &[Write, Sync]),
        sites("close", Kind::Log, &[Sync, Delete]),
        sites("close", Kind::Database, &[Write, Sync]),
        sites("make", Kind::Database, &[Write, Sync]),
        sites("make", Kind::Journal, &[Write, Sync, Delete]),
        sites("make", Kind::Log, &[Write, Sync]),
    ]
    .concat()
}

struct Trial {
    machine: Machine,
    rng: Rng,
    writers: Vec<Writer>,
    ids: RunIds,
    style: Style,
    /// The shard's number; none before the tables are there.
    seq: Option<i64>,
    lying: bool,
    tally: Tally,
}

impl Trial {
    fn new(seed: u64, lying: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let sector = [512, 4096][rng.usize(..2)];
        let machine = if rng.u8(..6) == 0 && !lying {
            Machine::empty(sector, rng.u64(..))
        } else {
            Machine::prepared(sector, rng.u64(..))
        };
        let writers = (0..rng.usize(WRITERS))
            .map(|n| Writer::new(n, rng.fork()))
            .collect();
        let style = Style {
            operations: rng.usize(1..=8),
            body_max: [100, 100, 100, 3_000, 3_000, 30_000][rng.usize(..6)],
            checkpoints: true,
        };
        Self {
            machine,
            writers,
            ids: RunIds::after(None),
            style,
            seq: None,
            lying,
            tally: Tally::default(),
            rng,
        }
    }

    async fn play(mut self) -> Tally {
        let mut lives = self.rng.usize(3..=6);
        while lives > 0 && self.tally.findings.is_empty() {
            lives -= 1;
            let Some(running) = self.start().await else {
                break;
            };
            self.check(&running).await;
            self.live(running).await;
        }
        // What is left is whole, also after a clean stop.
        for _ in 0..2 {
            if self.tally.findings.is_empty()
                && let Some(running) = self.start().await
            {
                self.check(&running).await;
                running.close().await.unwrap();
                self.machine
                    .restart(Some(running), gearmesh_faultdisk::Ending::Process)
                    .await;
            }
        }
        self.tally
    }

    /// Opens the store, whatever it takes; none when it cannot be.
    async fn start(&mut self) -> Option<Running> {
        let disk = &self.machine.disk;
        disk.phase(if self.seq.is_some() { "open" } else { "make" });
        for start in 0.. {
            if start < STARTS_MAX && self.rng.u8(..if self.seq.is_some() { 4 } else { 2 }) == 0 {
                let most = if self.seq.is_some() {
                    12
                } else {
                    // Most of it is the tables; what comes first is the file itself.
                    [12, 25, 60][self.rng.usize(..3)]
                };
                disk.cut_after(self.rng.u64(1..=most));
            }
            let booted = self.machine.boot().await;
            if disk.is_off() {
                self.tally.sites.extend(disk.struck());
                self.machine.lose_power(booted.ok()).await;
                self.tally.lost_power();
                continue;
            }
            disk.heal();
            match booted {
                Ok(running) => {
                    if self.seq.is_none() {
                        self.seq = Some(sequence(&running).await.unwrap());
                    }
                    return Some(running);
                }
                Err(e) => {
                    self.tally.count("reported", 1);
                    self.tally.findings.push(format!("it does not open: {e}"));
                    return None;
                }
            }
        }
        None
    }

    async fn check(&mut self, running: &Running) {
        self.machine.disk.phase("check");
        let mut books: Vec<&mut Book> = self.writers.iter_mut().map(|w| &mut w.book).collect();
        self.tally.acked += books.iter().map(|b| b.acked).sum::<u64>();
        self.tally.refused += books.iter().filter(|b| b.sent.is_some()).count() as u64;
        let mut seq = self.seq.unwrap();
        let found = check(running, &mut books, &mut seq).await;
        self.seq = Some(seq);
        self.tally.lost += found.lost;
        self.tally.torn += found.torn;
        self.tally.count("reported", found.reported);
        self.tally.findings.extend(found.texts);
    }

    /// Writes until the power goes.
    async fn live(&mut self, running: Running) {
        let disk = &self.machine.disk;
        disk.phase("write");
        if self.lying {
            let nth = self.rng.u64(1..20);
            disk.fail(Fault {
                operation: Operation::Sync,
                nth,
                failure: Failure::Lie,
                lasting: true,
            });
        }
        let most = [10, 100, 400][self.rng.usize(..3)];
        disk.cut_after(self.rng.u64(1..=most));
        let all = self.writers.iter_mut();
        let all = all.map(|w| w.write(&running, &self.ids, self.style));
        for ended in futures::future::join_all(all).await {
            match ended {
                Ok(()) => {}
                Err(Error::Failed(_) | Error::Closed(_)) if disk.is_off() => {}
                Err(e) => self.tally.findings.push(format!("refused: {e}")),
            }
        }
        if !disk.is_off() && self.rng.bool() {
            disk.phase("close");
            disk.heal();
            disk.cut_after(self.rng.u64(1..=40));
            // It fails when the power goes meanwhile, and not otherwise.
            let closed = running.close().await;
            assert!(closed.is_ok() || disk.is_off(), "{closed:?}");
        }
        self.machine.lose_power(Some(running)).await;
        self.tally.lost_power();
        if self.lying {
            self.tally.fault("lie");
        }
        let struck = self.machine.disk.struck();
        // A flush that is claimed is no place where the power went.
        if !self.lying {
            self.tally.sites.extend(struck);
        }
        for writer in &mut self.writers {
            let misread = writer.misread.drain(..);
            self.tally.torn += misread.len() as u64;
            self.tally.findings.extend(misread);
        }
    }
}

/// Plays seeds on all processors.
fn play(seeds: u64, lying: bool) -> Tally {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Tally::default());
    let first = first_seed();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = runtime();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let mut tally = runtime.block_on(Trial::new(first + seed, lying).play());
                    for finding in &mut tally.findings {
                        finding.insert_str(0, &format!("seed {}: ", first + seed));
                    }
                    all.lock().unwrap().add(tally);
                }
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn what_was_acknowledged_outlives_the_power() {
    let tally = play(SEEDS * scale(), false);
    let expected = expected();
    tally.print("power", &expected);
    assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
    let crashes = tally.faults.get("powerLoss").copied().unwrap_or_default();
    assert!(
        crashes >= CRASHES_MIN * scale(),
        "{crashes} losses of power"
    );
    tally.assert_reached(&expected);
}

/// The checker can fail: a disk that claims its flushes loses what was acknowledged, and that is
/// seen.
#[test]
fn checker_sees_what_a_lying_disk_loses() {
    let tally = play(LYING_SEEDS * scale(), true);
    tally.print("power-lying", &[]);
    assert!(tally.lost > LYING_SEEDS, "{} lost", tally.lost);
}
