//! Real servers for tests, each private to the test: own folder, own free port on
//! loopback, ended with the value that started it.

mod consul;
mod consul_stand_in;
mod otlp;
mod part;

pub use consul::Consul;
pub use consul_stand_in::ConsulStandIn;
pub use otlp::{Otlp, TracedSpan};
