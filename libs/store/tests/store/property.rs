//! Any sequence of operations has the same answers on a model in memory, on SQLite and on
//! PostgreSQL.
//!
//! A sequence is drawn from its seed; a difference names the seed, and `ONLY` runs that
//! one alone.

mod draw;
mod model;
mod step;

use futures::future::join_all;
use gearmesh_store::{Durability, Journal, Ledger, Options, PgStore, Store};
use gearmesh_testparts::Postgres;

use crate::suite::{database, open_base};
use draw::Draw;
use model::Model;
use step::{Act, Step};

/// Sequences of a test; there are four, so that they run side by side.
const SEQUENCES: u64 = 80;
/// Steps of a sequence; a step is one operation, or several at once.
const STEPS: usize = 40;
/// The seed to run alone, when looking for a fault.
const ONLY: Option<u64> = None;

/// What answers on a backend.
struct Side {
    name: &'static str,
    base: gearmesh_store::Base,
    journal: Journal,
    ledger: Ledger,
}

impl Side {
    async fn of(name: &'static str, base: impl Into<gearmesh_store::Base>) -> Self {
        let base = base.into();
        Self {
            name,
            journal: open_base(&base).await,
            ledger: Ledger::open(base.clone()).await.unwrap(),
            base,
        }
    }

    /// The answers to operations that are sent at once.
    async fn answers(&mut self, step: &Step) -> Vec<String> {
        match step {
            Step::Reopen => {
                self.journal = open_base(&self.base).await;
                Vec::new()
            }
            Step::Acts(acts) => {
                let answers = acts.iter().map(|act| act.on(&self.journal, &self.ledger));
                join_all(answers).await
            }
        }
    }
}

async fn sequence(seed: u64, url: &str) {
    let folder = tempfile::tempdir().unwrap();
    // Nothing is lost here but time.
    let options = Options {
        durability: Durability::Process,
    };
    let sqlite = Store::open_with(folder.path(), "suite", options).await;
    let postgres = PgStore::open(url, &format!("s{seed}")).await.unwrap();
    let mut sides = [
        Side::of("SQLite", sqlite.unwrap()).await,
        Side::of("PostgreSQL", postgres.clone()).await,
    ];
    let mut model = Model::default();
    let mut draw = Draw::new(seed);
    let mut done = Vec::new();
    for _ in 0..STEPS {
        let step = draw.step();
        done.push(format!("{step:?}"));
        let expected = model.answers(&step);
        let mut first: Option<Vec<String>> = None;
        for side in &mut sides {
            let found = side.answers(&step).await;
            let story = || format!("seed {seed}, {}, after\n{}", side.name, done.join("\n"));
            for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                // What the model does not know, the other side does.
                if let Some(expected) = expected {
                    assert_eq!(expected, found, "answer {i} of {}", story());
                }
            }
            if let Some(first) = &first {
                assert_eq!(*first, found, "{}", story());
            }
            first = Some(found);
        }
        model.learn(&step, &first.unwrap_or_default());
    }
    drop(sides);
    postgres.close().await;
}

async fn sequences(part: u64) {
    let url = database(Postgres::shared().await);
    for seed in part * SEQUENCES..(part + 1) * SEQUENCES {
        if ONLY.is_none_or(|only| only == seed) {
            Box::pin(sequence(seed, &url)).await;
        }
    }
}

#[tokio::test]
async fn backends_and_model_agree_1() {
    sequences(0).await;
}

#[tokio::test]
async fn backends_and_model_agree_2() {
    sequences(1).await;
}

#[tokio::test]
async fn backends_and_model_agree_3() {
    sequences(2).await;
}

#[tokio::test]
async fn backends_and_model_agree_4() {
    sequences(3).await;
}

/// A model that knew nothing would agree with everything.
#[test]
fn model_and_sequences_are_not_empty() {
    let (mut known, mut all) = (0, 0);
    let mut kinds = std::collections::BTreeMap::new();
    for seed in 0..SEQUENCES {
        let (mut model, mut draw) = (Model::default(), Draw::new(seed));
        for _ in 0..STEPS {
            let step = draw.step();
            let answers = model.answers(&step);
            known += answers.iter().flatten().count();
            all += answers.len();
            if let Step::Acts(acts) = &step {
                for (act, answer) in acts.iter().zip(answers) {
                    let good = answer.is_none_or(|a| !a.starts_with("Err"));
                    let (goods, bads) = kinds.entry(act.kind()).or_insert((0, 0));
                    *(if good { goods } else { bads }) += 1;
                }
            }
        }
    }
    assert!(known * 10 > all * 7, "{known} of {all}");
    let (accepts, refused) = kinds["Accept"];
    assert!(accepts > 500 && refused > 100, "{kinds:?}");
    let (appends, refused) = kinds["Append"];
    assert!(appends > 500 && refused > 200, "{kinds:?}");
    assert_eq!(kinds.len(), Act::KINDS, "{kinds:?}");
}
