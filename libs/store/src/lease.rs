//! Which of the shards of a store an instance owns.
//!
//! Several instances of a service share a store by its shards: each run lies in one, and
//! whoever owns the shard is its only writer. Ownership is a lease that its holder renews.
//! A lease alone is never trusted, since a paused process does not notice that its own ran
//! out: every commit names the shard's epoch, which each acquisition raises, so that a late
//! holder can record nothing (durability.md 5). Taking a shard early is therefore always
//! safe, and done as soon as its owner is known to be dead.
//!
//! Everything is decided by one pure function, [`Leases::advance`], from what the store
//! showed and the instance's own boot clock; the simulation in `tests` and the service drive
//! the same code. What it asks for is done by the store's statements.
//!
//! Two departures from a lease per shard: the lease is the *instance's*, one row renewed each
//! second however many shards it has; and the registry has no say: who is alive is what the
//! store saw of it.

mod keeper;
mod plan;
#[cfg(test)]
mod tests;
mod view;

pub use keeper::{Change, Instance, Keeper, Owners};
pub use plan::{
    Command, Input, LOOK_EVERY_MS, Leases, RENEW_EVERY_MS, STEP_MS, STOP_EARLY_MS, TAKE_AGAIN_MS,
    TTL_MS,
};
pub use view::{Seen, SeenShard, View};
