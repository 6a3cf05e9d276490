//! Many copies, moves or deletes in one call.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;

use crate::copy::copy;
use crate::engine::Job;
use crate::error::Error;
use crate::relocation::relocate;
use crate::removal::delete;

/// Items under way at once when the caller names no number.
const CONCURRENCY: usize = 5;

/// Most items under way at once.
const CONCURRENCY_MAX: usize = 64;

/// What is done with each item. Folders are taken whole, nothing is overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Copy,
    Move,
    Delete,
}

/// One file or folder.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) source: String,
    pub(crate) destination: String,
}

impl Operation {
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "copy" => Ok(Self::Copy),
            "move" => Ok(Self::Move),
            "delete" => Ok(Self::Delete),
            _ => Err(Error::parameter("operation", "is copy, move or delete")),
        }
    }
}

/// Reads how many items are under way at once; 0: the default.
pub(crate) fn concurrency(asked: i32) -> Result<usize, Error> {
    match usize::try_from(asked) {
        Ok(0) => Ok(CONCURRENCY),
        Ok(n) if n <= CONCURRENCY_MAX => Ok(n),
        _ => Err(Error::parameter(
            "concurrency",
            format!("is 1 to {CONCURRENCY_MAX}"),
        )),
    }
}

/// Does all items; gives the index and error of each that failed, in their order.
pub(crate) async fn batch(
    job: &Job,
    operation: Operation,
    items: Vec<Item>,
    concurrency: usize,
    go_on: bool,
) -> Vec<(usize, Error)> {
    let stopped = AtomicBool::new(false);
    let stopped = &stopped;
    let each = items.into_iter().enumerate().map(|(index, item)| {
        let job = job.item(index);
        async move {
            if stopped.load(Ordering::Relaxed) {
                return (index, Err(Error::NotBegun));
            }
            let done = job.run(move |job| one(job, operation, index, &item)).await;
            if done.is_err() && !go_on {
                stopped.store(true, Ordering::Relaxed);
            }
            (index, done)
        }
    });
    let mut failed: Vec<_> = futures::stream::iter(each)
        .buffer_unordered(concurrency)
        .filter_map(|(index, done)| async move { done.err().map(|e| (index, e)) })
        .collect()
        .await;
    failed.sort_by_key(|(index, _)| *index);
    failed
}

fn one(job: &Job, operation: Operation, index: usize, item: &Item) -> Result<(), Error> {
    let source = job.place(&item.source)?;
    if operation == Operation::Delete {
        return delete(job, &source, true);
    }
    if item.destination.is_empty() {
        return Err(Error::parameter(
            format!("items[{index}].destination"),
            "is missing",
        ));
    }
    let destination = job.place(&item.destination)?;
    match operation {
        Operation::Copy => copy(job, &source, &destination, true, false),
        Operation::Move | Operation::Delete => relocate(job, &source, &destination, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn items(pairs: &[(&str, &str)]) -> Vec<Item> {
        let item = |(source, destination): &(&str, &str)| Item {
            source: (*source).to_owned(),
            destination: (*destination).to_owned(),
        };
        pairs.iter().map(item).collect()
    }

    #[tokio::test]
    async fn each_item_succeeds_or_fails_by_itself() {
        let bench = Bench::new();
        bench.put("a", "1");
        bench.put("d/b", "2");
        let wanted = items(&[("a", "x/a"), ("none", "x/n"), ("d", "x/d"), ("a", "")]);
        let failed = batch(&bench.job(), Operation::Copy, wanted, 5, true).await;
        assert!(
            matches!(
                failed[..],
                [(1, Error::NotFound { .. }), (3, Error::Parameter { .. })]
            ),
            "{failed:?}"
        );
        assert_eq!(bench.names("x"), ["a", "d", "d/b"]);
    }

    #[tokio::test]
    async fn nothing_begins_after_a_failure_when_told_so() {
        let bench = Bench::new();
        for name in ["a", "b", "c"] {
            bench.put(name, "1");
        }
        let wanted = items(&[("a", "x/a"), ("none", "x/n"), ("b", "x/b"), ("c", "x/c")]);
        let failed = batch(&bench.job(), Operation::Move, wanted, 1, false).await;
        assert!(
            matches!(
                failed[..],
                [
                    (1, Error::NotFound { .. }),
                    (2, Error::NotBegun),
                    (3, Error::NotBegun)
                ]
            ),
            "{failed:?}"
        );
        assert_eq!(bench.names(""), ["b", "c", "x", "x/a"]);
    }

    #[tokio::test]
    async fn resent_batch_succeeds_for_what_was_done_before() {
        let bench = Bench::new();
        for operation in [Operation::Move, Operation::Copy, Operation::Delete] {
            bench.put("a", "1");
            bench.put("d/b", "2");
            let wanted = items(&[("a", "x/a"), ("d", "x/d")]);
            for wanted in [wanted.clone(), wanted] {
                let key = format!("{operation:?}");
                let failed = batch(&bench.keyed(&key), operation, wanted, 5, true).await;
                assert!(failed.is_empty(), "{operation:?}: {failed:?}");
            }
            let _ = std::fs::remove_dir_all(bench.work().join("x"));
        }
    }

    #[test]
    fn concurrency_has_a_default_and_a_limit() {
        assert_eq!(concurrency(0).unwrap(), CONCURRENCY);
        assert_eq!(concurrency(64).unwrap(), CONCURRENCY_MAX);
        assert!(concurrency(65).is_err() && concurrency(-1).is_err());
    }
}
