//! The journal.

use bytes::Bytes;
use futures::future::join_all;
use gearmesh_store::limits::{BODY_MAX, GROUP_MAX, LIST_MAX, TEXT_MAX};
use gearmesh_store::{
    Accepted, Append, Blob, Dedupe, End, Error, ListRuns, NewRun, OpenRun, RequestKey, Row, RunRow,
};

use super::{Place, append, new_run, open, row};

fn end(status: &str) -> Option<End> {
    Some(End {
        status: status.into(),
        ended_at_ms: 5_000,
    })
}

fn keyed(run: i64, key: &str, hash: u8) -> NewRun {
    let request = RequestKey {
        key: key.into(),
        hash: [hash; 32],
    };
    NewRun {
        request: Some(request),
        ..new_run(run)
    }
}

pub(crate) async fn accepted_run_is_read_back(store: Place) {
    let journal = open(&store).await;
    assert_eq!(journal.accept(new_run(7)).await.unwrap(), Accepted::New);
    assert_eq!(journal.rows(7).await.unwrap(), [row(1, "accepted")]);
    let expected = RunRow {
        run: 7,
        workflow: "report".into(),
        version: 3,
        principal: "local".into(),
        parent: None,
        status: "running".into(),
        created_at_ms: 1_000,
        ended_at_ms: None,
        deadline_ms: Some(9_000),
    };
    assert_eq!(journal.run(7).await.unwrap(), Some(expected));
    assert_eq!(journal.run(8).await.unwrap(), None);
    assert_eq!(journal.rows(8).await.unwrap(), []);
    assert_eq!(journal.last_run().await.unwrap(), Some(7));
}

pub(crate) async fn one_task_run_takes_two_commits(store: Place) {
    let journal = open(&store).await;
    let before = journal.counts();
    journal.accept(new_run(1)).await.unwrap();
    let closing = Append {
        end: end("succeeded"),
        rows: vec![row(2, "ended"), row(3, "closed")],
        ..append(1, 2)
    };
    journal.append(closing).await.unwrap();
    let after = journal.counts();
    assert_eq!(after.commits - before.commits, 2);
    assert_eq!(after.fsyncs - before.fsyncs, 2);
    assert_eq!(after.statements - before.statements, 2);
}

pub(crate) async fn callers_share_a_commit(store: Place) {
    let journal = open(&store).await;
    let before = journal.counts().commits;
    let all = join_all((1..=64).map(|run| journal.accept(new_run(run)))).await;
    assert!(all.into_iter().all(|a| a.unwrap() == Accepted::New));
    let commits = journal.counts().commits - before;
    assert!(commits <= 2, "{commits} commits");
    for run in 1..=64 {
        assert_eq!(journal.rows(run).await.unwrap().len(), 1, "{run}");
    }
}

pub(crate) async fn more_callers_than_a_group_are_all_answered(store: Place) {
    let journal = open(&store).await;
    let before = journal.counts().commits;
    let callers = i64::try_from(GROUP_MAX).unwrap() + 1;
    let all = join_all((1..=callers).map(|run| journal.accept(new_run(run)))).await;
    assert!(all.into_iter().all(|a| a.unwrap() == Accepted::New));
    assert!(journal.counts().commits - before >= 2);
    assert_eq!(journal.open_runs().await.unwrap().len(), GROUP_MAX + 1);
}

pub(crate) async fn long_append_is_read_back(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    let rows: Vec<_> = (2..=200).map(|n| row(n, &format!("body {n}"))).collect();
    let long = Append {
        run: 1,
        rows: rows.clone(),
        ..Append::default()
    };
    journal.append(long).await.unwrap();
    assert_eq!(journal.rows(1).await.unwrap()[1..], rows);
}

