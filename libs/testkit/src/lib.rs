//! What tests of services share; imported by nothing else.
//!
//! Real parts only: a service runs behind its real layers on a real store in a
//! temporary folder, a process is the built binary, a kill is `kill -9`.

mod chance;
mod golden;
mod mesh;
mod process;
pub mod servers;
mod tree;

pub use chance::chance;
pub use gearmesh_testparts::wait_until;
pub use golden::golden;
pub use mesh::TestMesh;
pub use process::Process;
pub use tree::tree;
