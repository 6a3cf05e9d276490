//! Runs services: from configuration to drain.
//!
//! A process is a slice of services. [`start`] binds first, starts each service
//! with a [`Context`], wraps its routes in the one layer stack ([`guard`]), puts
//! it on the [`Mesh`](gearmesh_link::Mesh), serves, and on a signal drains. The
//! same code runs one engine as a container and all of them on a laptop.
//!
//! This crate alone reads the environment, binds sockets, starts tasks and
//! installs tracing. Must not know: any service.

mod alive;
mod clock;
mod config;
mod connections;
mod context;
mod dispatch;
mod error;
mod guard;
mod join;
mod keyed;
mod leaf;
mod leaf_credential;
mod ledger;
mod peer;
mod process;
mod reflection;
mod register;
mod scrub;
mod seals;
mod secret;
mod secrets;
mod serve;
mod service;
mod siblings;
mod storage;
mod telemetry;
mod tls;
pub mod trace;

pub use alive::{answer as answer_alive, ask as ask_alive};
pub use clock::{Clock, Rng, SystemClock, SystemRng};
pub use config::{Config, Connection};
pub use connections::{Connections, Found};
pub use context::Context;
pub use error::Error;
pub use gearmesh_link::{Call, Holder, Peer, Spiffe};
pub use keyed::Keyed;
pub use leaf::{IssueError, Issued, Issuer, TRUST_DOMAIN, ask_leaf, read_certificates};
pub use leaf_credential::{NodeCredential, read_private};
pub use process::{main, stop_signal};
pub use reflection::Reflection;
pub use seals::Seals;
pub use secret::Secret;
pub use secrets::Secrets;
pub use serve::{Running, start, start_at};
pub use service::{CallOf, Service, Started};
pub use telemetry::log_to_stderr;
pub use tls::Caller;

pub use futures::future::BoxFuture;
pub use tokio_util::sync::CancellationToken;
