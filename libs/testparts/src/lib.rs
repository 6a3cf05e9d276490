//! Servers that tests start: a folder, a port, a child process that ends with it.
//!
//! A crate of its own, so that the tests of what the mesh itself stands on can have a
//! server without the mesh. Must not know: any other crate of ours.

mod part;
mod postgres;
mod user;
mod wait;

pub use part::{Part, READY_MAX, free_port, open_folder};
pub use postgres::Postgres;
pub use user::User;
pub use wait::wait_until;
