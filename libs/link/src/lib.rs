//! The one way to call an engine, wherever it runs.
//!
//! A [`Link`] is a boxed tower service, made from the `Routes` of a service in
//! this process or from a channel to another. Generated clients and the JSON
//! caller [`invoke`] take a `Link` and cannot tell which. A [`Mesh`] says which
//! link leads to which engine, and holds the catalogue of all that can be
//! reached; both change together when an engine joins.
//!
//! [`Call`] is what travels beside a request: deadline, idempotency key, the run
//! and attempt it belongs to. [`reflect`] reads the descriptors of a server.
//!
//! Must not know: stores, services.

mod call;
mod codec;
mod invoke;
mod link;
mod mesh;
mod reflect;

pub use call::{Call, KEY_MAX, MetadataError, names};
pub use invoke::{invoke, invoke_stream};
pub use link::{Link, LinkError, local, remote};
pub use mesh::{Engine, Mesh, Origin};
pub use reflect::reflect;

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
