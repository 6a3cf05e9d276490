//! What the tests of the whole project share: an engine from elsewhere, and the
//! programs of this build as processes.
//!
//! The fixture engine is a stranger on purpose. Its proto is compiled here, no
//! crate of the product knows its types, and it joins a mesh by its address alone;
//! whatever a surface can do with its tools, it can do with anybody's.

mod caller;
mod command;
mod cover;
mod dev;
mod fixture;
mod local_mesh;
mod mesh;
mod program;

pub use caller::Caller;
pub use command::{Answer, gearmesh};
pub use cover::assert_covers;
pub use dev::Dev;
pub use fixture::{SERVICE, api as fixture_api};
pub use local_mesh::LocalMesh;
pub use mesh::{Fixture, Mesh, Settings};
pub use program::program;
