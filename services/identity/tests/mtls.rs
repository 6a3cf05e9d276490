//! Processes of a mesh over real TLS: who gets in, who does not, and how leaves change.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "mtls/mesh.rs"]
mod mesh;
#[path = "mtls/refused.rs"]
mod refused;
#[path = "mtls/registered.rs"]
mod registered;
#[path = "mtls/renewed.rs"]
mod renewed;