pub(crate) async fn bad_operation_leaves_its_neighbours(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    journal.accept(new_run(2)).await.unwrap();
    let ended = Append {
        end: end("failed"),
        ..append(2, 2)
    };
    journal.append(ended).await.unwrap();
    let ahead = NewRun {
        rows: vec![row(2, "")],
        ..new_run(11)
    };
    let accepts = join_all(
        [
            new_run(10),
            ahead,
            new_run(1),
            new_run(2),
            new_run(-1),
            new_run(12),
        ]
        .map(|r| journal.accept(r)),
    );
    let appends = join_all(
        [append(1, 2), append(1, 4), append(99, 1), append(1, 3)].map(|a| journal.append(a)),
    );
    let (accepts, appends) = futures::join!(accepts, appends);

    let [first, ahead, open, ended, negative, last] = accepts.try_into().unwrap();
    assert_eq!(first.unwrap(), Accepted::New);
    assert!(matches!(
        ahead,
        Err(Error::Gap {
            run: 11,
            expected: 1,
            found: 2
        })
    ));
    assert!(matches!(open, Err(Error::RunExists(1))), "{open:?}");
    // Only the store itself knows of this one, so the whole group failed first.
    assert!(matches!(ended, Err(Error::RunExists(2))), "{ended:?}");
    assert!(
        matches!(negative, Err(Error::RunExists(-1))),
        "{negative:?}"
    );
    assert_eq!(last.unwrap(), Accepted::New);

    let [second, gap, unknown, third] = appends.try_into().unwrap();
    second.unwrap();
    assert!(matches!(
        gap,
        Err(Error::Gap {
            run: 1,
            expected: 3,
            found: 4
        })
    ));
    assert!(matches!(unknown, Err(Error::UnknownRun(99))), "{unknown:?}");
    third.unwrap();
    assert_eq!(journal.rows(1).await.unwrap().len(), 3);
    assert_eq!(journal.rows(2).await.unwrap().len(), 2);
    assert_eq!(journal.rows(11).await.unwrap(), []);
}

pub(crate) async fn same_request_is_the_same_run(store: Place) {
    let journal = open(&store).await;
    assert_eq!(
        journal.accept(keyed(1, "k", 1)).await.unwrap(),
        Accepted::New
    );
    assert_eq!(
        journal.accept(keyed(2, "k", 1)).await.unwrap(),
        Accepted::Existing(1)
    );
    assert_eq!(
        journal.accept(keyed(3, "k", 2)).await.unwrap(),
        Accepted::KeyReused(1)
    );
    let elsewhere = NewRun {
        principal: "other".into(),
        ..keyed(4, "k", 2)
    };
    assert_eq!(journal.accept(elsewhere).await.unwrap(), Accepted::New);
    // Within one group.
    let all = join_all(
        [
            keyed(5, "l", 1),
            keyed(6, "l", 1),
            new_run(7),
            keyed(8, "l", 9),
        ]
        .map(|r| journal.accept(r)),
    )
    .await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    let expected = [
        Accepted::New,
        Accepted::Existing(5),
        Accepted::New,
        Accepted::KeyReused(5),
    ];
    assert_eq!(all, expected);
    let runs: Vec<_> = journal
        .open_runs()
        .await
        .unwrap()
        .iter()
        .map(|r| r.run)
        .collect();
    assert_eq!(runs, [1, 4, 5, 7]);
    for run in [2, 3, 6, 8] {
        assert_eq!(journal.rows(run).await.unwrap(), [], "{run}");
        let refused = journal.append(append(run, 2)).await;
        assert!(matches!(refused, Err(Error::UnknownRun(_))), "{refused:?}");
    }
}

pub(crate) async fn old_request_keys_are_forgotten(store: Place) {
    let journal = open(&store).await;
    for (run, created_at_ms) in [(1, 100), (2, 200), (3, 300)] {
        let run = NewRun {
            created_at_ms,
            ..keyed(run, &run.to_string(), 1)
        };
        journal.accept(run).await.unwrap();
    }
    // A repeat of a run that is open is answered, however old it is.
    assert_eq!(journal.purge_requests(300, 10).await.unwrap(), 0);
    // And so is that of one for which an open run waits.
    let child = NewRun {
        created_at_ms: 150,
        parent: Some(3),
        ..keyed(9, "9", 1)
    };
    journal.accept(child).await.unwrap();
    for run in [1, 2, 9] {
        let end = Append {
            run,
            end: Some(End {
                status: "succeeded".into(),
                ended_at_ms: 400,
            }),
            ..Append::default()
        };
        journal.append(end).await.unwrap();
    }
    assert_eq!(journal.purge_requests(300, 1).await.unwrap(), 1);
    assert_eq!(journal.purge_requests(300, 10).await.unwrap(), 1);
    assert_eq!(journal.purge_requests(300, 10).await.unwrap(), 0);
    assert_eq!(
        journal.accept(keyed(4, "3", 1)).await.unwrap(),
        Accepted::Existing(3)
    );
    assert_eq!(
        journal.accept(keyed(5, "1", 1)).await.unwrap(),
        Accepted::New
    );
}

