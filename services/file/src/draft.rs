//! A file that is being written and has no name yet.
//!
//! The content goes into a file without name, which the kernel drops when the
//! process dies: a crash leaves nothing to clean. Done and on disk, it gets its
//! name in one step. Where a file is to be replaced there is no such step for a
//! nameless file; it takes a name of ours for the instant before the rename. That
//! name comes from the call's key, so that the same call, sent again after a crash
//! in that instant, takes it away.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use aws_lc_rs::digest;
use rustix::fs::{AtFlags, CWD, FileType, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::claim::Claim;
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
        // Never a name that comes again: a second send would write into this one's file.
        let name = name(job.random());
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
        let claim = self.claim()?;
        let temporary = claim.name();
        match self.link(temporary) {
            // INVARIANT: nobody in this process uses the name, so a crash left it.
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(self.folder, temporary, AtFlags::empty())?;
                self.link(temporary)?;
            }
            linked => linked?,
        }
        let renamed = rustix::fs::renameat(self.folder, temporary, self.folder, name);
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(self.folder, temporary, AtFlags::empty());
        }
        renamed
    }

    /// A name for the instant before the rename: that of the call, unless the call
    /// was sent twice and both run.
    fn claim(&self) -> Result<Claim, Errno> {
        let claims = &self.job.engine.claims;
        claims
            .take(resent_name(self.job, self.spelled))
            .or_else(|| claims.take(name(self.job.random())))
            .ok_or(Errno::AGAIN)
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

/// The name of a file that is whole and about to be renamed.
fn resent_name(job: &Job, spelled: &str) -> String {
    let Some(key) = job.key() else {
        return name(job.random());
    };
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(key.as_bytes());
    context.update(&[0]);
    context.update(spelled.as_bytes());
    let digest = context.finish();
    let (head, _) = digest.as_ref().split_at(8);
    name(u64::from_be_bytes(head.try_into().expect("eight bytes")))
}

fn name(number: u64) -> String {
    format!("{DRAFT_PREFIX}{number:016x}{DRAFT_SUFFIX}")
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests;
