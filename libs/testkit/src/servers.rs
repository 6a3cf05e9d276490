//! Real servers for tests, each private to the test: own folder, own free port on
//! loopback, ended with the value that started it.

mod consul;
mod consul_stand_in;
mod mail;
mod mariadb;
mod otlp;
mod part;
mod postgres;
mod redis;
mod user;

pub use consul::Consul;
pub use consul_stand_in::ConsulStandIn;
pub use mail::Mail;
pub use mariadb::MariaDb;
pub use otlp::{Otlp, TracedSpan};
pub use postgres::Postgres;
pub use redis::Redis;
