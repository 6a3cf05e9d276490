//! What a bus is opened with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Milliseconds since 1970: the clock is the caller's.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Newest events that are kept, of all topics together: what nobody trims does
/// not fill the disk. At 1 KiB each it is a gigabyte.
pub const EVENTS_KEPT: i64 = 1_000_000;

/// Subscribers of one process: each is a task and reads by itself.
pub const SUBSCRIBERS_MAX: usize = 1_000;

/// Groups of a bus: each keeps a place and what was not acknowledged.
pub const GROUPS_MAX: usize = 1_000;

/// Events that one member may hold without acknowledging them; at the limit it
/// gets no further ones, so that what is pending stays bounded.
pub const IN_FLIGHT_MAX: usize = 1_000;

/// What a bus is opened with.
#[derive(Clone)]
pub struct Options {
    /// The state folder, for `local:`.
    pub folder: PathBuf,
    /// The time.
    pub now: Now,
    /// Tells this process from others at the same bus.
    pub instance: String,
    /// Newest events that are kept; see [`EVENTS_KEPT`].
    pub keep: i64,
}

impl Options {
    /// Options with the usual limits.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, instance: impl Into<String>, now: Now) -> Self {
        Self {
            folder: folder.into(),
            now,
            instance: instance.into(),
            keep: EVENTS_KEPT,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("folder", &self.folder)
            .field("instance", &self.instance)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
