//! Digests of files, and files that have the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use aws_lc_rs::digest as lc;
use globset::GlobMatcher;
use md5::Digest as _;

use crate::content::pump;
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::listing::files;
use crate::place::Place;

/// A digest algorithm. MD5 and SHA-1 are for comparison with what others
/// publish; they protect nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// Files with one content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) hash: String,
    pub(crate) size: u64,
    /// Below the folder, sorted.
    pub(crate) paths: Vec<String>,
}

impl Algorithm {
    /// Reads a name; empty: SHA-256.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "" | "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(Error::parameter(
                "algorithm",
                "is md5, sha1, sha256 or sha512",
            )),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

enum Hasher {
    Md5(md5::Md5),
    Sha(lc::Context),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Sha1 => Self::Sha(lc::Context::new(&lc::SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Sha256 => Self::Sha(lc::Context::new(&lc::SHA256)),
            Algorithm::Sha512 => Self::Sha(lc::Context::new(&lc::SHA512)),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Md5(md5) => hex::encode(md5.finalize()),
            Self::Sha(sha) => hex::encode(sha.finish()),
        }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Md5(md5) => md5.update(bytes),
            Self::Sha(sha) => sha.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The digest of a file in lower-case hexadecimal.
pub(crate) fn hash(job: &Job, place: &Place, algorithm: Algorithm) -> Result<String, Error> {
    let (file, _) = place.root()?.file(place.below.as_str(), &place.spelled)?;
    hash_file(job, file, &place.spelled, algorithm)
}

fn hash_file(
    job: &Job,
    mut file: File,
    spelled: &str,
    algorithm: Algorithm,
) -> Result<String, Error> {
    let mut hasher = Hasher::new(algorithm);
    let failed = |e| Error::io(spelled, Act::Read, e);
    pump(job, &mut file, &mut hasher, &failed, &failed)?;
    Ok(hasher.finish())
}

/// Groups of equal files below a folder, the largest files first. Only files of
/// one size are read.
pub(crate) fn duplicates(
    job: &Job,
    place: &Place,
    recursive: bool,
    pattern: Option<GlobMatcher>,
    algorithm: Algorithm,
) -> Result<Vec<Group>, Error> {
    let mut by_size: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for file in files(job, place, recursive, pattern)? {
        if file.size > 0 {
            by_size
                .entry(file.size)
                .or_default()
                .push(file.below.to_string());
        }
    }
    let folder = place.folder()?;
    let mut groups = Vec::new();
    for (size, paths) in by_size
        .into_iter()
        .rev()
        .filter(|(_, paths)| paths.len() > 1)
    {
        let mut by_hash: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in paths {
            let spelled = place.spell(&path);
            match folder.file(&path, &spelled) {
                Ok((file, _)) => by_hash
                    .entry(hash_file(job, file, &spelled, algorithm)?)
                    .or_default()
                    .push(path),
                // Gone since it was listed.
                Err(Error::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let equal = by_hash.into_iter().filter(|(_, paths)| paths.len() > 1);
        groups.extend(equal.map(|(hash, paths)| Group { hash, size, paths }));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::pattern;
    use crate::testing::Bench;

    #[test]
    fn digests_are_those_that_others_compute() {
        let bench = Bench::new();
        bench.put("a", "abc");
        let job = bench.job();
        for (algorithm, expected) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "sha256",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "sha512",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let algorithm = Algorithm::parse(algorithm).unwrap();
            assert_eq!(
                hash(&job, &job.place("a").unwrap(), algorithm).unwrap(),
                expected
            );
        }
        assert_eq!(Algorithm::parse("").unwrap(), Algorithm::Sha256);
        assert!(Algorithm::parse("crc32").is_err());
    }

    #[test]
    fn only_files_with_equal_bytes_are_duplicates() {
        let bench = Bench::new();
        for (path, content) in [
            ("a", "same size 1"),
            ("d/b", "same size 1"),
            ("d/c", "same size 2"),
            ("d/e/f", "longer than the others"),
            ("d/e/g", "longer than the others"),
            ("empty1", ""),
            ("empty2", ""),
        ] {
            bench.put(path, content);
        }
        let job = bench.job();
        let find = |recursive, glob: &str| {
            let place = job.place(".").unwrap();
            let groups = duplicates(
                &job,
                &place,
                recursive,
                pattern(glob).unwrap(),
                Algorithm::Md5,
            )
            .unwrap();
            groups
                .into_iter()
                .map(|g| g.paths.join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(find(true, ""), ["d/e/f d/e/g", "a d/b"]);
        assert_eq!(find(false, "").len(), 0);
        assert_eq!(find(true, "d/**").len(), 1);
    }
}
