//! What holds for every backend. Each function takes a fresh, open store.

pub(crate) mod damage;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod workflow;

use bytes::Bytes;
use gearmesh_store::{Append, Journal, NewRun, Row, RunId, Store};

/// A journal whose committer runs on the test's runtime.
#[expect(clippy::disallowed_methods, reason = "no context in a test")]
pub(crate) async fn open(store: &Store) -> Journal {
    Journal::open(store.clone(), |committer| {
        tokio::spawn(committer);
    })
    .await
    .unwrap()
}

pub(crate) fn row(n: u32, body: &str) -> Row {
    Row {
        n,
        v: 1,
        kind: 2,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

pub(crate) fn new_run(run: RunId) -> NewRun {
    NewRun {
        run,
        workflow: "report".into(),
        version: 3,
        principal: "local".into(),
        parent: None,
        request: None,
        dedupe: None,
        created_at_ms: 1_000,
        deadline_ms: Some(9_000),
        rows: vec![row(1, "accepted")],
        due_at_ms: None,
        status: "running".into(),
        blobs: Vec::new(),
    }
}

pub(crate) fn append(run: RunId, n: u32) -> Append {
    Append {
        run,
        rows: vec![row(n, "more")],
        ..Append::default()
    }
}

/// Runs a statement past the journal, as damage or another owner would.
pub(crate) async fn sql(store: &Store, text: &'static str) {
    store
        .write(async |c| {
            gearmesh_store::sqlx::query(text).execute(c).await?;
            Ok::<_, gearmesh_store::Error>(())
        })
        .await
        .unwrap();
}
