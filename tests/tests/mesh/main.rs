//! The mesh of processes: who gets in, what clients see, what a kill costs, what stays.
//!
//! Each test starts a mesh of its own by `deploy/local-mesh`; `.config/nextest.toml` has
//! them run one after the other.

mod clients;
mod doors;
mod kept;
mod killed;
mod load;
mod site;
