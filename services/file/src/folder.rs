//! An open folder, below which everything is reached by handle.
//!
//! INVARIANT: no path is ever looked at and then used. Each step opens with
//! `openat2` beneath the handle, without links, and what is known of a file comes
//! from the opened handle; so whoever renames or links meanwhile changes nothing.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, Statx, StatxFlags};
use rustix::io::Errno;

use crate::error::{Act, Error};
use crate::fsync::Fsyncs;

/// Mode of each new file: its owner's.
pub(crate) const FILE_MODE: Mode = Mode::from_raw_mode(0o600);

/// Mode of each new folder: its owner's.
pub(crate) const FOLDER_MODE: Mode = Mode::from_raw_mode(0o700);

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// How often a lookup is repeated that raced with a rename somewhere on the
/// machine; the kernel answers EAGAIN to such.
const RACES_MAX: u32 = 128;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder of the machine itself: that of a root, which whoever
    /// configured it chose, links included.
    pub(crate) fn ambient(path: &Path) -> Result<Self, Errno> {
        let fd = rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Opens what is at a path below, by the rules above. Empty: the folder itself.
    pub(crate) fn open(&self, below: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let below = if below.is_empty() { "." } else { below };
        let flags = flags | OFlags::CLOEXEC;
        for _ in 0..RACES_MAX {
            match rustix::fs::openat2(&self.fd, below, flags, mode, BENEATH) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return opened,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Opens a folder below.
    pub(crate) fn folder(&self, below: &str) -> Result<Self, Errno> {
        self.open(below, FOLDER, Mode::empty())
            .map(|fd| Self { fd })
    }

    /// Opens a file below for reading: a regular one with one link.
    pub(crate) fn file(&self, below: &str, spelled: &str) -> Result<(File, Stat), Error> {
        // Without O_NONBLOCK the open of a FIFO would wait for its writer.
        let fd = self
            .open(
                below,
                OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
                Mode::empty(),
            )
            .map_err(|e| Error::system(spelled, Act::Read, e))?;
        let stat = regular(&fd, spelled, Act::Read)?;
        Ok((File::from(fd), stat))
    }

    /// What is known of a path below, whatever is there; it is not opened itself.
    pub(crate) fn facts(&self, below: &str) -> Result<Statx, Errno> {
        // Not with O_NOFOLLOW: that would open a link itself, where it must be refused.
        let fd = self.open(below, OFlags::PATH, Mode::empty())?;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        rustix::fs::statx(&fd, "", AtFlags::EMPTY_PATH, wanted)
    }

    /// What a name in this very folder is, links not followed; none: nothing.
    pub(crate) fn look(&self, name: &str) -> Result<Option<Stat>, Errno> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes a folder with its parents and opens it; says whether it made any.
    /// Without `syncs` the caller brings them to the disk later.
    pub(crate) fn make(&self, below: &str, syncs: Option<&Fsyncs>) -> Result<(Self, bool), Errno> {
        match self.folder(below) {
            Err(Errno::NOENT) => {}
            opened => return opened.map(|folder| (folder, false)),
        }
        let mut folder = self.folder("")?;
        let mut made = false;
        for name in below.split('/') {
            folder = match folder.folder(name) {
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(&folder, name, FOLDER_MODE) {
                        Ok(()) => {
                            made = true;
                            syncs.map_or(Ok(()), |s| s.sync(&folder))?;
                        }
                        // Somebody else made it meanwhile.
                        Err(Errno::EXIST) => {}
                        Err(e) => return Err(e),
                    }
                    folder.folder(name)?
                }
                opened => opened?,
            };
        }
        Ok((folder, made))
    }
}

/// Whether an open file is a regular one with one link.
pub(crate) fn regular(fd: impl AsFd, spelled: &str, act: Act) -> Result<Stat, Error> {
    let stat = rustix::fs::fstat(fd).map_err(|e| Error::system(spelled, act, e))?;
    let path = || spelled.to_owned();
    match kind(&stat) {
        FileType::RegularFile if stat.st_nlink > 1 => Err(Error::HardLink { path: path() }),
        FileType::RegularFile => Ok(stat),
        FileType::Directory => Err(Error::IsDirectory { path: path() }),
        FileType::Symlink => Err(Error::Link { path: path() }),
        _ => Err(Error::special(spelled)),
    }
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The size as the protocol counts it.
pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}
