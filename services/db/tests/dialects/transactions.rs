//! All or nothing; conflicts are tried again.

use serde_json::{Value, json};

use crate::lab::{Kind, Lab, on_main};

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE accounts (id INT PRIMARY KEY, money INT NOT NULL CHECK (money >= 0))")
        .await;
    lab.call(
        "db.insert",
        json!({"table": "accounts", "data": [{"id": 1, "money": 100}, {"id": 2, "money": 0}]}),
    )
    .await;
    every_operation_gives_its_result(lab).await;
    failure_keeps_nothing(lab).await;
    foreign_parameters_are_refused(lab).await;
    time_is_kept(lab).await;
    if lab.kind != Kind::Sqlite {
        deadlock_is_tried_again(lab).await;
    }
    conflict_that_stays_is_said(lab).await;
    lab.sql("DROP TABLE accounts").await;
}

async fn every_operation_gives_its_result(lab: &Lab) {
    for level in [
        "",
        "ReadUncommitted",
        "ReadCommitted",
        "RepeatableRead",
        "Serializable",
    ] {
        let mut params = json!({"operations": [
            {"type": "insert", "table": "accounts", "data": {"id": 3, "money": 5}},
            {"type": "update", "table": "accounts", "where": {"id": 3}, "data": {"money": 6}},
            {"type": "query", "table": "accounts", "where": {"id": {"gt": 1}}, "select": ["money"], "orderBy": {"id": "desc"}, "limit": 1},
            {"type": "delete", "table": "accounts", "where": {"id": 3}},
        ], "timeout": "10s", "maxRetries": 1});
        if !level.is_empty() {
            params["isolationLevel"] = level.into();
        }
        let done = lab.call("db.transaction", params).await;
        assert_eq!(
            done,
            json!({"results": [
                {"rows": [{"id": 3, "money": 5}], "count": 1},
                {"rows": [], "count": 1},
                {"rows": [{"money": 6}], "count": 1},
                {"rows": [], "count": 1},
            ], "retries": 0, "message": "committed 4 operations"})
        );
    }
    if lab.kind == Kind::Postgres {
        // The level is applied: a reader of its own asks for it.
        let text = "SELECT current_setting('transaction_isolation') AS level";
        assert_eq!(
            lab.sql(text).await["rows"],
            json!([{"level": "read committed"}])
        );
    }
}

async fn failure_keeps_nothing(lab: &Lab) {
    let before = lab.all("accounts", "id").await;
    let params = json!({"operations": [
        {"type": "update", "table": "accounts", "where": {"id": 2}, "data": {"money": 150}},
        {"type": "update", "table": "accounts", "where": {"id": 1}, "data": {"money": -50}},
    ]});
    let failure = lab.refused("db.transaction", params).await;
    assert_eq!(failure.reason, "DB_TRANSACTION_FAILED");
    assert_eq!(failure.code, tonic::Code::Aborted);
    assert_eq!(failure.metadata["operation"], "1");
    assert_eq!(failure.metadata["cause"], "DB_CONSTRAINT");
    assert!(failure.without_effect() && !failure.retryable);
    assert_eq!(lab.all("accounts", "id").await, before);
}

async fn foreign_parameters_are_refused(lab: &Lab) {
    for (operation, field) in [
        (
            json!({"type": "query", "table": "accounts", "data": {"id": 1}}),
            "operations[0].data",
        ),
        (
            json!({"type": "insert", "table": "accounts", "data": {"id": 1}, "where": {"id": 1}}),
            "operations[0].where",
        ),
        (
            json!({"type": "delete", "table": "accounts", "where": {"id": 1}, "limit": 1}),
            "operations[0].limit",
        ),
        (
            json!({"type": "delete", "table": "accounts"}),
            "operations[0].where",
        ),
        (
            json!({"type": "insert", "table": "accounts"}),
            "operations[0].data",
        ),
        (
            json!({"type": "merge", "table": "accounts"}),
            "operations[0].type",
        ),
        (
            json!({"type": "delete", "table": "accounts", "where": {"id": 1}, "upsert": true}),
            "operations[0].upsert",
        ),
    ] {
        let failure = lab
            .refused("db.transaction", json!({"operations": [operation]}))
            .await;
        assert_eq!(failure.reason, "INVALID_PARAMETERS");
        assert_eq!(failure.violations[0].field, field, "{failure:?}");
    }
    for params in [
        json!({"operations": []}),
        json!({"operations": vec![json!({"type": "query", "table": "accounts"}); 1001]}),
        json!({"operations": [{"type": "query", "table": "accounts"}], "maxRetries": 11}),
        json!({"operations": [{"type": "query", "table": "accounts"}], "isolationLevel": "Chaos"}),
        json!({"operations": [{"type": "query", "table": "accounts"}], "timeout": "11m"}),
    ] {
        assert_eq!(
            lab.refused("db.transaction", params).await.reason,
            "INVALID_PARAMETERS"
        );
    }
}

