//! The generated types of every package, and their descriptors.
//!
//! One cargo feature per package, none on by default: a crate that is built
//! without `file` cannot name a type of the file engine, and so cannot treat one
//! of its tools specially. [`DESCRIPTORS`] is always whole; whoever serves all
//! tools reads that.
//!
//! Nothing of ours is imported here.

/// All packages as an encoded `FileDescriptorSet`, with options and comments.
///
/// Must stay bytes: decoding it into `prost_types` drops the options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The nouns that have a package here: engines, and the packages that they share.
pub const PACKAGES: &[&str] = include!(concat!(env!("OUT_DIR"), "/packages.rs"));

/// Largest message in either direction, in bytes: set in every client and server.
///
/// Larger than any answer that a person or an agent can use at once; streams and
/// pages carry more. Bounds what one call can make a process allocate.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;

pub use gearmesh::*;

#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
mod gearmesh {
    pub mod tool {
        pub mod v1 {
            tonic::include_proto!("gearmesh.tool.v1");
        }
    }
    #[cfg(feature = "browser")]
    pub mod browser {
        pub mod v1 {
            tonic::include_proto!("gearmesh.browser.v1");
        }
    }
    #[cfg(feature = "db")]
    pub mod db {
        pub mod v1 {
            tonic::include_proto!("gearmesh.db.v1");
        }
    }
    #[cfg(feature = "email")]
    pub mod email {
        pub mod v1 {
            tonic::include_proto!("gearmesh.email.v1");
        }
    }
    #[cfg(feature = "events")]
    pub mod events {
        pub mod v1 {
            tonic::include_proto!("gearmesh.events.v1");
        }
    }
    #[cfg(feature = "file")]
    pub mod file {
        pub mod v1 {
            tonic::include_proto!("gearmesh.file.v1");
        }
    }
    #[cfg(feature = "http")]
    pub mod http {
        pub mod v1 {
            tonic::include_proto!("gearmesh.http.v1");
        }
    }
    #[cfg(feature = "identity")]
    pub mod identity {
        pub mod v1 {
            tonic::include_proto!("gearmesh.identity.v1");
        }
    }
    #[cfg(feature = "journal")]
    pub mod journal {
        pub mod v1 {
            tonic::include_proto!("gearmesh.journal.v1");
        }
    }
    #[cfg(feature = "ledger")]
    pub mod ledger {
        pub mod v1 {
            tonic::include_proto!("gearmesh.ledger.v1");
        }
    }
    #[cfg(feature = "orchestrator")]
    pub mod orchestrator {
        pub mod v1 {
            tonic::include_proto!("gearmesh.orchestrator.v1");
        }
    }
    #[cfg(feature = "scheduler")]
    pub mod scheduler {
        pub mod v1 {
            tonic::include_proto!("gearmesh.scheduler.v1");
        }
    }
    #[cfg(feature = "state")]
    pub mod state {
        pub mod v1 {
            tonic::include_proto!("gearmesh.state.v1");
        }
    }
    #[cfg(feature = "vault")]
    pub mod vault {
        pub mod v1 {
            tonic::include_proto!("gearmesh.vault.v1");
        }
    }
}

#[allow(
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the options of the tool package name these"
)]
mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}
