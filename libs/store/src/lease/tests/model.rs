//! The store that instances share: what its statements promise, no more.

use std::collections::BTreeMap;

use crate::lease::{Seen, SeenShard, TTL_MS, View};
use crate::run_id::Shard;

#[derive(Debug, Clone, Default)]
struct Row {
    until_ms: i64,
    connected: bool,
    draining: bool,
}

#[derive(Debug, Clone, Default)]
struct ShardRow {
    owner: String,
    epoch: i64,
}

#[derive(Debug)]
pub(super) struct Model {
    rows: BTreeMap<String, Row>,
    /// Rows as they are on disk: renewals are flushed later.
    durable: BTreeMap<String, Row>,
    shards: Vec<ShardRow>,
}

impl Model {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            durable: BTreeMap::new(),
            shards: vec![ShardRow::default(); shards],
        }
    }

    pub(super) fn renew(&mut self, now_ms: i64, name: &str, draining: bool) {
        let row = Row {
            until_ms: now_ms + TTL_MS,
            connected: true,
            draining,
        };
        self.rows.insert(name.to_owned(), row);
    }

    pub(super) fn view(&self, now_ms: i64) -> View {
        let seen = |(name, row): (&String, &Row)| Seen {
            name: name.clone(),
            alive: row.connected && row.until_ms > now_ms,
            draining: row.draining,
        };
        let shard = |(n, row): (usize, &ShardRow)| SeenShard {
            shard: Shard::try_from(n).unwrap(),
            owner: row.owner.clone(),
            epoch: row.epoch,
        };
        View {
            instances: self.rows.iter().map(seen).collect(),
            shards: self.shards.iter().enumerate().map(shard).collect(),
        }
    }

    pub(super) fn acquire(
        &mut self,
        now_ms: i64,
        name: &str,
        wanted: &[Shard],
    ) -> Vec<(Shard, i64)> {
        let alive = |row: &Row| row.connected && row.until_ms > now_ms;
        let mut got = Vec::new();
        for shard in wanted {
            let row = &self.shards[usize::from(*shard)];
            let owner = self.rows.get(&row.owner);
            if row.owner == name || row.owner.is_empty() || !owner.is_some_and(alive) {
                let row = &mut self.shards[usize::from(*shard)];
                name.clone_into(&mut row.owner);
                row.epoch += 1;
                got.push((*shard, row.epoch));
            }
        }
        got
    }

    pub(super) fn release(&mut self, shard: Shard, epoch: i64) {
        let row = &mut self.shards[usize::from(shard)];
        if row.epoch == epoch {
            row.owner.clear();
        }
    }

    /// Whether a commit passes the fence.
    pub(super) fn commit(&self, shard: Shard, epoch: i64) -> bool {
        self.shards[usize::from(shard)].epoch == epoch
    }

    pub(super) fn owner(&self, shard: usize) -> (&str, i64) {
        let row = &self.shards[shard];
        (&row.owner, row.epoch)
    }

    pub(super) fn lease_runs(&self, now_ms: i64, name: &str) -> bool {
        self.rows.get(name).is_some_and(|row| row.until_ms > now_ms)
    }

    pub(super) fn flush(&mut self) {
        self.durable = self.rows.clone();
    }

    pub(super) fn cut(&mut self, name: &str) {
        if let Some(row) = self.rows.get_mut(name) {
            row.connected = false;
        }
    }

    /// Loses what was not flushed, and all connections.
    pub(super) fn crash(&mut self) {
        self.rows = self.durable.clone();
        for row in self.rows.values_mut() {
            row.connected = false;
        }
    }
}
