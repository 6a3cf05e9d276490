//! Events under topics: one ordered log, kept until it is trimmed.
//!
//! A bus is opened by URL: `local:` is a file in the state folder, for one host;
//! `redis://` and `rediss://` are a Redis server, for many. Both are the same:
//! all topics share one log and one sequence, so that a cursor is one number
//! whatever the pattern; whoever follows, pulls, so that a slow subscriber costs
//! no memory; a group remembers at the bus how far it is and what its members
//! have not acknowledged, so that none of it dies with a process.
//!
//! `local:` keeps a SQLite file of its own rather than a table in some engine's
//! store: store and bus do not know each other, every service of a process may
//! publish, and WAL with `synchronous = FULL` makes an acknowledged event as
//! durable as a row of the store.
//!
//! Must not know: what an event means, tools, transport. One conformance suite
//! (`tests/suite`) runs on both.

mod bus;
mod error;
mod event;
mod local;
mod log;
mod options;
mod redis;
mod subscribers;
mod subscription;
mod topic;

pub use bus::{Bus, Driver};
pub use error::{Error, Result};
pub use event::{Delivery, Event, GroupState, NewEvent, Published, Recent, TopicState};
pub use options::{EVENTS_KEPT, GROUPS_MAX, IN_FLIGHT_MAX, Now, Options, SUBSCRIBERS_MAX};
pub use subscription::{Follow, Subscription};
pub use topic::{Name, Pattern, TOPIC_MAX, Topic};

pub use event::{PAYLOAD_MAX, RECENT_BYTES_MAX, RECENT_MAX, SOURCE_MAX};
