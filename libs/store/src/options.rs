//! How a store is opened.

/// How a store is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What a commit survives.
    pub durability: Durability,
}

/// What a commit that was answered survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: every commit waits for the disk.
    #[default]
    Power,
    /// The end of the process only. After a loss of power the newest commits
    /// may be missing; for caches, never for what somebody was told is done.
    Process,
}
