//! One file, compressed and decompressed.

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::archive::Meter;
use crate::content::pump;
use crate::draft::{Draft, Durable};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::size;
use crate::place::Place;

/// The ending of compressed files.
pub(crate) const ENDING: &str = ".gz";

/// Compresses a file; says how large the compressed one is. Equal files give
/// equal bytes: neither name nor time goes into the header.
pub(crate) fn gzip(
    job: &Job,
    source: &Place,
    destination: &Place,
    overwrite: bool,
) -> Result<u64, Error> {
    let act = format!("gzip\0{}\0{}", source.spelled, destination.spelled);
    let (mut file, _) = source
        .root()?
        .file(source.below.as_str(), &source.spelled)?;
    let existing = job
        .engine
        .notes
        .existing(job, &act, destination, overwrite)?;
    let (folder, name) = destination.made_parent(Some(job.fsyncs()))?;
    let draft = Draft::begin(job, &folder, &destination.spelled)?;
    let read_error = |e| Error::io(&source.spelled, Act::Read, e);
    let write_error = |e| Error::io(&destination.spelled, Act::Write, e);
    let mut encoder = GzEncoder::new(draft, Compression::default());
    pump(job, &mut file, &mut encoder, &read_error, &write_error)?;
    let draft = encoder.finish().map_err(write_error)?;
    draft.commit(name, existing, Durable::Now)
}

/// Decompresses a file, within the limits of archives; says how large it is.
pub(crate) fn gunzip(
    job: &Job,
    source: &Place,
    destination: &Place,
    overwrite: bool,
) -> Result<u64, Error> {
    let act = format!("gunzip\0{}\0{}", source.spelled, destination.spelled);
    let (file, stat) = source
        .root()?
        .file(source.below.as_str(), &source.spelled)?;
    let existing = job
        .engine
        .notes
        .existing(job, &act, destination, overwrite)?;
    let (folder, name) = destination.made_parent(Some(job.fsyncs()))?;
    let mut draft = Draft::begin(job, &folder, &destination.spelled)?;
    let meter = Meter::new(job, size(&stat));
    let mut reader = meter.read(MultiGzDecoder::new(std::io::BufReader::new(file)));
    let read_error = |e| match meter.check(&source.spelled) {
        Err(limit) => limit,
        Ok(()) => crate::archive::broken(&source.spelled, e),
    };
    let write_error = |e| Error::io(&destination.spelled, Act::Write, e);
    pump(job, &mut reader, &mut draft, &read_error, &write_error)?;
    draft.commit(name, existing, Durable::Now)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::testing::Bench;

    type Tool = fn(&Job, &Place, &Place, bool) -> Result<u64, Error>;

    fn run(
        tool: Tool,
        job: &Job,
        source: &str,
        destination: &str,
        overwrite: bool,
    ) -> Result<u64, Error> {
        tool(
            job,
            &job.place(source)?,
            &job.place(destination)?,
            overwrite,
        )
    }

    #[test]
    fn file_survives_the_way_there_and_back() {
        let bench = Bench::new();
        bench.put("a", "hello ".repeat(1000));
        let packed = run(gzip, &bench.job(), "a", "b/a.gz", false).unwrap();
        assert!(packed < 200, "{packed}");
        assert_eq!(
            run(gunzip, &bench.job(), "b/a.gz", "c", false).unwrap(),
            6000
        );
        assert_eq!(bench.read("c"), bench.read("a"));
    }

    #[test]
    fn equal_files_give_equal_bytes() {
        let bench = Bench::new();
        bench.put("a", "x");
        bench.put("b", "x");
        run(gzip, &bench.job(), "a", "a.gz", false).unwrap();
        run(gzip, &bench.job(), "b", "b.gz", false).unwrap();
        let bytes = |name| std::fs::read(bench.work().join(name)).unwrap();
        assert_eq!(bytes("a.gz"), bytes("b.gz"));
    }

    #[test]
    fn nothing_is_overwritten_unasked_but_a_resend_succeeds() {
        let bench = Bench::new();
        bench.put("a", "x");
        run(gzip, &bench.keyed("k"), "a", "a.gz", false).unwrap();
        run(gzip, &bench.keyed("k"), "a", "a.gz", false).unwrap();
        let kept = run(gzip, &bench.job(), "a", "a.gz", false).unwrap_err();
        assert!(matches!(kept, Error::AlreadyExists { .. }), "{kept:?}");
        run(gzip, &bench.job(), "a", "a.gz", true).unwrap();
        run(gunzip, &bench.keyed("u"), "a.gz", "b", false).unwrap();
        run(gunzip, &bench.keyed("u"), "a.gz", "b", false).unwrap();
        assert!(matches!(
            run(gunzip, &bench.job(), "a.gz", "b", false),
            Err(Error::AlreadyExists { .. })
        ));
    }

    #[test]
    fn damaged_file_leaves_nothing_behind() {
        let bench = Bench::new();
        bench.put("a", "hello ".repeat(1000));
        run(gzip, &bench.job(), "a", "a.gz", false).unwrap();
        let mut bytes = std::fs::read(bench.work().join("a.gz")).unwrap();
        bench.put("short.gz", &bytes[..bytes.len() - 4]);
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        bench.put("crc.gz", &bytes);
        bench.put("text.gz", "no gzip at all");
        for name in ["short.gz", "crc.gz", "text.gz"] {
            let refused = run(gunzip, &bench.job(), name, "out", false).unwrap_err();
            assert!(
                matches!(refused, Error::ArchiveInvalid { .. }),
                "{name}: {refused:?}"
            );
            assert!(!bench.work().join("out").exists());
        }
    }

    #[test]
    fn bomb_is_refused_before_it_goes_off() {
        let bench = Bench::new();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..64 {
            encoder.write_all(&[0; 1 << 20]).unwrap();
        }
        bench.put("bomb.gz", encoder.finish().unwrap());
        let refused = run(gunzip, &bench.job(), "bomb.gz", "out", false).unwrap_err();
        assert!(
            matches!(refused, Error::UnsafeArchive { .. }),
            "{refused:?}"
        );
        assert_eq!(bench.names(""), ["bomb.gz"]);
    }
}
