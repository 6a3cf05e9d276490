//! What the journal does about damage, and about another owner.

use bytes::Bytes;
use gearmesh_store::workflow::{Changed, List};
use gearmesh_store::{Append, Blob, End, Error, ListRuns, NewRun};

use super::{Place, append, new_run, open, sql, workflow};

pub(crate) async fn damaged_row_is_named_and_not_used(store: Place) {
    let journal = open(&store).await;
    for run in 1..=5 {
        journal.accept(new_run(run)).await.unwrap();
        journal.append(append(run, 2)).await.unwrap();
        journal.append(append(run, 3)).await.unwrap();
    }
    sql(
        &store,
        "UPDATE journal SET body = CAST('Xore' AS BLOB) WHERE run = 1 AND n = 2",
    )
    .await;
    sql(
        &store,
        "UPDATE journal SET kind = 3 WHERE run = 2 AND n = 1",
    )
    .await;
    sql(&store, "DELETE FROM journal WHERE run = 3 AND n = 2").await;
    sql(
        &store,
        "UPDATE journal SET kind = 70000 WHERE run = 4 AND n = 3",
    )
    .await;
    for (run, damaged) in [(1, 2), (2, 1), (3, 2), (4, 3)] {
        match journal.rows(run).await {
            Err(Error::Damaged { run: r, n }) => assert_eq!((r, n), (run, damaged)),
            other => panic!("{run}: {other:?}"),
        }
    }
    assert_eq!(journal.rows(5).await.unwrap().len(), 3);
}

pub(crate) async fn damaged_run_is_left_out_of_lists(store: Place) {
    let journal = open(&store).await;
    for run in 1..=3 {
        journal.accept(new_run(run)).await.unwrap();
    }
    let closing = Append {
        end: Some(End {
            status: "failed".into(),
            ended_at_ms: 5_000,
        }),
        ..append(2, 2)
    };
    journal.append(closing).await.unwrap();
    sql(&store, "UPDATE run SET deadline = 9001 WHERE run = 1").await;
    sql(&store, "UPDATE run SET status = 'succeeded' WHERE run = 2").await;
    let child = NewRun {
        parent: Some(3),
        ..new_run(4)
    };
    journal.accept(child).await.unwrap();
    sql(&store, "UPDATE run SET parent = NULL WHERE run = 4").await;
    for run in [1, 2, 4] {
        let found = journal.run(run).await;
        assert!(
            matches!(found, Err(Error::Damaged { n: 0, .. })),
            "{found:?}"
        );
    }
    let listed = journal.list(&ListRuns::default()).await.unwrap();
    assert_eq!(listed.iter().map(|r| r.run).collect::<Vec<_>>(), [3]);
}

pub(crate) async fn damaged_blob_is_not_used(store: Place) {
    let journal = open(&store).await;
    let blob = Blob {
        hash: [9; 32],
        bytes: Bytes::from_static(b"large"),
    };
    let run = NewRun {
        blobs: vec![blob],
        ..new_run(1)
    };
    journal.accept(run).await.unwrap();
    sql(&store, "UPDATE blob SET bytes = CAST('Large' AS BLOB)").await;
    let found = journal.blob(&[9; 32]).await;
    assert!(matches!(found, Err(Error::DamagedBlob(_))), "{found:?}");
}

pub(crate) async fn damaged_kept_result_is_not_used(store: Place) {
    let journal = open(&store).await;
    let bytes = Bytes::from_static(b"result");
    journal.cache(&[9; 32], 1, bytes).await.unwrap();
    sql(&store, "UPDATE cache SET bytes = CAST('Result' AS BLOB)").await;
    let found = journal.cached(&[9; 32], 0).await;
    assert!(matches!(found, Err(Error::DamagedBlob(_))), "{found:?}");
}

pub(crate) async fn damaged_workflow_is_named_and_left_out_of_lists(store: Place) {
    let workflows = open(&store).await.workflows();
    for name in ["a", "b", "c", "d"] {
        let created = workflows.change(&workflow::first(name), None).await;
        assert_eq!(created.unwrap(), Changed::Done);
    }
    sql(&store, "UPDATE workflow SET source = 'x' WHERE name = 'a'").await;
    sql(&store, "UPDATE workflow SET author = 'x' WHERE name = 'b'").await;
    sql(
        &store,
        "UPDATE workflow_head SET state = 'disabled' WHERE name = 'c'",
    )
    .await;
    for name in ["a", "b"] {
        let found = workflows.version(name, 1).await;
        assert!(
            matches!(found, Err(Error::DamagedWorkflow { version: 1, .. })),
            "{name}: {found:?}"
        );
    }
    let found = workflows.head("c").await;
    assert!(
        matches!(found, Err(Error::DamagedWorkflow { version: 0, .. })),
        "{found:?}"
    );
    // A list shows no source, so one that is damaged there alone is in it.
    let listed = workflows.list(&List::default()).await.unwrap();
    let listed = listed.entries.iter();
    let names: Vec<_> = listed.map(|(head, _)| head.name.as_str()).collect();
    assert_eq!(names, ["a", "d"]);
}
