//! What holds for every backend. Each function takes a fresh, open store.

pub(crate) mod damage;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod schema;
pub(crate) mod workflow;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gearmesh_store::sqlx::{AssertSqlSafe, query, query_scalar};
use gearmesh_store::{Append, Base, Counts, Error, Journal, NewRun, PgStore, Row, RunId, Store};
use gearmesh_testparts::Postgres;
use tempfile::TempDir;

/// The tests of the suite, each on a place of its own.
macro_rules! suite {
    ($place:path) => {
        $crate::suite::tests!(
            $place, journal: accepted_run_is_read_back, one_task_run_takes_two_commits, callers_share_a_commit, more_callers_than_a_group_are_all_answered, long_append_is_read_back, bad_operation_leaves_its_neighbours, same_request_is_the_same_run, dedupe_key_answers_its_run_until_the_window_ends, request_that_a_dedupe_key_refused_keeps_its_answer, list_knows_parent_starter_and_time, kept_result_is_found_while_it_is_young, old_request_keys_are_forgotten, ended_run_is_not_open, run_may_end_with_its_acceptance, due_time_and_status_are_written_when_they_change, list_is_newest_first_by_filter_and_page, list_has_a_limit, blob_is_kept_once, sizes_are_bounded, journal_goes_on_where_it_ended, nul_is_refused, group_tells_new_runs_from_old_ones, run_that_lost_leaves_nothing
        );
        $crate::suite::tests!(
            $place, damage: damaged_row_is_named_and_not_used, damaged_run_is_left_out_of_lists, damaged_blob_is_not_used, damaged_kept_result_is_not_used, damaged_workflow_is_named_and_left_out_of_lists
        );
        $crate::suite::tests!(
            $place, ledger: done_call_is_answered_from_the_ledger, keys_are_apart_by_owner_and_tool, failed_call_begins_again, newer_attempt_fences_the_older, fence_says_how_far_a_call_came_and_stops_it, answered_call_costs_no_commit, expired_entries_are_purged_in_batches, damaged_entry_is_not_used, sizes_are_bounded, of_many_at_once_one_begins
        );
        $crate::suite::tests!(
            $place, schema: goes_back_and_forth
        );
        $crate::suite::tests!(
            $place, workflow: version_is_read_back_and_never_changes, only_one_of_two_changes_of_a_head_counts, list_is_by_name_by_filter_and_page, page_ends_before_it_is_too_large, same_call_has_the_first_answer, deleted_workflows_are_purged_in_time, sizes_are_bounded, nul_is_refused
        );
    };
}

macro_rules! tests {
    ($place:path, $module:ident: $($name:ident),*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    let place = $place().await;
                    Box::pin(crate::suite::$module::$name(place)).await;
                }
            )*
        }
    };
}

pub(crate) use {suite, tests};

/// A store of either kind.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    base: Base,
    _folder: Option<Arc<TempDir>>,
}

impl From<Place> for Base {
    fn from(place: Place) -> Self {
        place.base
    }
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "suite").await.unwrap();
        Self {
            base: store.into(),
            _folder: Some(Arc::new(folder)),
        }
    }

    pub(crate) async fn postgres() -> Self {
        let url = database(Postgres::shared().await);
        let store = PgStore::open(&url, "suite").await.unwrap();
        Self {
            base: store.into(),
            _folder: None,
        }
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    pub(crate) fn counts(&self) -> Counts {
        self.base.counts()
    }
}

/// The URL of a database that is nobody else's.
pub(crate) fn database(server: &Postgres) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server.database(&name);
    server.url(&name)
}

/// A journal whose committer runs on the test's runtime.
pub(crate) async fn open(place: &Place) -> Journal {
    open_base(&place.base).await
}

#[expect(clippy::disallowed_methods, reason = "no context in a test")]
pub(crate) async fn open_base<T: Into<Base> + Clone>(base: &T) -> Journal {
    Journal::open(base.clone(), |committer| {
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
pub(crate) async fn sql(place: &Place, text: impl Into<String>) {
    match &place.base {
        Base::Sqlite(store) => sql_in(store, text).await,
        Base::Postgres(store) => {
            let text = text.into().replace("AS BLOB", "AS bytea");
            let mut c = store.read().await.unwrap();
            query(AssertSqlSafe(text)).execute(&mut *c).await.unwrap();
        }
    }
}

pub(crate) async fn sql_in(store: &Store, text: impl Into<String>) {
    let text = text.into();
    store
        .write(async |c| {
            query(AssertSqlSafe(text)).execute(c).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

/// The numbers that a query finds.
pub(crate) async fn ints(place: &Place, text: &'static str) -> Vec<i64> {
    match &place.base {
        Base::Sqlite(store) => {
            let mut c = store.read().await.unwrap();
            query_scalar(text).fetch_all(&mut *c).await.unwrap()
        }
        Base::Postgres(store) => {
            let mut c = store.read().await.unwrap();
            query_scalar(text).fetch_all(&mut *c).await.unwrap()
        }
    }
}

/// The texts that a query finds, with its words for either backend.
pub(crate) async fn texts(
    place: &Place,
    sqlite: &'static str,
    postgres: &'static str,
) -> Vec<String> {
    match &place.base {
        Base::Sqlite(store) => {
            let mut c = store.read().await.unwrap();
            query_scalar(sqlite).fetch_all(&mut *c).await.unwrap()
        }
        Base::Postgres(store) => {
            let mut c = store.read().await.unwrap();
            query_scalar(postgres).fetch_all(&mut *c).await.unwrap()
        }
    }
}
