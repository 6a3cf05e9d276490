//! How much an archive may become.

use std::cell::Cell;
use std::io::{self, Read};

use crate::engine::Job;
use crate::error::Error;

/// Most entries of an archive.
pub(crate) const ENTRIES_MAX: usize = 100_000;

/// Most bytes that an archive, or one compressed file, becomes: 4 GiB.
pub(crate) const EXPANDED_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// How many times its own size it may become ..
pub(crate) const RATIO_MAX: u64 = 200;

/// .. once it has become this much. Small files may compress better.
pub(crate) const RATIO_FREE: u64 = 10 * 1024 * 1024;

/// Counts the bytes that really come out, whatever the archive says of itself.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    job: &'a Job,
    /// Size of the archive.
    packed: u64,
    out: Cell<u64>,
    stopped: Cell<Option<Stop>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Size,
    Ratio,
    Cancelled,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(job: &'a Job, packed: u64) -> Self {
        Self {
            job,
            packed,
            out: Cell::new(0),
            stopped: Cell::new(None),
        }
    }

    /// A reader that stops with an error when a limit is passed. The decoders
    /// around it may hide the error; [`check`](Self::check) tells it.
    pub(crate) fn read<R: Read>(&self, inner: R) -> Metered<'_, R> {
        Metered { inner, meter: self }
    }

    /// The limit that was passed, as an error about the archive.
    pub(crate) fn check(&self, spelled: &str) -> Result<(), Error> {
        let why = match self.stopped.get() {
            None => return Ok(()),
            Some(Stop::Cancelled) => return Err(Error::Cancelled),
            Some(Stop::Size) => format!("it becomes larger than {EXPANDED_MAX} bytes"),
            Some(Stop::Ratio) => format!("it becomes more than {RATIO_MAX} times its size"),
        };
        Err(Error::UnsafeArchive {
            path: spelled.to_owned(),
            why,
        })
    }

    fn count(&self, bytes: usize) -> Result<(), Stop> {
        let out = self.out.get().saturating_add(bytes as u64);
        self.out.set(out);
        let stop = if out > EXPANDED_MAX {
            Stop::Size
        } else if out > RATIO_FREE && out > self.packed.saturating_mul(RATIO_MAX) {
            Stop::Ratio
        } else if self.job.go_on().is_err() {
            Stop::Cancelled
        } else {
            return Ok(());
        };
        self.stopped.set(Some(stop));
        Err(stop)
    }
}

/// See [`Meter::read`].
#[derive(Debug)]
pub(crate) struct Metered<'a, R> {
    inner: R,
    meter: &'a Meter<'a>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.meter.count(n) {
            Ok(()) => Ok(n),
            Err(_) => Err(io::Error::other("a limit is passed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn check(packed: u64, out: u64, stop: Option<Stop>) {
        let bench = Bench::new();
        let job = bench.job();
        let meter = Meter::new(&job, packed);
        meter.out.set(out - 1);
        assert_eq!(meter.count(1).err(), stop, "{packed} became {out}");
        assert_eq!(meter.check("x").is_err(), stop.is_some());
    }

    #[test]
    fn limits_hold_at_their_edges() {
        check(1, RATIO_FREE, None);
        check(1, RATIO_FREE + 1, Some(Stop::Ratio));
        check(100_000, 100_000 * RATIO_MAX, None);
        check(100_000, 100_000 * RATIO_MAX + 1, Some(Stop::Ratio));
        check(u64::MAX, EXPANDED_MAX, None);
        check(u64::MAX, EXPANDED_MAX + 1, Some(Stop::Size));
    }

    #[test]
    fn cancelled_job_stops_the_reader() {
        let bench = Bench::new();
        let job = bench.job();
        let meter = Meter::new(&job, 1);
        let mut reader = meter.read(&b"0123456789"[..]);
        assert_eq!(reader.read(&mut [0; 4]).unwrap(), 4);
        job.cancel();
        assert!(reader.read(&mut [0; 4]).is_err());
        assert!(matches!(meter.check("x"), Err(Error::Cancelled)));
    }
}
