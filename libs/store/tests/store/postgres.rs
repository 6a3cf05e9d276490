//! The suite on PostgreSQL, and what holds for servers.

mod doubt;
mod faults;
mod fence;
mod kills;
mod proxy;
mod server;

use gearmesh_store::sqlx::{AssertSqlSafe, query_scalar};
use gearmesh_store::{Journal, NewRun, Owned, PgStore, RequestKey, RunId};

use crate::suite::{new_run, suite};

suite!(crate::suite::Place::postgres);

/// A journal over some of the shards.
#[expect(clippy::disallowed_methods, reason = "no context in a test")]
async fn owning(store: &PgStore, owned: Owned) -> Journal {
    Journal::open_owning(store.clone(), owned, |committer| {
        tokio::spawn(committer);
    })
    .await
    .unwrap()
}

/// The numbers that a statement answers.
async fn ints(store: &PgStore, text: impl Into<String>) -> Vec<i64> {
    let mut c = store.read().await.unwrap();
    query_scalar(AssertSqlSafe(text.into()))
        .fetch_all(&mut *c)
        .await
        .unwrap()
}

fn keyed(run: RunId, key: &str) -> NewRun {
    let request = RequestKey {
        key: key.into(),
        hash: [1; 32],
    };
    NewRun {
        request: Some(request),
        ..new_run(run)
    }
}
