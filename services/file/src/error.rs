//! Why the engine refuses.

use std::io;

use gearmesh_api::file::v1::FileFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};
use rustix::io::Errno;

/// Why a call failed. `path` is always spelled as the caller spelled it: the
/// folders behind the roots are nobody's business.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("nothing is at `{path}`")]
    NotFound { path: String },
    #[error("something is at `{path}` already")]
    AlreadyExists { path: String },
    #[error("the system denies access to `{path}`")]
    Denied { path: String },
    #[error("`{path}` {why}")]
    InvalidPath { path: String, why: &'static str },
    #[error("`{path}` leads out of its root")]
    Escapes { path: String },
    #[error(
        "no root maps `{path}`; use a relative path, or map a folder with `--root {prefix}=DIR`"
    )]
    Unmapped { path: String, prefix: String },
    #[error("no root is named `{name}`, as `{path}` asks")]
    NoRoot { path: String, name: String },
    #[error("the root of `{path}` may only be read")]
    ReadOnly { path: String },
    #[error("`{path}` asks for the folder of a workflow file, but this call comes from none")]
    NoWorkflow { path: String },
    #[error("`{path}` is or passes a symbolic link")]
    Link { path: String },
    #[error("`{path}` has more than one hard link")]
    HardLink { path: String },
    #[error("`{path}` is a folder")]
    IsDirectory { path: String },
    #[error("`{path}` is no folder, or passes a file")]
    IsNoDirectory { path: String },
    #[error("folder `{path}` is not empty")]
    NotEmpty { path: String },
    #[error("`{path}` {why}")]
    TooLarge { path: String, why: String },
    #[error("the answer about `{path}` would be larger than {max} bytes; ask for less at once")]
    AnswerTooLarge { path: String, max: u64 },
    #[error("no space is left to write `{path}`")]
    DiskFull { path: String },
    #[error("`{path}` could not be read: {cause}")]
    Read { path: String, cause: io::Error },
    #[error("`{path}` could not be written: {cause}")]
    Write { path: String, cause: io::Error },
    #[error("`{path}` is no sound archive: {why}")]
    ArchiveInvalid { path: String, why: String },
    #[error("archive `{path}` is refused: entry `{entry}` {why}")]
    UnsafeEntry {
        path: String,
        entry: String,
        why: &'static str,
    },
    #[error("archive `{path}` is refused: {why}")]
    UnsafeArchive { path: String, why: String },
    #[error("`{path}` is not UTF-8 text at byte {at}")]
    NotText { path: String, at: u64 },
    #[error("`{field}` {why}")]
    Parameter { field: String, why: String },
    #[error("the call was cancelled")]
    Cancelled,
    #[error("the item did not begin, since an earlier one had failed")]
    NotBegun,
}

/// What the engine was about to do when the system answered an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Read,
    Write,
}

