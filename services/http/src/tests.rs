//! The engine against servers on real sockets.

mod exchange;
mod limits;
mod peer;
mod sender;
