//! A small web site that stands in for the world outside: pages and JSON APIs
//! with faults on demand.
//!
//! Examples and tests need a server that answers the same every time, fails when
//! told to, and remembers what it was asked even when the process was killed in
//! between. It speaks real HTTP on loopback and appears as an ordinary
//! connection; no engine knows it.
//!
//! What was asked is one append-only file, `requests.jsonl`: it is the log that
//! tests read and, by counting its lines, the state from which "the first two
//! requests fail" is decided.

mod api;
mod db;
mod error;
mod fault;
mod log;
mod mail;
mod page;
mod report;
mod site;

pub use db::demo_db;
pub use error::Error;
pub use mail::{DemoMail, MailAddresses};
pub use site::DemoSite;
