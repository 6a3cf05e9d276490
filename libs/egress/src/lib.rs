//! Which addresses a call may leave to.
//!
//! One text of the rules for every engine that lets a caller name a server: what is
//! loopback, private, link-local or a cloud's metadata is reached only where a
//! connection says so. Engines ask for each address that they are about to connect
//! to, after names are resolved and at every redirect.
//!
//! Must not know: anything of ours, sockets, names.

mod address;

pub use address::{Denied, Policy};