fn deduped(run: i64, key: &str, created_at_ms: i64, window_ms: i64) -> NewRun {
    let dedupe = Dedupe {
        key: key.into(),
        until_ms: created_at_ms + window_ms,
    };
    NewRun {
        created_at_ms,
        dedupe: Some(dedupe),
        ..new_run(run)
    }
}

pub(crate) async fn dedupe_key_answers_its_run_until_the_window_ends(store: Place) {
    let journal = open(&store).await;
    let accept = async |run| journal.accept(run).await.unwrap();
    assert_eq!(accept(deduped(1, "d", 100, 50)).await, Accepted::New);
    assert_eq!(
        accept(deduped(2, "d", 149, 50)).await,
        Accepted::Existing(1)
    );
    // The window is the first run's and is not moved by those that it refuses.
    assert_eq!(accept(deduped(3, "d", 150, 50)).await, Accepted::New);
    assert_eq!(
        accept(deduped(4, "d", 160, 50)).await,
        Accepted::Existing(3)
    );
    assert_eq!(accept(deduped(5, "e", 160, 50)).await, Accepted::New);
    let elsewhere = NewRun {
        workflow: "other".into(),
        ..deduped(6, "d", 160, 50)
    };
    assert_eq!(accept(elsewhere).await, Accepted::New);
    // Within one group.
    let all = join_all([
        journal.accept(deduped(7, "f", 100, 1)),
        journal.accept(deduped(8, "f", 100, 1)),
    ])
    .await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, [Accepted::New, Accepted::Existing(7)]);
    for run in [2, 4, 8] {
        assert_eq!(journal.run(run).await.unwrap(), None, "{run}");
    }
    assert_eq!(journal.purge_dedupe(150, 10).await.unwrap(), 1);
    assert_eq!(journal.purge_dedupe(300, 2).await.unwrap(), 2);
    assert_eq!(journal.purge_dedupe(300, 2).await.unwrap(), 1);
}

pub(crate) async fn request_that_a_dedupe_key_refused_keeps_its_answer(store: Place) {
    let journal = open(&store).await;
    journal.accept(deduped(1, "d", 100, 50)).await.unwrap();
    let request = keyed(0, "k", 1).request;
    let both = |run, created_at_ms| NewRun {
        request: request.clone(),
        ..deduped(run, "d", created_at_ms, 50)
    };
    // Two with one request key in one group: both are the run that has the dedupe key.
    let all = join_all([journal.accept(both(2, 120)), journal.accept(both(3, 120))]).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, [Accepted::Existing(1), Accepted::Existing(1)]);
    // Sent again past the window, it is still the same request.
    assert_eq!(
        journal.accept(both(4, 1_000)).await.unwrap(),
        Accepted::Existing(1)
    );
    let other = NewRun {
        request: keyed(0, "k", 2).request,
        ..both(5, 120)
    };
    assert_eq!(journal.accept(other).await.unwrap(), Accepted::KeyReused(1));
}

pub(crate) async fn list_knows_parent_starter_and_time(store: Place) {
    let journal = open(&store).await;
    for run in 1..=6 {
        let new = NewRun {
            principal: if run % 2 == 0 { "ada" } else { "bob" }.into(),
            parent: (run > 2).then_some(if run > 4 { 2 } else { 1 }),
            created_at_ms: run * 10,
            ..new_run(run)
        };
        journal.accept(new).await.unwrap();
    }
    assert_eq!(journal.run(5).await.unwrap().unwrap().parent, Some(2));
    assert_eq!(journal.run(2).await.unwrap().unwrap().parent, None);
    let list = async |filter: ListRuns| {
        let runs = journal.list(&filter).await.unwrap();
        runs.iter().map(|r| r.run).collect::<Vec<_>>()
    };
    let all = ListRuns::default;
    let of = |parent| ListRuns {
        parent: Some(parent),
        ..all()
    };
    assert_eq!(list(of(1)).await, [4, 3]);
    assert_eq!(list(of(3)).await, [] as [i64; 0]);
    let of_bob = ListRuns {
        principal: Some("bob".into()),
        ..all()
    };
    assert_eq!(list(of_bob.clone()).await, [5, 3, 1]);
    // From is within, to is not.
    let between = ListRuns {
        from_ms: Some(20),
        to_ms: Some(50),
        ..all()
    };
    assert_eq!(list(between).await, [4, 3, 2]);
    let both = ListRuns {
        parent: Some(2),
        workflow: Some("report".into()),
        before: Some(6),
        ..of_bob
    };
    assert_eq!(list(both).await, [5]);
    let elsewhere = ListRuns {
        workflow: Some("other".into()),
        ..of(2)
    };
    assert_eq!(list(elsewhere).await, [] as [i64; 0]);
}

