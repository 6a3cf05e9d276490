//! The one way to call an engine, wherever it runs.
//!
//! A [`Link`] is a boxed tower service, made from the `Routes` of a service in
//! this process or from a channel to another. Generated clients and the JSON
//! caller [`invoke`] take a `Link` and cannot tell which. A [`Mesh`] says which
//! link leads to which engine, and holds the catalogue of all that can be
//! reached; both change together when an engine joins.
//!
//! An engine with several instances is reached by a [`Pool`], which is a link too.
//!
//! [`Call`] is what travels beside a request: deadline, idempotency key, the run
//! and attempt it belongs to. [`reflect`] reads the descriptors of a server.
//!
//! Must not know: stores, services.

mod balance;
mod breaker;
mod call;
mod codec;
mod invoke;
mod link;
mod mesh;
mod outside;
mod peer;
mod pool;
mod pool_call;
mod pool_member;
mod reflect;
mod retry;
mod retry_body;
mod spiffe;
pub mod tls;
mod tls_remote;
mod tls_verify;

pub use call::{Call, KEY_MAX, MetadataError, names};
pub use invoke::{invoke, invoke_rpc, invoke_stream};
pub use link::{Link, LinkError, local, remote};
pub use mesh::{Engine, Mesh, Origin};
pub use outside::{CLIENT, HANDSHAKE, Login, Unmet, remote_as};
pub use peer::{Peer, PeerError, SCOPES_OID, write_scopes};
pub use pool::{Connect, Pool};
pub use reflect::reflect;
pub use spiffe::{Holder, ID_MAX, Spiffe, SpiffeError, is_domain, is_id};
pub use tls::{Credentials, TlsError, remote_tls};

/// Why a link could not be made or described.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("`{url}` is no address of a gRPC server: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server did not describe itself.
    #[error("`{url}` did not answer reflection: {status}")]
    Reflection {
        /// The server.
        url: String,
        /// What it said.
        status: Box<tonic::Status>,
    },
    /// The descriptors do not make a catalogue.
    #[error(transparent)]
    Catalog(#[from] gearmesh_catalog::Error),
}