/// Somebody holds the row; the transaction ends in its time and keeps nothing.
async fn time_is_kept(lab: &Lab) {
    let Some(hold) = hold(lab) else { return };
    let params = json!({"operations": [{"type": "update", "table": "accounts", "where": {"id": 1}, "data": {"money": 1}}], "timeout": 300});
    let failure = lab.refused("db.transaction", params).await;
    assert_eq!(failure.reason, "TIMEOUT", "{failure:?}");
    assert!(failure.without_effect(), "{failure:?}");
    hold.end();
    let row = lab
        .call("db.query", json!({"table": "accounts", "where": {"id": 1}}))
        .await;
    assert_eq!(row["results"][0]["money"], 100);
}

async fn deadlock_is_tried_again(lab: &Lab) {
    // Two that take the same rows in opposite order, over and over: sooner or later
    // they meet, and all succeed all the same.
    let both = |first: i32, second: i32| {
        on_main(json!({"operations": [
            {"type": "update", "table": "accounts", "where": {"id": first}, "data": {"money": 1}},
            {"type": "query", "table": "accounts"},
            {"type": "update", "table": "accounts", "where": {"id": second}, "data": {"money": 1}},
        ], "maxRetries": 10, "isolationLevel": "RepeatableRead", "timeout": "30s"}))
    };
    let mut retries = 0;
    for _ in 0..40 {
        let (a, b) = tokio::join!(
            lab.mesh.call("db.transaction", both(1, 2)),
            lab.mesh.call("db.transaction", both(2, 1)),
        );
        let count = |done: Result<Value, tonic::Status>| done.unwrap()["retries"].as_i64().unwrap();
        retries += count(a) + count(b);
        if retries > 0 {
            return;
        }
    }
    panic!("{:?}: no conflict in 40 rounds", lab.kind);
}

/// A conflict that does not go away is said to be one, and that it may be tried again.
async fn conflict_that_stays_is_said(lab: &Lab) {
    if lab.kind != Kind::Postgres {
        return;
    }
    // A trigger that always refuses as a serialization failure does.
    lab.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$").await;
    lab.postgres.as_ref().unwrap().psql("postgres", "CREATE TRIGGER refuse BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse()").unwrap();
    let params = json!({"operations": [{"type": "update", "table": "accounts", "where": {"id": 1}, "data": {"money": 1}}], "maxRetries": 1});
    let failure = lab.refused("db.transaction", params).await;
    assert_eq!(failure.reason, "DB_TRANSACTION_FAILED");
    assert_eq!(failure.metadata["sqlstate"], "40001");
    assert!(failure.retryable && failure.without_effect(), "{failure:?}");
}

/// Another program that holds the row of account 1 until it is told to end.
struct Hold(std::process::Child);

impl Hold {
    fn end(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hold(lab: &Lab) -> Option<Hold> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = if let Some(server) = &lab.postgres {
        let mut command = Command::new("psql");
        command.args([&server.url("postgres"), "-X", "-q", "-A", "-t"]);
        command
    } else if let Some(server) = &lab.mariadb {
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "-u",
            "gear",
            "-h",
            "127.0.0.1",
            "-D",
            "lab",
            "-N",
            "-n",
            "-B",
        ]);
        command.arg(format!("-p{}", server.password()));
        command.arg(format!("--port={}", server.port()));
        command
    } else {
        return None;
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(
        input,
        "BEGIN; UPDATE accounts SET money = 99 WHERE id = 1; SELECT 'held';"
    )
    .unwrap();
    input.flush().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("held") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert!(read > 0, "the other program ended");
    }
    child.stdin = Some(input);
    Some(Hold(child))
}
