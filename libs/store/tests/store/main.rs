//! The store through its public face: what every backend promises (`suite`),
//! what SQLite's files do, what servers do, and what outlives a crash.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod crash;
mod postgres;
mod property;
mod sqlite;
mod suite;
