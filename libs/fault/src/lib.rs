//! What went wrong, said once.
//!
//! A reason of failure is a value of a fault enum in a proto: the value carries
//! the gRPC code and whether a retry helps, its comment says cause and remedy.
//! Here an error of the domain becomes a [`tonic::Status`] with `ErrorInfo`, and
//! a `Status` from anywhere becomes a [`Failure`] that every surface can show.
//! Nobody else builds a `Status`.
//!
//! Must not know: stores, links, engines. It reads the descriptors of `api` only.

mod failure;
mod reason;
mod status;

pub use failure::{Failure, Violation};
pub use reason::{Meaning, common, meaning, reason};
pub use status::{Fault, Refusal, status};

pub use prost_reflect::EnumValueDescriptor;
