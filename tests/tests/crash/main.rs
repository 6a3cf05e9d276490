//! The main job on a server that is killed with -9 at random instants and started
//! again: every run succeeds, and nothing is done twice that was recorded as done.

mod evidence;
mod kill;
mod round;

use std::collections::BTreeMap;

use futures::StreamExt;
use gearmesh_testkit::chance;

use crate::kill::Kills;
use crate::round::{Reference, Round};

/// How often the server is killed in the middle of a run of its own.
const ROUNDS: usize = 20;

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
