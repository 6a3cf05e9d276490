//! No space at the Nth write, for every N there is.

use fastrand::Rng;
use gearmesh_faultdisk::{Ending, Failure, Fault, Kind, Operation};
use gearmesh_store::{Error, RunIds};

use crate::check::{check, sequence};
use crate::machine::{Machine, Running, runtime};
use crate::result::{Tally, sites};
use crate::writer::{Style, Writer, checkpoint};

/// Operations before and while there is no space, and after it.
const BEFORE: usize = 6;
const MEANWHILE: usize = 10;
const AFTER: usize = 3;
/// Refusals after which there is space again.
const REFUSED_MAX: u64 = 3;
/// More than any pass has.
const WRITES_MAX: u64 = 5_000;

const STYLE: Style = Style {
    operations: 0,
    body_max: 300,
    checkpoints: false,
};

/// One pass, always of the same operations: no space at the `nth` write, or from it on. Says
/// whether there was such a write.
async fn pass(nth: u64, lasting: bool, tally: &mut Tally) -> bool {
    let machine = Machine::prepared(4096, nth);
    let running = machine.boot().await.unwrap();
    let mut seq = sequence(&running).await.unwrap();
    let ids = RunIds::after(None);
    let mut writer = Writer::new(0, Rng::with_seed(11));
    for _ in 0..BEFORE {
        writer.one(&running, &ids, STYLE).await.unwrap();
    }
    machine.disk.phase("full");
    machine.disk.fail(Fault {
        operation: Operation::Write,
        nth,
        failure: Failure::Full,
        lasting,
    });
    let mut refused = 0;
    for step in 0..MEANWHILE {
        if step == MEANWHILE / 2 {
            checkpoint(&running).await.unwrap();
        }
        match writer.one(&running, &ids, STYLE).await {
            Ok(()) => {}
            Err(Error::Full) => {
                refused += 1;
                // It was not written, so it must not be there later.
                writer.book.sent = None;
                assert!(running.store.healthy(), "write {nth}: full is not failed");
                let reads = writer.reads_go_on(&running).await;
                assert!(matches!(reads, Ok(true)), "write {nth}: {reads:?}");
            }
            Err(e) => {
                tally.findings.push(format!("write {nth}: {e}"));
                break;
            }
        }
        if refused == REFUSED_MAX {
            break;
        }
    }
    let struck = machine.disk.struck();
    let met = !struck.is_empty();
    tally.sites.extend(struck);
    machine.disk.heal();
    machine.disk.phase("space");
    // By itself: the same store, the same connections.
    for _ in 0..AFTER {
        let again = writer.one(&running, &ids, STYLE).await;
        assert!(again.is_ok(), "write {nth}, with space again: {again:?}");
    }
    tally.refused += refused;
    tally.acked += writer.book.acked;
    machine.lose_power(Some(running)).await;
    let running = machine.boot().await.unwrap();
    let found = check(&running, &mut [&mut writer.book], &mut seq).await;
    tally.lost += found.lost;
    tally.torn += found.torn;
    let texts = found.texts.into_iter();
    tally
        .findings
        .extend(texts.map(|t| format!("write {nth}: {t}")));
    running.end().await;
    if met {
        tally.fault(if lasting {
            "fullFromThenOn"
        } else {
            "fullOnce"
        });
        tally.trials += 1;
    }
    met
}

#[test]
fn full_disk_refuses_writes_and_nothing_else() {
    let mut tally = Tally::default();
    runtime().block_on(async {
        for lasting in [false, true] {
            for nth in 1..=WRITES_MAX {
                if !pass(nth, lasting, &mut tally).await {
                    break;
                }
            }
        }
    });
    let expected = [
        sites("full", Kind::Log, &[Operation::Write]),
        sites("full", Kind::Database, &[Operation::Write]),
    ]
    .concat();
    tally.print("full", &expected);
    tally.assert_reached(&expected);
    assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
    assert_eq!((tally.lost, tally.torn), (0, 0));
    // As many refusals as passes at least: otherwise nothing was refused.
    assert!(tally.refused >= tally.trials / 2, "{}", tally.refused);
    for kind in ["fullOnce", "fullFromThenOn"] {
        let passes = tally.faults.get(kind).copied().unwrap_or_default();
        assert!((50..WRITES_MAX).contains(&passes), "{kind}: {passes}");
    }
}

/// A store that was not closed, on a disk without space from the first write on.
async fn open_on_full_disk(seed: u64, ending: Ending) -> Running {
    let machine = Machine::prepared(512, seed);
    let running = machine.boot().await.unwrap();
    let ids = RunIds::after(None);
    let mut seq = sequence(&running).await.unwrap();
    let mut writer = Writer::new(0, Rng::with_seed(seed));
    for _ in 0..BEFORE {
        writer.one(&running, &ids, STYLE).await.unwrap();
    }
    machine.disk.cut();
    machine.restart(Some(running), ending).await;
    machine.disk.fail(Fault {
        operation: Operation::Write,
        nth: 1,
        failure: Failure::Full,
        lasting: true,
    });
    let running = machine.boot().await.unwrap();
    let found = check(&running, &mut [&mut writer.book], &mut seq).await;
    assert!(found.none(), "{:?}", found.texts);
    let refused = writer.one(&running, &ids, STYLE).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    machine.disk.heal();
    writer.one(&running, &ids, STYLE).await.unwrap();
    running
}

#[test]
fn store_opens_for_readers_on_a_full_disk() {
    runtime().block_on(async {
        for seed in 0..10 {
            for ending in [Ending::Process, Ending::Power] {
                open_on_full_disk(seed, ending).await.end().await;
            }
        }
    });
}
