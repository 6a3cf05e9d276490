//! The line that says what a suite has tried, and its size.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use gearmesh_faultdisk::{Kind, Operation, Site};

/// Multiplies the trials of each suite.
const SCALE: &str = "GEARMESH_POWER_SCALE";
/// The first seed.
const SEED: &str = "GEARMESH_POWER_SEED";

#[expect(clippy::disallowed_methods, reason = "sizes of a run of tests")]
fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => otherwise,
    }
}

pub(crate) fn scale() -> u64 {
    number(SCALE, 1)
}

pub(crate) fn first_seed() -> u64 {
    number(SEED, 1)
}

/// What a suite has tried and found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) trials: u64,
    /// Faults by name.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Answers that said a write is done.
    pub(crate) acked: u64,
    /// Of these, not there afterwards.
    pub(crate) lost: u64,
    /// Writes that were there by half, wrong or never asked for.
    pub(crate) torn: u64,
    /// Writes that were refused, or not answered.
    pub(crate) refused: u64,
    pub(crate) sites: BTreeSet<Site>,
    /// Numbers of a suite's own.
    pub(crate) more: BTreeMap<&'static str, u64>,
    /// What was wrong, by seed.
    pub(crate) findings: Vec<String>,
}

impl Tally {
    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// A loss of power, which is a trial.
    pub(crate) fn lost_power(&mut self) {
        self.trials += 1;
        self.fault("powerLoss");
    }

    pub(crate) fn count(&mut self, name: &'static str, count: u64) {
        *self.more.entry(name).or_default() += count;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.trials += other.trials;
        self.acked += other.acked;
        self.lost += other.lost;
        self.torn += other.torn;
        self.refused += other.refused;
        self.sites.extend(other.sites);
        self.findings.extend(other.findings);
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in other.more {
            *self.more.entry(name).or_default() += count;
        }
    }

    /// Prints the line. The bound is that of no violation in so many trials, for these faults.
    #[expect(clippy::print_stdout, reason = "the line is what the suite is run for")]
    pub(crate) fn print(&self, suite: &str, expected: &[Site]) {
        let reached = expected.iter().filter(|s| self.sites.contains(s)).count();
        let numbers = |map: &BTreeMap<&str, u64>| {
            let list: Vec<_> = map.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
            list.join(",")
        };
        let more: String = match numbers(&self.more) {
            more if more.is_empty() => more,
            more => format!("{more},"),
        };
        println!(
            "RESULT {{\"suite\":\"{suite}\",\"commit\":\"{}\",\"seed0\":{},\"trials\":{},\"faults\":{{{}}},\
             \"acked\":{},\"refused\":{},\"lost\":{},\"torn\":{},{more}\"sites\":\"{reached}/{}\",\
             \"otherSites\":{},\"skipped\":[],\"upper95\":{:.6}}}",
            commit(),
            first_seed(),
            self.trials,
            numbers(&self.faults),
            self.acked,
            self.refused,
            self.lost,
            self.torn,
            expected.len(),
            self.sites.len() - reached,
            3.0 / self.trials.max(1) as f64,
        );
    }

    /// Ends the test where a site was never met.
    pub(crate) fn assert_reached(&self, expected: &[Site]) {
        let missed: Vec<_> = expected
            .iter()
            .filter(|site| !self.sites.contains(site))
            .map(|(phase, kind, operation)| (phase, kind.name(), operation.name()))
            .collect();
        assert!(missed.is_empty(), "never reached: {missed:?}");
    }
}

/// All operations of a phase on a kind of file.
pub(crate) fn sites(phase: &'static str, kind: Kind, operations: &[Operation]) -> Vec<Site> {
    operations.iter().map(|o| (phase, kind, *o)).collect()
}

fn commit() -> String {
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output();
    let text = output.ok().and_then(|o| String::from_utf8(o.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |t| t.trim().to_owned())
}