pub(crate) async fn kept_result_is_found_while_it_is_young(store: Place) {
    let journal = open(&store).await;
    let keep = async |hash, at_ms, bytes| {
        let bytes = Bytes::from_static(bytes);
        journal.cache(&[hash; 32], at_ms, bytes).await.unwrap();
    };
    keep(1, 100, b"a").await;
    keep(2, 200, b"b").await;
    let found = async |hash, since| journal.cached(&[hash; 32], since).await.unwrap();
    assert_eq!(found(1, 100).await, Some(Bytes::from_static(b"a")));
    assert_eq!(found(1, 101).await, None);
    assert_eq!(found(3, 0).await, None);
    keep(1, 300, b"c").await;
    assert_eq!(found(1, 300).await, Some(Bytes::from_static(b"c")));
    assert_eq!(journal.purge_cache(200, 10).await.unwrap(), 0);
    assert_eq!(journal.purge_cache(301, 1).await.unwrap(), 1);
    assert_eq!(journal.purge_cache(301, 9).await.unwrap(), 1);
    assert_eq!(found(1, 0).await, None);
    let large = Bytes::from(vec![0; BODY_MAX + 1]);
    let refused = journal.cache(&[1; 32], 1, large).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
}

pub(crate) async fn ended_run_is_not_open(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    journal.accept(new_run(2)).await.unwrap();
    let closing = Append {
        end: end("succeeded"),
        ..append(1, 2)
    };
    journal.append(closing.clone()).await.unwrap();
    let found = journal.run(1).await.unwrap().unwrap();
    assert_eq!(
        (found.status.as_str(), found.ended_at_ms),
        ("succeeded", Some(5_000))
    );
    assert_eq!(journal.open_runs().await.unwrap().len(), 1);
    // A late completion is still written down; another end is not.
    journal.append(append(1, 3)).await.unwrap();
    let again = Append {
        rows: vec![row(4, "closed")],
        ..closing
    };
    let refused = journal.append(again).await;
    assert!(matches!(refused, Err(Error::Ended(1))), "{refused:?}");
    assert_eq!(journal.rows(1).await.unwrap().len(), 3);
}

pub(crate) async fn run_may_end_with_its_acceptance(store: Place) {
    let journal = open(&store).await;
    let closing = Append {
        end: end("cancelled"),
        ..append(1, 2)
    };
    let (accepted, ended) = futures::join!(journal.accept(new_run(1)), journal.append(closing));
    assert_eq!(accepted.unwrap(), Accepted::New);
    ended.unwrap();
    assert_eq!(journal.open_runs().await.unwrap(), []);
    assert_eq!(journal.run(1).await.unwrap().unwrap().status, "cancelled");
}

pub(crate) async fn due_time_and_status_are_written_when_they_change(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    let waits = |n, due_at_ms| Append {
        status: Some("waiting".into()),
        due_at_ms,
        ..append(1, n)
    };
    journal.append(waits(2, Some(50))).await.unwrap();
    let expected = OpenRun {
        run: 1,
        due_at_ms: Some(50),
        status: "waiting".into(),
    };
    assert_eq!(journal.open_runs().await.unwrap(), [expected]);
    let before = journal.counts().statements;
    journal.append(waits(3, Some(50))).await.unwrap();
    let same = journal.counts().statements - before;
    journal.append(waits(4, None)).await.unwrap();
    let changed = journal.counts().statements - before - same;
    assert_eq!((same, changed), (1, 1));
    assert_eq!(journal.open_runs().await.unwrap()[0].due_at_ms, None);
}

