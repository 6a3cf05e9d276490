//! The tables themselves.

use gearmesh_store::{Accepted, Error};

use super::{Place, new_run, open, texts};

/// All that there is, in words that tell two shapes apart.
async fn shape(place: &Place) -> Vec<String> {
    texts(
        place,
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1",
        "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL SELECT relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '') FROM pg_class
WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
    )
    .await
}

pub(crate) async fn goes_back_and_forth(store: Place) {
    let bare = shape(&store).await;
    drop(open(&store).await);
    let newest = shape(&store).await;
    assert!(newest.len() > bare.len() + 10, "{newest:?}");
    let sets = ["workflow", "ledger", "journal"];
    // A step back, and all the way.
    for to in [1, 0] {
        for set in sets {
            store.base().migrate_down(set, to).await.unwrap();
            // Once is enough.
            store.base().migrate_down(set, to).await.unwrap();
        }
        if to == 0 {
            let left = shape(&store).await;
            let of_meta = |text: &String| text.contains("meta");
            assert!(left.iter().all(of_meta), "{left:?}");
        }
        let journal = open(&store).await;
        assert_eq!(shape(&store).await, newest, "{to}");
        let run = 1 + i64::from(to);
        assert_eq!(journal.accept(new_run(run)).await.unwrap(), Accepted::New);
    }
    // With the tables, what lay in them is gone.
    let journal = open(&store).await;
    assert_eq!(journal.last_run().await.unwrap(), Some(1));
    let refused = store.base().migrate_down("things", 0).await;
    assert!(
        matches!(refused, Err(Error::NoWayBack { .. })),
        "{refused:?}"
    );
}
