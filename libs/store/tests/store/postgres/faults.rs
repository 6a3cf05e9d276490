//! Statements that a server refuses.

use futures::future::join_all;
use gearmesh_store::sqlx::{AssertSqlSafe, Connection, raw_sql};
use gearmesh_store::{Accepted, Error, Ledger, PgStore, RunIds};
use gearmesh_testparts::Postgres;

use super::{ints, keyed};
use crate::suite::{append, database, new_run, open_base};

async fn store() -> PgStore {
    let url = database(Postgres::shared().await);
    PgStore::open(&url, "suite").await.unwrap()
}

/// Lets inserts into a table fail with a code while a condition holds.
async fn fail(store: &PgStore, table: &str, code: &str, when: &str) {
    let text = format!(
        "CREATE SEQUENCE IF NOT EXISTS tries;
CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF {when} THEN RAISE EXCEPTION 'told to' USING ERRCODE = '{code}'; END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    let mut c = store.read().await.unwrap();
    raw_sql(AssertSqlSafe(text)).execute(&mut *c).await.unwrap();
}

#[tokio::test]
async fn full_disk_is_told_and_waited_out() {
    let store = store().await;
    let journal = open_base(&store).await;
    let ledger = Ledger::open(store.clone()).await.unwrap();
    let call = crate::suite::ledger::call("k");
    journal.accept(new_run(1)).await.unwrap();
    for table in ["journal", "effect"] {
        fail(&store, table, "53100", "true").await;
    }
    let all = join_all([2, 3].map(|run| journal.accept(new_run(run)))).await;
    for refused in all {
        assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    }
    let refused = journal.append(append(1, 2)).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    let refused = ledger.begin(&call).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert_eq!(journal.open_runs().await.unwrap().len(), 1);
    fail(&store, "journal", "53100", "false").await;
    journal.append(append(1, 2)).await.unwrap();
    assert_eq!(journal.accept(new_run(2)).await.unwrap(), Accepted::New);
    ledger.begin(&call).await.unwrap();
}

#[tokio::test]
async fn deadlock_is_tried_again() {
    let store = store().await;
    let journal = open_base(&store).await;
    // A sequence does not go back with its transaction.
    fail(&store, "journal", "40P01", "nextval('tries') < 4").await;
    let commits = store.counts().commits;
    assert_eq!(journal.accept(keyed(1, "k")).await.unwrap(), Accepted::New);
    assert_eq!(store.counts().commits - commits, 1);
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
    // But not for ever.
    fail(&store, "journal", "40P01", "true").await;
    let refused = journal.append(append(1, 2)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    fail(&store, "journal", "40P01", "false").await;
    journal.append(append(1, 2)).await.unwrap();
}

#[tokio::test]
async fn refused_row_leaves_its_neighbours() {
    let store = store().await;
    let journal = open_base(&store).await;
    fail(&store, "journal", "23514", "NEW.run = 7").await;
    let all = join_all((1..=20).map(|run| journal.accept(keyed(run, &run.to_string())))).await;
    for (i, accepted) in all.into_iter().enumerate() {
        match accepted {
            Ok(accepted) => assert_eq!(accepted, Accepted::New),
            Err(Error::Sql(_)) => assert_eq!(i, 6),
            Err(e) => panic!("{i}: {e}"),
        }
    }
    assert_eq!(journal.open_runs().await.unwrap().len(), 19);
    assert_eq!(journal.request("local", "7").await.unwrap(), None);
}

#[tokio::test]
async fn lock_that_is_held_for_a_while_is_waited_for() {
    let store = store().await;
    let journal = open_base(&store).await;
    journal.accept(new_run(1)).await.unwrap();
    let mut c = store.read().await.unwrap();
    let mut held = c.begin().await.unwrap();
    let lock = "LOCK TABLE journal IN ACCESS EXCLUSIVE MODE";
    raw_sql(lock).execute(&mut *held).await.unwrap();
    let waits = async {
        // Longer than a statement waits.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        held.commit().await.unwrap();
    };
    let (done, ()) = futures::join!(journal.append(append(1, 2)), waits);
    done.unwrap();
}

#[tokio::test]
async fn ids_of_groups_do_not_pile_up() {
    let store = store().await;
    let journal = open_base(&store).await;
    let ids = RunIds::after(None);
    for _ in 0..600 {
        journal.accept(new_run(ids.next(0))).await.unwrap();
    }
    let left = ints(&store, "SELECT count(*) FROM txn").await[0];
    assert!((1..=512).contains(&left), "{left}");
    // Rows of writers that are gone go with the next one.
    let old = "UPDATE txn SET at = now() - interval '61 minutes' RETURNING 1::bigint";
    ints(&store, old).await;
    drop(journal);
    let journal = open_base(&store).await;
    journal.accept(new_run(ids.next(0))).await.unwrap();
    assert_eq!(ints(&store, "SELECT count(*) FROM txn").await, [1]);
}