pub(crate) async fn list_is_newest_first_by_filter_and_page(store: Place) {
    let journal = open(&store).await;
    for run in 1..=5 {
        let workflow = if run % 2 == 0 { "even" } else { "odd" }.into();
        journal
            .accept(NewRun {
                workflow,
                ..new_run(run)
            })
            .await
            .unwrap();
    }
    let closing = Append {
        end: end("failed"),
        ..append(3, 2)
    };
    journal.append(closing).await.unwrap();
    let list = async |workflow: Option<&str>, status: Option<&str>, before, limit| {
        let filter = ListRuns {
            workflow: workflow.map(Into::into),
            status: status.map(Into::into),
            before,
            limit,
            ..ListRuns::default()
        };
        let runs = journal.list(&filter).await.unwrap();
        runs.iter().map(|r| r.run).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None, 0).await, [5, 4, 3, 2, 1]);
    assert_eq!(list(None, None, None, 2).await, [5, 4]);
    assert_eq!(list(None, None, Some(4), 2).await, [3, 2]);
    assert_eq!(list(Some("odd"), None, None, 0).await, [5, 3, 1]);
    assert_eq!(list(Some("odd"), Some("running"), None, 0).await, [5, 1]);
    assert_eq!(list(None, Some("failed"), None, 0).await, [3]);
    assert_eq!(
        list(Some("even"), Some("failed"), Some(5), 1).await,
        [] as [i64; 0]
    );
}

pub(crate) async fn list_has_a_limit(store: Place) {
    let journal = open(&store).await;
    let all = join_all((1..=i64::from(LIST_MAX) + 1).map(|run| journal.accept(new_run(run)))).await;
    assert!(all.into_iter().all(|a| a.is_ok()));
    for limit in [0, LIST_MAX, LIST_MAX + 1, u32::MAX] {
        let filter = ListRuns {
            limit,
            ..ListRuns::default()
        };
        assert_eq!(
            journal.list(&filter).await.unwrap().len(),
            LIST_MAX as usize,
            "{limit}"
        );
    }
}

pub(crate) async fn blob_is_kept_once(store: Place) {
    let journal = open(&store).await;
    let blob = Blob {
        hash: [9; 32],
        bytes: Bytes::from(vec![5; 300_000]),
    };
    let with_blob = |run| NewRun {
        blobs: vec![blob.clone(), blob.clone()],
        ..new_run(run)
    };
    journal.accept(with_blob(1)).await.unwrap();
    // Referred to again on another day.
    journal.accept(with_blob(1 << 62)).await.unwrap();
    assert_eq!(journal.blob(&[9; 32]).await.unwrap(), Some(blob.bytes));
    assert_eq!(journal.blob(&[8; 32]).await.unwrap(), None);
}

pub(crate) async fn sizes_are_bounded(store: Place) {
    let journal = open(&store).await;
    let body = |size| Row {
        body: Bytes::from(vec![0; size]),
        ..row(1, "")
    };
    let with_body = |run, size| NewRun {
        rows: vec![body(size)],
        ..new_run(run)
    };
    journal.accept(with_body(1, BODY_MAX)).await.unwrap();
    assert_eq!(journal.rows(1).await.unwrap()[0].body.len(), BODY_MAX);
    let refused = journal.accept(with_body(2, BODY_MAX + 1)).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { what: "a row", .. })),
        "{refused:?}"
    );
    let blob = Blob {
        hash: [0; 32],
        bytes: Bytes::from(vec![0; BODY_MAX + 1]),
    };
    let refused = journal
        .accept(NewRun {
            blobs: vec![blob],
            ..new_run(2)
        })
        .await;
    assert!(
        matches!(refused, Err(Error::TooLarge { what: "a blob", .. })),
        "{refused:?}"
    );

    journal
        .accept(keyed(3, &"k".repeat(TEXT_MAX), 1))
        .await
        .unwrap();
    let refused = journal.accept(keyed(4, &"k".repeat(TEXT_MAX + 1), 1)).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let status = Append {
        status: Some("s".repeat(TEXT_MAX + 1)),
        ..append(3, 2)
    };
    let refused = journal.append(status).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(journal.rows(3).await.unwrap().len(), 1);
}

