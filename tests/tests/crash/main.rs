//! Runs on a server that is killed with -9 at random instants and started again: every run
//! ends as if nothing had been, and nothing is done twice that was recorded as done.

mod desk;
mod evidence;
mod kill;
mod round;
mod whole;

use std::collections::BTreeMap;

use futures::StreamExt;
use gearmesh_testkit::chance;

use crate::kill::Kills;
use crate::round::{Reference, Round};
use crate::whole::{Met, TO_MEET, Whole};

/// How often the server is killed in the middle of a run of its own.
const ROUNDS: usize = 20;

/// Rounds of runs with all that a run may have, each killed five or six times.
const WHOLE_ROUNDS: usize = 4;

/// Rounds at a time: more only wait for the processor.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_runs_go_on_and_end_as_if_nothing_had_been() {
    let mut chance = chance();
    let reference = Reference::make().await;
    let kills: Vec<Kills> = (0..ROUNDS)
        .map(|n| Kills::draw(n, ROUNDS, &reference, &mut chance))
        .collect();
    let rounds = kills
        .into_iter()
        .enumerate()
        .map(|(n, kill)| round::play(n, kill, &reference));
    let mut played: Vec<Round> = futures::stream::iter(rounds)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    played.sort_by_key(|r| r.number);

    let mut fell: BTreeMap<&str, usize> = BTreeMap::new();
    for round in &played {
        println!("{round}");
        for state in round.states.values() {
            *fell.entry(state).or_default() += 1;
        }
    }
    println!("task states at the kills: {fell:?}");
    let repeated: usize = played.iter().map(|r| r.repeated).sum();
    let open = played.iter().filter(|r| !r.over).count();
    println!(
        "RESULT {} kills, {open} of them in an open run, {} runs succeeded, {repeated} requests repeated",
        played.len(),
        played.len(),
    );
    // Kills that fall only before or behind the work show nothing.
    assert!(
        open >= ROUNDS / 4,
        "only {open} kills fell into an open run"
    );
    let under_way = fell.contains_key("running") || fell.contains_key("retrying");
    assert!(under_way, "no kill met a task under way");
}

/// People, groups, sub-workflows, undoing and handlers outlive a crash, and each effect is
/// there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_runs_go_on_whatever_they_were_in_the_middle_of() {
    let mut chance = chance();
    let rounds: Vec<_> = (0..WHOLE_ROUNDS)
        .map(|n| whole::play(n, chance.fork()))
        .collect();
    let mut played: Vec<Whole> = futures::stream::iter(rounds)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    played.sort_by_key(|w| w.number);
    let mut met = Met::new();
    for round in &played {
        println!("{round}");
        for (what, count) in &round.met {
            *met.entry(what).or_default() += count;
        }
    }
    let kills: usize = played.iter().map(|w| w.kills).sum();
    let lost: usize = played.iter().map(|w| w.lost).sum();
    println!("RESULT {kills} kills met {met:?}; {lost} attempts lost and made again");
    for what in TO_MEET {
        assert!(met.contains_key(what), "no kill met {what}: {met:?}");
    }
}
