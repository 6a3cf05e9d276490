//! Several orchestrators on one PostgreSQL, killed in turn: no run is lost, no keyed effect
//! happens twice, and work goes on at once.

mod client;
mod fleet;
mod load;

use std::time::Duration;

use crate::fleet::Fleet;
use crate::load::Load;

/// Clients that start one run after the other while the killing goes on.
const CLIENTS: usize = 48;

/// Kills, one every [`BETWEEN`]: each instance in its turn.
const KILLS: usize = 12;
const BETWEEN: Duration = Duration::from_millis(1_500);

/// How long a killed instance stays away.
const AWAY: Duration = Duration::from_millis(400);

/// How long all runs may take to end once the killing is over.
const END_MAX: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_orchestrators_lose_nothing_and_do_nothing_twice() {
    let mut fleet = Fleet::start(2).await;
    fleet.whole().await;
    let load = Load::start(&fleet, CLIENTS);
    let mut back = Vec::new();
    for n in 0..KILLS {
        tokio::time::sleep(BETWEEN).await;
        let before = load.ended();
        let at = fleet.kill(n % 2);
        let progress = load.progress_after(before).await;
        back.push(at.elapsed());
        assert!(progress, "nothing ended after kill {n}");
        tokio::time::sleep(AWAY).await;
        fleet.restart(n % 2).await;
    }
    let outcome = load.all(END_MAX).await;
    let found = fleet.evidence().await;
    back.sort_unstable();
    println!(
        "RESULT {{\"suite\":\"shared\",\"trials\":{KILLS},\"faults\":{{\"sigkill\":{KILLS}}},\"acked\":{},\"lost\":{},\"failed\":{},\"dupKeyed\":{},\"missing\":{},\"recoveryMs\":{{\"p50\":{},\"max\":{}}}}}",
        outcome.acked,
        outcome.lost.len(),
        outcome.failed.len(),
        found.twice.len(),
        found.missing(&outcome.effects).len(),
        back[back.len() / 2].as_millis(),
        back.last().map_or(0, Duration::as_millis),
    );
    assert_eq!(
        outcome.lost,
        Vec::<String>::new(),
        "acknowledged and not ended"
    );
    assert_eq!(outcome.failed, Vec::<String>::new());
    assert_eq!(
        found.twice,
        Vec::<String>::new(),
        "an effect happened twice"
    );
    assert_eq!(found.missing(&outcome.effects), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_share_the_shards_and_answer_for_each_other() {
    let mut fleet = Fleet::start(3).await;
    fleet.whole().await;
    let shares = fleet.shares().await;
    assert!(
        shares.iter().all(|(_, n)| (80..=90).contains(n)),
        "{shares:?}"
    );
    // A run that one has is shown, watched, cancelled and asked about by all.
    client::any_instance_answers(&fleet).await;
    // Keys are decided by one owner, whoever is asked.
    client::one_place_for_all(&fleet).await;
    // A drained instance hands over what it has and ends.
    let before = fleet.shares().await.len();
    assert!(fleet.drain(2).await, "it ends well");
    fleet.whole().await;
    assert_eq!(fleet.shares().await.len(), before - 1);
}

/// Crashes of the server, and how long its instances go on between two.
const CRASHES: usize = 4;
const CRASH_CLIENTS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_crashes_holds_runs_up_and_loses_nothing() {
    let mut fleet = Fleet::start(2).await;
    fleet.whole().await;
    let load = Load::start(&fleet, CRASH_CLIENTS);
    for n in 0..CRASHES {
        tokio::time::sleep(BETWEEN).await;
        fleet.crash_server().await;
        let before = load.ended();
        assert!(
            load.progress_after(before).await,
            "nothing ended after crash {n}"
        );
    }
    let outcome = load.all(END_MAX).await;
    let found = fleet.evidence().await;
    println!(
        "RESULT {{\"suite\":\"shared-server\",\"trials\":{CRASHES},\"faults\":{{\"serverKill\":{CRASHES}}},\"acked\":{},\"lost\":{},\"failed\":{},\"dupKeyed\":{},\"missing\":{}}}",
        outcome.acked,
        outcome.lost.len(),
        outcome.failed.len(),
        found.twice.len(),
        found.missing(&outcome.effects).len(),
    );
    assert_eq!(
        outcome.lost,
        Vec::<String>::new(),
        "acknowledged and not ended"
    );
    assert_eq!(outcome.failed, Vec::<String>::new());
    assert_eq!(
        found.twice,
        Vec::<String>::new(),
        "an effect happened twice"
    );
    assert_eq!(found.missing(&outcome.effects), Vec::<String>::new());
}
