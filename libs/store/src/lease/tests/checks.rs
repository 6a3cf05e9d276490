//! What must hold in every world, and what all of them together must have met.

use std::collections::BTreeMap;

use crate::run_id::Shard;

/// What the commits of a world have shown.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Who has committed at an epoch of a shard.
    holders: BTreeMap<(Shard, i64), String>,
    /// The newest epoch at which somebody has committed.
    newest: BTreeMap<Shard, i64>,
    pub(super) counted: Counted,
}

/// What the worlds have met.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    pub(super) commits: u64,
    pub(super) blocked: u64,
    pub(super) acquisitions: u64,
    pub(super) kills: u64,
    pub(super) pauses: u64,
    pub(super) cuts: u64,
    pub(super) store_crashes: u64,
    pub(super) drains: u64,
}

impl Checks {
    pub(super) fn committed(&mut self, seed: u64, shard: Shard, epoch: i64, by: &str) {
        self.counted.commits += 1;
        let holder = self
            .holders
            .entry((shard, epoch))
            .or_insert_with(|| by.to_owned());
        assert_eq!(
            holder, by,
            "seed {seed}: two holders of shard {shard} at epoch {epoch}"
        );
        let newest = self.newest.entry(shard).or_insert(epoch);
        assert!(
            *newest <= epoch,
            "seed {seed}: shard {shard} goes back to epoch {epoch}"
        );
        *newest = epoch;
    }
}

impl Counted {
    pub(super) fn add(&mut self, other: Self) {
        self.commits += other.commits;
        self.blocked += other.blocked;
        self.acquisitions += other.acquisitions;
        self.kills += other.kills;
        self.pauses += other.pauses;
        self.cuts += other.cuts;
        self.store_crashes += other.store_crashes;
        self.drains += other.drains;
    }

    pub(super) fn check_reach(&self) {
        for (what, count) in [
            ("blocked", self.blocked),
            ("kills", self.kills),
            ("pauses", self.pauses),
            ("cuts", self.cuts),
            ("store crashes", self.store_crashes),
            ("drains", self.drains),
        ] {
            assert!(count > 100, "only {count} {what}");
        }
    }

    pub(super) fn line(&self, suite: &str, trials: u64) -> String {
        format!(
            r#"{{"suite":"{suite}","seed0":0,"trials":{trials},"faults":{{"kill":{},"pause":{},"cut":{},"storeCrash":{},"drain":{}}},"acquisitions":{},"commits":{},"doubleLease":0,"staleWritesBlocked":{},"stuck":0}}"#,
            self.kills,
            self.pauses,
            self.cuts,
            self.store_crashes,
            self.drains,
            self.acquisitions,
            self.commits,
            self.blocked,
        )
    }
}
