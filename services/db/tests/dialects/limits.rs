//! Limits at their edges, and what is left behind when a call ends early.

use std::time::Duration;

use gearmesh_db::{RESULT_BYTES_MAX, ROWS_MAX};
use gearmesh_link::Call;
use serde_json::{Value, json};

use crate::lab::{Kind, Lab, on_main};

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE many (id INT PRIMARY KEY, pad VARCHAR(20))")
        .await;
    rows_are_counted(lab).await;
    bytes_are_counted(lab).await;
    statement_that_takes_too_long_is_stopped(lab).await;
    abandoned_call_leaves_no_statement(lab).await;
    lab.sql("DROP TABLE many").await;
}

async fn rows_are_counted(lab: &Lab) {
    let data: Vec<Value> = (0..ROWS_MAX)
        .map(|id| json!({"id": id, "pad": "x"}))
        .collect();
    let mut too_many = data.clone();
    too_many.push(json!({"id": ROWS_MAX, "pad": "x"}));
    let failure = lab
        .refused("db.insert", json!({"table": "many", "data": too_many}))
        .await;
    assert_eq!(failure.violations[0].field, "data");
    let done = lab
        .call("db.insert", json!({"table": "many", "data": data}))
        .await;
    assert_eq!(
        (&done["count"], done["rows"].as_array().unwrap().len()),
        (&json!(ROWS_MAX), ROWS_MAX)
    );
    assert_eq!(done["rows"][ROWS_MAX - 1]["id"], ROWS_MAX - 1);
    let all = lab.call("db.query", json!({"table": "many"})).await;
    assert_eq!(all["count"], ROWS_MAX);
    lab.call(
        "db.insert",
        json!({"table": "many", "data": {"id": ROWS_MAX}}),
    )
    .await;
    for (tool, params) in [
        ("db.query", json!({"table": "many"})),
        ("db.raw_query", json!({"query": "SELECT id FROM many"})),
    ] {
        let failure = lab.refused(tool, params).await;
        assert_eq!(failure.reason, "DB_RESULT_TOO_LARGE", "{failure:?}");
        assert!(failure.message.contains("`limit`"));
    }
    let some = lab
        .call("db.query", json!({"table": "many", "limit": ROWS_MAX}))
        .await;
    assert_eq!(some["count"], ROWS_MAX);
    let rest = lab.call("db.query", json!({"table": "many", "orderBy": {"id": "asc"}, "limit": ROWS_MAX, "offset": ROWS_MAX})).await;
    assert_eq!(rest["results"], json!([{"id": ROWS_MAX, "pad": null}]));
}

async fn bytes_are_counted(lab: &Lab) {
    let text = |n: usize| {
        lab.either(
            &format!("SELECT repeat('x', {n}) AS t"),
            &format!("SELECT repeat('x', {n}) AS t"),
            &format!("SELECT replace(hex(zeroblob({n} / 2)), '0', 'x') AS t"),
        )
        .to_owned()
    };
    // `{"t":""}` around it.
    let most = RESULT_BYTES_MAX - 8;
    let done = lab.call("db.raw_query", json!({"query": text(most)})).await;
    assert_eq!(done["rows"][0]["t"].as_str().unwrap().len(), most);
    let failure = lab
        .refused("db.raw_query", json!({"query": text(most + 2)}))
        .await;
    assert_eq!(failure.reason, "DB_RESULT_TOO_LARGE");
}

fn slow(lab: &Lab) -> &'static str {
    match lab.kind {
        Kind::Postgres => "SELECT pg_sleep(60) AS slow",
        Kind::MariaDb => "SELECT sleep(60) AS slow",
        Kind::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS slow FROM n"
        }
    }
}

async fn statement_that_takes_too_long_is_stopped(lab: &Lab) {
    let params = json!({"connectionId": "hasty", "query": slow(lab)});
    // The pool has one login: each call would wait for the one before.
    for _ in 0..3 {
        let failure = lab.refused("db.raw_query", params.clone()).await;
        assert_eq!(failure.reason, "TIMEOUT", "{failure:?}");
        assert!(failure.without_effect(), "{failure:?}");
    }
    nothing_runs(lab).await;
    let done = lab
        .call(
            "db.raw_query",
            json!({"connectionId": "hasty", "query": "SELECT 1 AS n"}),
        )
        .await;
    assert_eq!(done["rows"], json!([{"n": 1}]));
}

async fn abandoned_call_leaves_no_statement(lab: &Lab) {
    // The deadline of the call comes before that of the statement.
    let call = Call {
        timeout: Some(Duration::from_millis(500)),
        ..Call::default()
    };
    let params = on_main(json!({"query": slow(lab)}));
    let status = lab
        .mesh
        .call_as("db.raw_query", params.clone(), call)
        .await
        .unwrap_err();
    let failure = gearmesh_fault::Failure::of(&status);
    assert_eq!(failure.reason, "TIMEOUT");
    assert!(failure.without_effect(), "{failure:?}");
    nothing_runs(lab).await;
    // The caller goes away while the statement runs.
    tokio::select! {
        done = lab.mesh.call("db.raw_query", params) => panic!("{done:?}"),
        () = until(lab, |running| running != "0") => {}
    }
    nothing_runs(lab).await;
    lab.sql("SELECT 1").await;
}

/// Waits until the server runs no statement of ours any more.
async fn nothing_runs(lab: &Lab) {
    until(lab, |running| running == "0").await;
}

/// Waits until so many statements run.
async fn until(lab: &Lab, enough: impl Fn(&str) -> bool) {
    for _ in 0..200 {
        if enough(&running(lab)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}: {} statements run", lab.kind, running(lab));
}

/// How many slow statements run.
fn running(lab: &Lab) -> String {
    match (&lab.postgres, &lab.mariadb) {
        (Some(server), _) => server
            .psql(
                "postgres",
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE state <> 'idle' AND query LIKE '%slow%' AND pid <> pg_backend_pid()",
            )
            .unwrap(),
        (_, Some(server)) => server
            .sql(
                "mysql",
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE info LIKE '%slow%' AND id <> connection_id()",
            )
            .unwrap(),
        _ => threads_busy().to_string(),
    }
}

/// SQLite's own threads that compute right now.
fn threads_busy() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    tasks
        .flatten()
        .filter(|task| {
            let read =
                |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let running = read("stat")
                .rsplit(')')
                .next()
                .is_some_and(|s| s.trim_start().starts_with('R'));
            read("comm").starts_with("sqlx-sqlite") && running
        })
        .count()
}
