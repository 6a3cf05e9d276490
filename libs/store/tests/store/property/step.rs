//! What is done, and what is answered.

use std::fmt::Debug;

use bytes::Bytes;
use gearmesh_store::workflow::{Change, List};
use gearmesh_store::{Append, Call, Error, Journal, Ledger, ListRuns, NewRun, RunId};

/// A step of a sequence.
#[derive(Debug)]
pub(super) enum Step {
    /// Operations that are sent at once, in this order.
    Acts(Vec<Act>),
    /// The journal ends and is opened again.
    Reopen,
}

/// An operation.
#[derive(Debug)]
pub(super) enum Act {
    Accept(NewRun),
    Append(Append),
    Request(String, String),
    Run(RunId),
    Rows(RunId),
    OpenRuns,
    LastRun,
    Blob(u8),
    List(ListRuns),
    PurgeRequests(i64),
    PurgeDedupe(i64),
    Cache(u8, i64, u8),
    Cached(u8, i64),
    PurgeCache(i64),
    Begin(Call),
    Done(Call, u8),
    Failed(Call),
    Unknown(Call),
    Fence(Call),
    Change(Box<Change>, Option<(Call, u8)>),
    Head(String),
    Version(String, u32),
    Versions(String, Option<u32>, u32),
    Workflows(List),
    PurgeWorkflows(i64),
}

/// An answer as text: values in full, errors by what they are.
pub(super) fn said<T: Debug>(answer: &Result<T, Error>) -> String {
    match answer {
        // The statement that failed has a text of its own on each backend.
        Err(Error::Sql(_)) => "Err(Sql)".to_owned(),
        other => format!("{other:?}"),
    }
}

/// More than there is.
const ALL: u32 = 1_000;

impl Act {
    /// How many kinds there are.
    pub(super) const KINDS: usize = 25;

    pub(super) fn kind(&self) -> String {
        let text = format!("{self:?}");
        let end = text.find(['(', '{', ' ']).unwrap_or(text.len());
        text[..end].to_owned()
    }

    /// Does it on a backend.
    pub(super) async fn on(&self, journal: &Journal, ledger: &Ledger) -> String {
        let bytes = |n: &u8| Bytes::from(vec![*n; 3]);
        let workflows = journal.workflows();
        match self {
            Self::Accept(new) => said(&journal.accept(new.clone()).await),
            Self::Append(append) => said(&journal.append(append.clone()).await),
            Self::Request(principal, key) => said(&journal.request(principal, key).await),
            Self::Run(run) => said(&journal.run(*run).await),
            Self::Rows(run) => said(&journal.rows(*run).await),
            Self::OpenRuns => said(&journal.open_runs().await),
            Self::LastRun => said(&journal.last_run().await),
            Self::Blob(hash) => said(&journal.blob(&[*hash; 32]).await),
            Self::List(filter) => said(&journal.list(filter).await),
            Self::PurgeRequests(before) => said(&journal.purge_requests(*before, ALL).await),
            Self::PurgeDedupe(now) => said(&journal.purge_dedupe(*now, ALL).await),
            Self::Cache(hash, at, n) => said(&journal.cache(&[*hash; 32], *at, bytes(n)).await),
            Self::Cached(hash, since) => said(&journal.cached(&[*hash; 32], *since).await),
            Self::PurgeCache(before) => said(&journal.purge_cache(*before, ALL).await),
            Self::Begin(call) => said(&ledger.begin(call).await),
            Self::Done(call, n) => said(&ledger.done(call, bytes(n)).await),
            Self::Failed(call) => said(&ledger.failed(call).await),
            Self::Unknown(call) => said(&ledger.unknown(call).await),
            Self::Fence(c) => {
                let fenced = ledger.fence(&c.owner, &c.tool, &c.key, c.epoch, c.attempt);
                said(&fenced.await)
            }
            Self::Change(change, keyed) => {
                let keyed = keyed.as_ref().map(|(call, n)| (call, bytes(n)));
                said(&workflows.change(change, keyed).await)
            }
            Self::Head(name) => said(&workflows.head(name).await),
            Self::Version(name, version) => said(&workflows.version(name, *version).await),
            Self::Versions(name, before, limit) => {
                said(&workflows.versions(name, *before, *limit).await)
            }
            Self::Workflows(filter) => said(&workflows.list(filter).await),
            Self::PurgeWorkflows(before) => said(&workflows.purge(*before, ALL).await),
        }
    }
}
