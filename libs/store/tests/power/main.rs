//! What was acknowledged outlives the power, a full disk, a flush that fails and a bit that flips.
//!
//! The store runs on a disk that keeps what was flushed and nothing more (`gearmesh-faultdisk`).
//! Writers note what they were told is done; after a crash the store is opened again on what the
//! disk shows, and all of that must be there, whole, and of the rest nothing by half.
//!
//! Each suite prints one `RESULT` line. `GEARMESH_POWER_SCALE` multiplies the trials, and
//! `GEARMESH_POWER_SEED` is the first seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod book;
mod check;
mod crash;
mod flip;
mod flush;
mod full;
mod machine;
mod result;
mod writer;
