//! What the store shows of owners.

use crate::run_id::Shard;

/// What the store shows of instances and shards at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// All instances that have a row, dead ones too.
    pub instances: Vec<Seen>,
    /// All shards, by number.
    pub shards: Vec<SeenShard>,
}

/// An instance as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name, another one after each start.
    pub name: String,
    /// Whether its lease runs by the store's clock and its connection is there.
    pub alive: bool,
    /// Whether it gives its shards away.
    pub draining: bool,
}

/// A shard as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenShard {
    /// Its number.
    pub shard: Shard,
    /// Who owns it; empty for nobody.
    pub owner: String,
    /// How often it was acquired.
    pub epoch: i64,
}

impl View {
    /// Instances that share the shards.
    pub(super) fn sharers(&self) -> impl Iterator<Item = &str> {
        let shares = |seen: &&Seen| seen.alive && !seen.draining;
        self.instances
            .iter()
            .filter(shares)
            .map(|seen| seen.name.as_str())
    }

    /// Whether the owner of this name can still write.
    pub(super) fn is_alive(&self, owner: &str) -> bool {
        self.instances
            .iter()
            .any(|seen| seen.alive && seen.name == owner)
    }
}
