//! A file that is being written and has no name yet.
//!
//! The content goes into a file without name, which the kernel drops when the
//! process dies: a crash leaves nothing to clean. Done and on disk, it gets its
//! name in one step. Where a file is to be replaced there is no such step for a
//! nameless file; it takes a name of ours for the instant before the rename.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, CWD, FileType, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::content::CHUNK;
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::{FILE_MODE, Folder, kind, size};
use crate::relative::{DRAFT_PREFIX, DRAFT_SUFFIX};

/// What happens to a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the draft fails.
    Keep,
    /// It stays, and the draft fails unless both have the same bytes: then the
    /// same call was there before.
    Same,
    Replace,
}

/// When the content must be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// When the file gets its name, and the name with it.
    Now,
    /// Later, by one wait for many files.
    Later,
}

/// How often a rename is repeated that lost its temporary name to another call.
const RACES_MAX: u32 = 16;

/// A file without its name.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    folder: &'a Folder,
    file: File,
    /// The name that it has meanwhile, where the file system knows no nameless files.
    named: Option<String>,
    job: &'a Job,
    spelled: &'a str,
}

impl<'a> Draft<'a> {
    /// Begins a file in a folder.
    pub(crate) fn begin(job: &'a Job, folder: &'a Folder, spelled: &'a str) -> Result<Self, Error> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, ".", flags, FILE_MODE) {
            Ok(fd) => Ok(Self {
                folder,
                file: File::from(fd),
                named: None,
                job,
                spelled,
            }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                Self::begin_named(job, folder, spelled)
            }
            Err(e) => Err(Error::system(spelled, Act::Write, e)),
        }
    }

    /// As [`begin`](Self::begin), on a file system without nameless files.
    fn begin_named(job: &'a Job, folder: &'a Folder, spelled: &'a str) -> Result<Self, Error> {
        let name = name(job);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(folder, &name, flags, FILE_MODE)
            .map_err(|e| Error::system(spelled, Act::Write, e))?;
        Ok(Self {
            folder,
            file: File::from(fd),
            named: Some(name),
            job,
            spelled,
        })
    }

    /// Gives the file its name. Says how large it is.
    pub(crate) fn commit(
        mut self,
        name: &str,
        existing: Existing,
        durable: Durable,
    ) -> Result<u64, Error> {
        match self.finish(name, existing, durable) {
            Err(Errno::EXIST) if existing == Existing::Same && self.is(name)? => {
                let stat = rustix::fs::fstat(&self.file).map_err(|e| self.error(e))?;
                Ok(size(&stat))
            }
            finished => finished.map_err(|e| self.error(e)),
        }
    }

    /// Whether the file of this name has the same bytes.
    fn is(&self, name: &str) -> Result<bool, Error> {
        let (there, stat) = self.folder.file(name, self.spelled)?;
        let own = rustix::fs::fstat(&self.file).map_err(|e| self.error(e))?;
        if stat.st_size != own.st_size {
            return Ok(false);
        }
        let (mut x, mut y) = (vec![0; CHUNK], vec![0; CHUNK]);
        let (mut at, end) = (0, size(&own));
        while at < end {
            self.job.go_on()?;
            let n = CHUNK.min(usize::try_from(end - at).unwrap_or(CHUNK));
            let both = self
                .file
                .read_exact_at(&mut x[..n], at)
                .and_then(|()| there.read_exact_at(&mut y[..n], at));
            match both {
                Ok(()) if x[..n] == y[..n] => at += n as u64,
                Ok(()) => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(e) => return Err(self.write_error(e)),
            }
        }
        Ok(true)
    }

    fn finish(&mut self, name: &str, existing: Existing, durable: Durable) -> Result<u64, Errno> {
        let size = self.file.seek(SeekFrom::End(0)).map_err(|e| errno(&e))?;
        if durable == Durable::Now {
            self.job.fsyncs().sync(&self.file)?;
        }
        match self.named.take() {
            Some(temporary) => {
                let placed = self.place_named(&temporary, name, existing);
                if placed.is_err() {
                    self.named = Some(temporary);
                }
                placed?;
            }
            None => self.place_nameless(name, existing)?,
        }
        if durable == Durable::Now {
            self.job.fsyncs().sync(self.folder)?;
        }
        Ok(size)
    }

    fn place_nameless(&self, name: &str, existing: Existing) -> Result<(), Errno> {
        match self.link(name) {
            Err(Errno::EXIST) if existing == Existing::Replace => {}
            linked => return linked,
        }
        self.check_replaced(name)?;
        for _ in 0..RACES_MAX {
            let temporary = self::name(self.job);
            match self.link(&temporary) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                Err(e) => return Err(e),
            }
            match rustix::fs::renameat(self.folder, &temporary, self.folder, name) {
                // Swept away, however young.
                Err(Errno::NOENT) => {}
                renamed => {
                    if renamed.is_err() {
                        let _ = rustix::fs::unlinkat(self.folder, &temporary, AtFlags::empty());
                    }
                    return renamed;
                }
            }
        }
        Err(Errno::AGAIN)
    }

    fn place_named(&self, temporary: &str, name: &str, existing: Existing) -> Result<(), Errno> {
        match existing {
            Existing::Keep | Existing::Same => rustix::fs::renameat_with(
                self.folder,
                temporary,
                self.folder,
                name,
                RenameFlags::NOREPLACE,
            ),
            Existing::Replace => {
                self.check_replaced(name)?;
                rustix::fs::renameat(self.folder, temporary, self.folder, name)
            }
        }
    }

    fn link(&self, name: &str) -> Result<(), Errno> {
        // By way of /proc: the direct form asks for a capability.
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::linkat(CWD, own, self.folder, name, AtFlags::SYMLINK_FOLLOW)
    }

    /// A rename would replace a link or a FIFO as readily as a file. To look first
    /// is for the caller's sake alone: whatever comes between, only the name in
    /// this folder changes.
    fn check_replaced(&self, name: &str) -> Result<(), Errno> {
        match self.folder.look(name)?.map(|stat| kind(&stat)) {
            None | Some(FileType::RegularFile) => Ok(()),
            Some(FileType::Directory) => Err(Errno::ISDIR),
            Some(FileType::Symlink) => Err(Errno::LOOP),
            Some(_) => Err(Errno::NXIO),
        }
    }

    fn error(&self, errno: Errno) -> Error {
        Error::system(self.spelled, Act::Write, errno)
    }

    /// What an error of a write into it means.
    pub(crate) fn write_error(&self, cause: io::Error) -> Error {
        Error::io(self.spelled, Act::Write, cause)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.named {
            // Nothing helps if this fails; the sweep comes by later.
            let _ = rustix::fs::unlinkat(self.folder, temporary, AtFlags::empty());
        }
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Draft<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn name(job: &Job) -> String {
    format!("{DRAFT_PREFIX}{:016x}{DRAFT_SUFFIX}", job.random())
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use rustix::fs::Mode;

    use super::*;
    use crate::testing::Bench;

    fn put(
        bench: &Bench,
        name: &str,
        text: &str,
        existing: Existing,
        named: bool,
    ) -> Result<u64, Error> {
        let job = bench.job();
        let folder = Folder::ambient(&bench.work()).unwrap();
        let begin = if named {
            Draft::begin_named
        } else {
            Draft::begin
        };
        let mut draft = begin(&job, &folder, name)?;
        draft.write_all(text.as_bytes()).unwrap();
        draft.commit(name, existing, Durable::Now)
    }

    #[test]
    fn file_gets_its_name_when_it_is_whole() {
        for named in [false, true] {
            let bench = Bench::new();
            assert_eq!(put(&bench, "a", "one", Existing::Keep, named).unwrap(), 3);
            assert_eq!(bench.read("a"), "one");
            let meta = std::fs::metadata(bench.work().join("a")).unwrap();
            assert_eq!(
                (meta.permissions().mode() & 0o777, meta.nlink()),
                (0o600, 1)
            );
            let kept = put(&bench, "a", "two", Existing::Keep, named).unwrap_err();
            assert!(matches!(kept, Error::AlreadyExists { .. }), "{kept:?}");
            assert_eq!(
                put(&bench, "a", "three", Existing::Replace, named).unwrap(),
                5
            );
            assert_eq!(bench.read("a"), "three");
            assert_eq!(bench.names(""), ["a"], "nothing else is left");
        }
    }

    #[test]
    fn dropped_draft_leaves_nothing() {
        for named in [false, true] {
            let bench = Bench::new();
            let job = bench.job();
            let folder = Folder::ambient(&bench.work()).unwrap();
            let begin = if named {
                Draft::begin_named
            } else {
                Draft::begin
            };
            let mut draft = begin(&job, &folder, "a").unwrap();
            draft.write_all(b"half").unwrap();
            drop(draft);
            assert!(bench.names("").is_empty());
        }
    }

    #[test]
    fn neither_folder_nor_link_nor_fifo_is_replaced() {
        for named in [false, true] {
            let bench = Bench::new();
            let work = bench.work();
            std::fs::create_dir(work.join("dir")).unwrap();
            std::fs::write(work.join("target"), "t").unwrap();
            symlink("target", work.join("link")).unwrap();
            rustix::fs::mknodat(
                CWD,
                work.join("fifo"),
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
            let replace = |name| put(&bench, name, "x", Existing::Replace, named).unwrap_err();
            assert!(matches!(replace("dir"), Error::IsDirectory { .. }));
            assert!(matches!(replace("link"), Error::Link { .. }));
            assert!(matches!(replace("fifo"), Error::InvalidPath { .. }));
            assert_eq!(bench.read("target"), "t");
            assert_eq!(bench.names(""), ["dir", "fifo", "link", "target"]);
        }
    }

    #[test]
    fn same_bytes_pass_for_the_call_before() {
        for named in [false, true] {
            let bench = Bench::new();
            let long = "l".repeat(CHUNK + 1);
            put(&bench, "a", &long, Existing::Same, named).unwrap();
            assert_eq!(
                put(&bench, "a", &long, Existing::Same, named).unwrap(),
                long.len() as u64
            );
            for other in [format!("{}x", &long[1..]), long[1..].to_owned()] {
                let kept = put(&bench, "a", &other, Existing::Same, named).unwrap_err();
                assert!(matches!(kept, Error::AlreadyExists { .. }), "{kept:?}");
            }
            assert_eq!(bench.names(""), ["a"]);
        }
    }

    #[test]
    fn one_write_waits_for_the_file_and_for_its_name() {
        let bench = Bench::new();
        let before = bench.engine.fsyncs.count();
        put(&bench, "a", "x", Existing::Keep, false).unwrap();
        assert_eq!(bench.engine.fsyncs.count() - before, 2);
    }
}
