//! Leases under simulated faults, and single steps.

mod checks;
mod model;
mod world;

use super::{Command, Input, Leases, STOP_EARLY_MS, Seen, SeenShard, TTL_MS, View};
use crate::run_id::Shard;
use world::{Faults, World};

/// Worlds of one test; a nightly run takes more by its own number.
const SEEDS: u64 = 2_000;

fn view(owners: &[(&str, i64)], alive: &[&str]) -> View {
    let seen = |name: &&str| Seen {
        name: (*name).to_owned(),
        alive: true,
        draining: false,
    };
    let shard = |(n, (owner, epoch)): (usize, &(&str, i64))| SeenShard {
        shard: Shard::try_from(n).unwrap(),
        owner: (*owner).to_owned(),
        epoch: *epoch,
    };
    View {
        instances: alive.iter().map(seen).collect(),
        shards: owners.iter().enumerate().map(shard).collect(),
    }
}

/// One that has renewed at 0 and has these shards at epoch 1.
fn holder(shards: &[Shard]) -> Leases {
    let mut leases = Leases::new("a".to_owned());
    leases.advance(0, Input::Renewed { sent_ms: 0 });
    let got = shards.iter().map(|s| (*s, 1)).collect();
    leases.advance(0, Input::Acquired(got));
    leases
}

fn acts(commands: Vec<Command>) -> Vec<Command> {
    let routine = |c: &Command| matches!(c, Command::Renew | Command::Look);
    commands.into_iter().filter(|c| !routine(c)).collect()
}

#[test]
fn free_shards_are_taken_up_to_the_fair_share() {
    let mut leases = holder(&[]);
    let view = view(&[("", 0), ("", 0), ("", 0), ("", 0)], &["a", "b"]);
    let commands = acts(leases.advance(10, Input::Looked(view)));
    assert!(matches!(commands.as_slice(), [Command::Acquire(shards)] if shards.len() == 2));
}

#[test]
fn shards_of_the_dead_are_taken_and_those_of_the_living_are_not() {
    let mut leases = holder(&[]);
    let view = view(&[("b", 4), ("c", 4)], &["a", "b"]);
    let commands = acts(leases.advance(10, Input::Looked(view)));
    assert_eq!(commands, [Command::Acquire(vec![1])]);
}

#[test]
fn shard_is_not_asked_for_twice_at_once() {
    let mut leases = holder(&[]);
    let view = || view(&[("", 0)], &["a"]);
    assert_eq!(acts(leases.advance(10, Input::Looked(view()))).len(), 1);
    assert!(acts(leases.advance(400, Input::Looked(view()))).is_empty());
    assert_eq!(acts(leases.advance(2_010, Input::Looked(view()))).len(), 1);
}

#[test]
fn surplus_is_given_away_once_nothing_is_under_way() {
    let mut leases = holder(&[0, 1, 2, 3]);
    let owners = [("a", 1), ("a", 1), ("a", 1), ("a", 1)];
    let look =
        |leases: &mut Leases| acts(leases.advance(10, Input::Looked(view(&owners, &["a", "b"]))));
    assert_eq!(look(&mut leases), [Command::Yield(3), Command::Yield(2)]);
    // Asked again, the same two are on their way.
    assert!(look(&mut leases).is_empty());
    assert_eq!(
        (leases.usable(3, 10), leases.usable(1, 10)),
        (None, Some(1))
    );
    let given = acts(leases.advance(20, Input::Yielded(3)));
    assert_eq!(given, [Command::Release(3, 1)]);
}

#[test]
fn holder_stops_before_its_lease_ends_and_not_sooner() {
    let end = TTL_MS - STOP_EARLY_MS;
    let mut leases = holder(&[0]);
    assert!(acts(leases.advance(end - 1, Input::Tick)).is_empty());
    assert_eq!(leases.usable(0, end - 1), Some(1));
    assert_eq!(leases.usable(0, end), None);
    assert_eq!(acts(leases.advance(end, Input::Tick)), [Command::Lose(0)]);
}

#[test]
fn lease_counts_from_when_its_renewal_was_sent() {
    let mut leases = holder(&[0]);
    leases.advance(3_000, Input::Renewed { sent_ms: 1_000 });
    assert_eq!(leases.usable(0, 1_000 + TTL_MS - STOP_EARLY_MS), None);
}

#[test]
fn what_another_has_taken_is_dropped_and_an_old_view_changes_nothing() {
    let mut leases = holder(&[0]);
    let commands = acts(leases.advance(10, Input::Looked(view(&[("", 0)], &["a"]))));
    assert!(commands.is_empty());
    let taken = view(&[("b", 2)], &["a", "b"]);
    let commands = acts(leases.advance(20, Input::Looked(taken)));
    assert_eq!(commands, [Command::Lose(0)]);
}

#[test]
fn answer_that_comes_after_the_lease_gives_nothing() {
    let mut leases = holder(&[]);
    let late = Input::Acquired(vec![(0, 2)]);
    assert!(acts(leases.advance(TTL_MS, late)).is_empty());
    assert_eq!(leases.count(), 0);
}

#[test]
fn draining_gives_all_away_and_takes_nothing() {
    let mut leases = holder(&[0, 1]);
    let commands = acts(leases.advance(10, Input::Drain));
    assert_eq!(commands, [Command::Yield(1), Command::Yield(0)]);
    let late = acts(leases.advance(11, Input::Acquired(vec![(5, 9)])));
    assert_eq!(late, [Command::Release(5, 9)]);
    leases.advance(12, Input::Yielded(0));
    assert!(!leases.drained());
    leases.advance(12, Input::Yielded(1));
    assert!(leases.drained());
    let free = view(&[("", 0)], &["a"]);
    assert!(acts(leases.advance(20, Input::Looked(free))).is_empty());
}

#[test]
fn other_store_takes_all_that_is_known() {
    let mut leases = holder(&[0, 1]);
    let commands = acts(leases.advance(10, Input::Forget));
    assert_eq!(commands, [Command::Lose(0), Command::Lose(1)]);
    assert_eq!(leases.usable(0, 10), None);
}

#[test]
fn no_fault_breaks_ownership() {
    gearmesh_site::arm_as_told();
    let mut all = checks::Counted::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed, 16, Faults::of_seed(seed));
        world.run();
        all.add(world.counted());
    }
    println!("RESULT {}", all.line("leases", SEEDS));
    // A suite that blocked nothing has tested nothing.
    all.check_reach();
}

#[test]
fn all_shards_of_a_real_store_are_shared() {
    for seed in 0..20 {
        let mut world = World::new(seed, 256, Faults::of_seed(seed));
        world.run();
    }
}

#[test]
fn same_seed_gives_the_same_world() {
    let trace = |seed| {
        let mut world = World::new(seed, 16, Faults::of_seed(seed));
        world.run();
        world.trace()
    };
    for seed in [0, 7, 99] {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(1), trace(2));
}

#[test]
fn planted_bugs_of_leases_are_found() {
    let folder = tempfile::tempdir().unwrap();
    for bug in [
        "lease.from-answer",
        "lease.ignores-end",
        "lease.never-lets-go",
        "lease.stops-late",
    ] {
        let log = folder.path().join(bug);
        let hunt = gearmesh_site::hunt("lease::tests::no_fault_breaks_ownership", bug, &log);
        println!("PLANTED {bug}: seed {:?}: {}", hunt.seed, hunt.said);
        assert!(hunt.met, "{bug} was never met");
        assert!(hunt.found && hunt.seed.is_some(), "{bug} was not found");
    }
}
