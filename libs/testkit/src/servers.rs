//! Real servers for tests, each private to the test: own folder, own free port on
//! loopback, ended with the value that started it.

mod consul;
mod consul_stand_in;
mod mail;
mod mariadb;
mod otlp;
mod redis;

/// What starts them.
mod part {
    pub(crate) use gearmesh_testparts::{Part, READY_MAX, free_port, open_folder};
}
mod user {
    pub(crate) use gearmesh_testparts::User;
}

pub use gearmesh_testparts::Postgres;

pub use consul::Consul;
pub use consul_stand_in::ConsulStandIn;
pub use mail::Mail;
pub use mariadb::MariaDb;
pub use otlp::{Otlp, TracedSpan};
pub use redis::Redis;
