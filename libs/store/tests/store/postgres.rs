//! The suite on PostgreSQL, and what holds for servers.

use crate::suite::suite;

suite!(crate::suite::Place::postgres);
