//! Real servers for tests, each private to the test: own folder, own free port on
//! loopback, ended with the value that started it.

mod otlp;
mod part;

pub use otlp::{Otlp, TracedSpan};