pub(crate) async fn journal_goes_on_where_it_ended(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    journal.accept(new_run(2)).await.unwrap();
    let closing = Append {
        end: end("failed"),
        ..append(2, 2)
    };
    journal.append(closing).await.unwrap();
    drop(journal);
    let journal = open(&store).await;
    let gap = journal.append(append(1, 3)).await;
    assert!(
        matches!(gap, Err(Error::Gap { expected: 2, .. })),
        "{gap:?}"
    );
    journal.append(append(1, 2)).await.unwrap();
    journal.append(append(2, 3)).await.unwrap();
    assert_eq!(journal.open_runs().await.unwrap().len(), 1);
}

pub(crate) async fn nul_is_refused(store: Place) {
    let journal = open(&store).await;
    let status = NewRun {
        status: "a\0b".into(),
        ..new_run(1)
    };
    for bad in [keyed(1, "\0", 1), deduped(1, "k\0", 1, 1), status] {
        let refused = journal.accept(bad).await;
        assert!(matches!(refused, Err(Error::Nul(_))), "{refused:?}");
    }
    journal
        .accept(keyed(1, "\u{1}\u{10ffff}", 1))
        .await
        .unwrap();
    let bad = Append {
        status: Some("\0".into()),
        ..append(1, 2)
    };
    let refused = journal.append(bad).await;
    assert!(
        matches!(refused, Err(Error::Nul("a status"))),
        "{refused:?}"
    );
}

pub(crate) async fn group_tells_new_runs_from_old_ones(store: Place) {
    let journal = open(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    let waits = |run, n| Append {
        status: Some("waiting".into()),
        due_at_ms: Some(run * 100),
        ..append(run, n)
    };
    let closing = |run, n| Append {
        end: end("succeeded"),
        ..append(run, n)
    };
    // One that goes on and one that ends, both new in this group, beside an old one.
    let (accepts, appends) = futures::join!(
        join_all([new_run(2), new_run(3)].map(|r| journal.accept(r))),
        join_all([waits(2, 2), waits(1, 2), waits(3, 2), closing(3, 3)].map(|a| journal.append(a))),
    );
    assert!(accepts.into_iter().all(|a| a.unwrap() == Accepted::New));
    assert!(appends.iter().all(Result::is_ok), "{appends:?}");
    let open = |run| OpenRun {
        run,
        due_at_ms: Some(run * 100),
        status: "waiting".into(),
    };
    assert_eq!(journal.open_runs().await.unwrap(), [open(1), open(2)]);
    assert_eq!(
        journal.open_runs_of(&[0]).await.unwrap(),
        [open(1), open(2)]
    );
    assert_eq!(journal.open_runs_of(&[1]).await.unwrap(), []);
    assert_eq!(journal.run(3).await.unwrap().unwrap().status, "succeeded");
    assert_eq!(journal.rows(3).await.unwrap().len(), 3);
}

pub(crate) async fn run_that_lost_leaves_nothing(store: Place) {
    let journal = open(&store).await;
    journal.accept(keyed(1, "k", 1)).await.unwrap();
    // Its rows and its end come in one group with a run whose key is taken.
    let closing = Append {
        end: end("succeeded"),
        ..append(2, 2)
    };
    let (accepts, appends) = futures::join!(
        join_all([keyed(2, "k", 1), keyed(3, "l", 1)].map(|r| journal.accept(r))),
        join_all([closing, append(3, 2)].map(|a| journal.append(a))),
    );
    let accepts: Vec<_> = accepts.into_iter().map(Result::unwrap).collect();
    assert_eq!(accepts, [Accepted::Existing(1), Accepted::New]);
    let [refused, done] = appends.try_into().unwrap();
    assert!(matches!(refused, Err(Error::UnknownRun(2))), "{refused:?}");
    done.unwrap();
    assert_eq!(journal.run(2).await.unwrap(), None);
    assert_eq!(journal.rows(2).await.unwrap(), []);
    assert_eq!(journal.rows(3).await.unwrap().len(), 2);
    assert_eq!(journal.open_runs().await.unwrap().len(), 2);
}
