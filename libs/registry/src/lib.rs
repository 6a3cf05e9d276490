//! Who serves what.
//!
//! A [`Registry`] answers one question, "which instances of this engine are there
//! now?", and goes on answering it: [`Registry::watch`] gives a channel whose value
//! is the present set. Four kinds, chosen by URL, none of which the callers can
//! tell apart:
//!
//! | URL | who says it | changes |
//! |---|---|---|
//! | `local:` | this process | at once |
//! | `static:file=https://a:8443,file=https://b:8443` | the configuration | never |
//! | `consul:http://127.0.0.1:8500` | the Consul agent of this host | by blocking query |
//! | `dns:{engine}.svc.example:8443` | the resolver of this host | each few seconds |
//!
//! An instance that serves says so with [`Registry::register`] and takes it back as
//! the first step of its drain. Whether an instance *answers* is not asked here: the
//! link that calls it sees that first, and has a breaker.
//!
//! Consul is spoken by a client of our own: see [`consul`](self#consul).
//!
//! # Consul
//!
//! The crate `consul-rs` (last release 2021) brings OpenSSL, a discontinued runtime
//! and process globals; its watch spins and never sees a service that became empty.
//! `rs-consul` registers past the agent, so that no health check runs. What is needed
//! is five requests; they are in `consul.rs`.
//!
//! Must not know: links, catalogues, any engine.

mod address;
mod consul;
mod dns;
mod error;
mod instance;
mod local;
mod register;
mod registry;
mod task;
mod watch;

pub use error::Error;
pub use instance::Instance;
pub use register::Registration;
pub use registry::{Registry, Settings};
