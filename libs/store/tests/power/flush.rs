//! The Nth flush fails, for every N there is.

use fastrand::Rng;
use gearmesh_faultdisk::{Ending, Failure, Fault, Kind, Operation, Site};
use gearmesh_store::{Error, RunIds};

use crate::check::{check, sequence};
use crate::machine::{Machine, runtime};
use crate::result::{Tally, scale, sites};
use crate::writer::{Style, Writer};

const BEFORE: usize = 3;
/// With these bodies the log becomes long enough to be moved into the file.
const OPERATIONS: usize = 24;
const AFTER: usize = 6;
/// More than any pass has.
const FLUSHES_MAX: u64 = 500;

const STYLE: Style = Style {
    operations: 0,
    body_max: 350_000,
    checkpoints: false,
};

/// One pass, always of the same operations: the `nth` flush fails, the process ends, is started
/// again, writes on, and then the power goes. Says whether there was such a flush.
async fn pass(nth: u64, ending: Ending, seed: u64, tally: &mut Tally) -> bool {
    let machine = Machine::prepared(512, seed * FLUSHES_MAX + nth);
    let running = machine.boot().await.unwrap();
    let mut seq = sequence(&running).await.unwrap();
    let ids = RunIds::after(None);
    let mut writer = Writer::new(0, Rng::with_seed(5 + seed));
    for _ in 0..BEFORE {
        writer.one(&running, &ids, STYLE).await.unwrap();
    }
    machine.disk.phase("flush");
    machine.disk.fail(Fault {
        operation: Operation::Sync,
        nth,
        failure: Failure::Io,
        lasting: false,
    });
    for _ in 0..OPERATIONS {
        match writer.one(&running, &ids, STYLE).await {
            Ok(()) if running.store.healthy() => {}
            // It was answered before the flush that failed: that of the file, later.
            Ok(()) => break,
            Err(Error::Failed(_)) => break,
            Err(e) => {
                tally.findings.push(format!("flush {nth}: {e}"));
                break;
            }
        }
    }
    let struck = machine.disk.struck();
    let met = !struck.is_empty();
    tally.sites.extend(struck);
    if met {
        tally.fault("flush");
        tally.trials += 1;
        assert!(!running.store.healthy(), "flush {nth}: it goes on");
        let sent = writer.book.sent.take();
        let later = Writer::new(1, Rng::with_seed(1))
            .one(&running, &ids, STYLE)
            .await;
        assert!(matches!(later, Err(Error::Failed(_))), "{nth}: {later:?}");
        let later = running.store.begin().await.map(drop);
        assert!(matches!(later, Err(Error::Failed(_))), "{nth}: {later:?}");
        tally.refused += 2;
        writer.book.sent = sent;
    }
    tally.acked += writer.book.acked;
    machine.restart(Some(running), ending).await;
    // As the next process: everything acknowledged is there, and what comes now is as durable.
    for life in ["reopened", "after the power went"] {
        let running = machine.boot().await.unwrap();
        let found = check(&running, &mut [&mut writer.book], &mut seq).await;
        tally.lost += found.lost;
        tally.torn += found.torn;
        let texts = found.texts.iter();
        tally
            .findings
            .extend(texts.map(|t| format!("flush {nth}, {ending:?}, {life}: {t}")));
        if !found.texts.is_empty() {
            running.end().await;
            break;
        }
        for _ in 0..AFTER {
            let small = Style {
                body_max: 300,
                ..STYLE
            };
            writer.one(&running, &ids, small).await.unwrap();
        }
        tally.acked += writer.book.acked;
        machine.lose_power(Some(running)).await;
    }
    met
}

fn expected() -> Vec<Site> {
    [
        sites("flush", Kind::Log, &[Operation::Sync]),
        sites("flush", Kind::Database, &[Operation::Sync]),
    ]
    .concat()
}

#[test]
fn failed_flush_ends_the_store_and_loses_nothing() {
    let mut tally = Tally::default();
    runtime().block_on(async {
        for seed in 0..scale() {
            for ending in [Ending::Process, Ending::Power] {
                for nth in 1..=FLUSHES_MAX {
                    if !pass(nth, ending, seed, &mut tally).await {
                        break;
                    }
                }
            }
        }
    });
    let expected = expected();
    tally.print("flush", &expected);
    assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
    assert_eq!((tally.lost, tally.torn), (0, 0));
    assert!(tally.trials >= 40, "{} flushes failed", tally.trials);
    tally.assert_reached(&expected);
}