impl Error {
    /// What the system's answer means for a path.
    pub(crate) fn system(path: &str, act: Act, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::NOENT => Self::NotFound { path },
            Errno::EXIST => Self::AlreadyExists { path },
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied { path },
            Errno::LOOP => Self::Link { path },
            // What `openat2` answers to a way out of the folder that it was given.
            Errno::XDEV => Self::Escapes { path },
            Errno::ISDIR => Self::IsDirectory { path },
            Errno::NOTDIR => Self::IsNoDirectory { path },
            Errno::NOTEMPTY => Self::NotEmpty { path },
            Errno::NOSPC | Errno::DQUOT => Self::DiskFull { path },
            Errno::FBIG => Self::TooLarge {
                path,
                why: "is larger than the file system keeps".into(),
            },
            Errno::NAMETOOLONG => Self::InvalidPath {
                path,
                why: "is longer than the file system keeps",
            },
            // A FIFO without a reader, or a socket.
            Errno::NXIO => Self::special(&path),
            _ => match act {
                Act::Read => Self::Read {
                    path,
                    cause: errno.into(),
                },
                Act::Write => Self::Write {
                    path,
                    cause: errno.into(),
                },
            },
        }
    }

    /// What an error of the standard library means for a path.
    pub(crate) fn io(path: &str, act: Act, cause: io::Error) -> Self {
        match Errno::from_io_error(&cause) {
            Some(errno) => Self::system(path, act, errno),
            None if act == Act::Read => Self::Read {
                path: path.to_owned(),
                cause,
            },
            None => Self::Write {
                path: path.to_owned(),
                cause,
            },
        }
    }

    /// A device, FIFO or socket.
    pub(crate) fn special(path: &str) -> Self {
        Self::InvalidPath {
            path: path.to_owned(),
            why: "is neither a regular file nor a folder",
        }
    }

    pub(crate) fn parameter(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Parameter {
            field: field.into(),
            why: why.into(),
        }
    }

    fn path(&self) -> Option<&str> {
        match self {
            Self::NotFound { path }
            | Self::AlreadyExists { path }
            | Self::Denied { path }
            | Self::InvalidPath { path, .. }
            | Self::Escapes { path }
            | Self::Unmapped { path, .. }
            | Self::NoRoot { path, .. }
            | Self::ReadOnly { path }
            | Self::NoWorkflow { path }
            | Self::Link { path }
            | Self::HardLink { path }
            | Self::IsDirectory { path }
            | Self::IsNoDirectory { path }
            | Self::NotEmpty { path }
            | Self::TooLarge { path, .. }
            | Self::AnswerTooLarge { path, .. }
            | Self::DiskFull { path }
            | Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::ArchiveInvalid { path, .. }
            | Self::UnsafeEntry { path, .. }
            | Self::UnsafeArchive { path, .. }
            | Self::NotText { path, .. } => Some(path),
            Self::Parameter { .. } | Self::Cancelled | Self::NotBegun => None,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let fault = match self {
            Self::NotFound { .. } => FileFault::FileNotFound,
            Self::AlreadyExists { .. } => FileFault::FileAlreadyExists,
            Self::Denied { .. } => FileFault::FileAccessDenied,
            Self::InvalidPath { .. } => FileFault::InvalidPath,
            Self::Escapes { .. } | Self::Unmapped { .. } => FileFault::PathEscapesRoot,
            Self::NoRoot { .. } | Self::ReadOnly { .. } | Self::NoWorkflow { .. } => {
                FileFault::RootDenied
            }
            Self::Link { .. } | Self::HardLink { .. } => FileFault::Symlink,
            Self::IsDirectory { .. } => FileFault::FileIsDirectory,
            Self::IsNoDirectory { .. } => FileFault::FileIsNoDirectory,
            Self::NotEmpty { .. } => FileFault::DirectoryNotEmpty,
            Self::TooLarge { .. } => FileFault::FileTooLarge,
            Self::DiskFull { .. } => FileFault::DiskFull,
            Self::Read { .. } => FileFault::FileReadFailed,
            Self::Write { .. } => FileFault::FileWriteFailed,
            Self::ArchiveInvalid { .. } => FileFault::ArchiveInvalid,
            Self::UnsafeEntry { .. } | Self::UnsafeArchive { .. } => FileFault::ArchiveUnsafe,
            Self::NotText { .. } => FileFault::NotText,
            Self::AnswerTooLarge { .. } => return common(CommonFault::ResponseTooLarge),
            Self::Parameter { .. } => return common(CommonFault::InvalidParameters),
            Self::Cancelled | Self::NotBegun => return common(CommonFault::Cancelled),
        };
        reason("gearmesh.file.v1.FileFault", fault as i32)
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut facts: Vec<_> = self
            .path()
            .map(|p| ("path", p.to_owned()))
            .into_iter()
            .collect();
        if let Self::UnsafeEntry { entry, .. } = self {
            facts.push(("entry", entry.clone()));
        }
        facts
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Parameter { field, why } => vec![(field.clone(), why.clone())],
            _ => Vec::new(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
