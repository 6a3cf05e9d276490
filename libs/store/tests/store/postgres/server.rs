//! Opening a schema of a server.

use futures::future::join_all;
use gearmesh_store::sqlx::query_scalar;
use gearmesh_store::{Accepted, Error, Ledger, Owned, PgStore};
use gearmesh_testparts::Postgres;

use super::{ints, owning};
use crate::suite::{append, database, new_run, open_base};

#[tokio::test]
async fn server_that_does_not_answer_is_told() {
    let server = Postgres::shared().await;
    let url = database(server);
    let wrong = url.replace(server.password(), "canary-8aQ");
    let closed = url.replace(&server.port().to_string(), "1");
    let missing = server.url("no_such_database");
    for url in [&wrong, &closed, &missing] {
        match PgStore::open(url, "suite").await {
            Err(Error::Unavailable(why)) => {
                assert!(
                    !why.contains("canary") && !why.contains(server.password()),
                    "{why}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let store = PgStore::open(&url, "suite").await.unwrap();
    assert!(!format!("{store:?}").contains(server.password()));
}

#[tokio::test]
async fn database_of_another_encoding_is_refused() {
    let server = Postgres::shared().await;
    let make = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    server.psql("postgres", make).unwrap();
    match PgStore::open(&server.url("latin"), "suite").await {
        Err(Error::Unfit(why)) => assert!(why.contains("LATIN1"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_may_open_a_schema_at_once() {
    let url = database(Postgres::shared().await);
    let opened = (0..8).map(async |_| {
        let store = PgStore::open(&url, "suite").await.unwrap();
        let journal = owning(&store, Owned::none()).await;
        Ledger::open(store).await.unwrap();
        journal
    });
    let journals = join_all(opened).await;
    journals[0].owned().insert(0, 1);
    journals[0].accept(new_run(1)).await.unwrap();
    assert_eq!(journals[7].rows(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn services_have_schemas_of_their_own() {
    let url = database(Postgres::shared().await);
    for name in ["one", "the-other_1"] {
        let store = PgStore::open(&url, name).await.unwrap();
        let journal = open_base(&store).await;
        assert_eq!(journal.accept(new_run(1)).await.unwrap(), Accepted::New);
        assert_eq!(store.schema(), format!("gearmesh_{name}"));
        store.close().await;
        assert!(matches!(journal.rows(1).await, Err(Error::Closed(_))));
        let refused = journal.append(append(1, 2)).await;
        assert!(matches!(refused, Err(Error::Closed(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn second_journal_takes_all_shards_over() {
    let url = database(Postgres::shared().await);
    let store = PgStore::open(&url, "suite").await.unwrap();
    let first = open_base(&store).await;
    first.accept(new_run(1)).await.unwrap();
    let second = open_base(&store).await;
    let refused = first.append(append(1, 2)).await;
    assert!(
        matches!(refused, Err(Error::Fenced { shard: 0 })),
        "{refused:?}"
    );
    second.append(append(1, 2)).await.unwrap();
}

#[tokio::test]
async fn plain_user_may_own_a_store() {
    let server = Postgres::shared().await;
    let url = database(server);
    let name = url.rsplit('/').next().unwrap();
    let role = format!("app_{name}");
    for make in [
        format!("CREATE ROLE {role} LOGIN PASSWORD 'app-pass'"),
        format!("GRANT CREATE ON DATABASE {name} TO {role}"),
    ] {
        server.psql("postgres", &make).unwrap();
    }
    let url = format!(
        "postgres://{role}:app-pass@127.0.0.1:{}/{name}",
        server.port()
    );
    let store = PgStore::open(&url, "suite").await.unwrap();
    let journal = open_base(&store).await;
    assert_eq!(journal.accept(new_run(1)).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn schema_of_a_newer_program_is_refused() {
    let url = database(Postgres::shared().await);
    let store = PgStore::open(&url, "suite").await.unwrap();
    drop(open_base(&store).await);
    ints(
        &store,
        "UPDATE meta SET value = '99' WHERE key = 'schema.journal' RETURNING 1::bigint",
    )
    .await;
    let opened = gearmesh_store::Journal::open(store, |_| {}).await;
    match opened {
        Err(Error::NewerSchema { set, found, .. }) => {
            assert_eq!((set.as_str(), found), ("journal", 99));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn connection_is_set_as_designed() {
    let url = database(Postgres::shared().await);
    let store = PgStore::open(&url, "suite").await.unwrap();
    let mut c = store.read().await.unwrap();
    for (setting, expected) in [
        ("SHOW synchronous_commit", "on"),
        ("SHOW idle_in_transaction_session_timeout", "10s"),
        ("SHOW statement_timeout", "30s"),
        ("SHOW default_transaction_isolation", "read committed"),
        ("SHOW application_name", "gearmesh-suite"),
        ("SHOW search_path", "\"gearmesh_suite\""),
    ] {
        let found: String = query_scalar(setting).fetch_one(&mut *c).await.unwrap();
        assert_eq!(found, expected, "{setting}");
    }
}
