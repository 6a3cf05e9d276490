//! A disk that fails on purpose, under the SQLite of this process.
//!
//! For tests alone: never more than a dev-dependency. What a disk promises is little: what was
//! flushed stays, and of the rest any part may be there after a loss of power, each sector as it
//! was at some moment since. Real disks keep that promise so generously that a forgotten flush
//! is never noticed. This one takes every liberty that a seed asks for.
//!
//! [`Disk::mount`] puts it under one folder. From then on SQLite's files in that folder live in
//! memory: what the system shows apart from what the disk holds. [`Disk::restart`] ends every
//! open connection, as the end of the process or of the power does, and leaves in the folder
//! itself what is there afterwards; so whoever opens the folder next, by SQLite or by the system's
//! own calls, sees the same. Faults ([`Fault`]) make one operation, or every one from then on, fail
//! or lie. Files elsewhere go to the real file system.
//!
//! It is the default file system of SQLite in the process that mounts it: what is under test
//! needs no setting that the product does not have.
//!
//! Must not know: what is in the files, and who opens them.

mod disk;
mod fault;
mod file;
mod image;
mod locks;
mod memory;
mod node;
mod vfs;

pub use disk::{Disk, Ending};
pub use fault::{Failure, Fault, Operation};
pub use node::{Kind, Site};
