//! One statement of the caller's own.

use serde_json::json;

use crate::lab::{Kind, Lab};

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE notes (id INT PRIMARY KEY, word VARCHAR(30))")
        .await;
    rows_and_affected_are_told_apart(lab).await;
    parameters_are_bound(lab).await;
    reads_cannot_write(lab).await;
    one_statement_alone_runs(lab).await;
    lab.sql("DROP TABLE notes").await;
}

async fn rows_and_affected_are_told_apart(lab: &Lab) {
    let text = format!(
        "INSERT INTO notes VALUES ({}, {}), (2, 'b')",
        lab.place(1),
        lab.place(2)
    );
    let done = lab
        .call("db.raw_query", json!({"query": text, "params": [1, "a"]}))
        .await;
    assert_eq!(done, json!({"rows": [], "count": 0, "affected": 2}));
    let done = lab
        .sql("SELECT id, word AS w FROM notes ORDER BY id;")
        .await;
    assert_eq!(
        done,
        json!({"rows": [{"id": 1, "w": "a"}, {"id": 2, "w": "b"}], "count": 2, "affected": 0})
    );
    let done = lab.sql("UPDATE notes SET word = 'c' WHERE id = 2").await;
    assert_eq!(done["affected"], 1);
    let done = lab.sql("SELECT 1 AS a, 2 AS a -- two of one name").await;
    assert_eq!(done["rows"], json!([{"a": 1, "a_2": 2}]));
    if lab.kind != Kind::MariaDb {
        let done = lab
            .sql("UPDATE notes SET word = 'd' WHERE id = 2 RETURNING word")
            .await;
        assert_eq!(
            done,
            json!({"rows": [{"word": "d"}], "count": 1, "affected": 1})
        );
    }
    let alias = lab
        .call(
            "database_postgresql_execute",
            json!({"query": "SELECT 7 AS n"}),
        )
        .await;
    assert_eq!(alias["rows"], json!([{"n": 7}]));
}

async fn parameters_are_bound(lab: &Lab) {
    let text = lab.either(
        "SELECT $1::int AS n, $2 AS t, $3::bool AS b, $4::text AS z, $5::bytea AS y, $6::jsonb AS j, $1::text AS again",
        "SELECT ? AS n, ? AS t, ? AS b, ? AS z, ? AS y, ? AS j",
        "SELECT ? AS n, ? AS t, ? AS b, ? AS z, ? AS y, ? AS j",
    );
    let params = json!([7, "it's", true, null, {"$base64": "AAE="}, {"k": [1]}]);
    let done = lab
        .call("db.raw_query", json!({"query": text, "params": params}))
        .await;
    let row = &done["rows"][0];
    assert_eq!(
        (&row["n"], &row["t"], &row["z"]),
        (&json!(7), &json!("it's"), &json!(null))
    );
    assert_eq!(row["y"], "AAE=");
    if lab.kind == Kind::Postgres {
        assert_eq!(
            (&row["b"], &row["j"], &row["again"]),
            (&json!(true), &json!({"k": [1]}), &json!("7"))
        );
    }
    for params in [json!([]), json!([1, 2])] {
        let text = format!("SELECT id FROM notes WHERE id = {}", lab.place(1));
        let failure = lab
            .refused("db.raw_query", json!({"query": text, "params": params}))
            .await;
        assert_eq!(failure.violations[0].field, "params", "{failure:?}");
    }
}

async fn reads_cannot_write(lab: &Lab) {
    let failure = lab
        .refused(
            "db.raw_query",
            json!({"query": "DELETE FROM notes", "readOnly": true}),
        )
        .await;
    assert_eq!(failure.violations[0].field, "readOnly");
    if lab.kind == Kind::Postgres {
        lab.sql("CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'DELETE FROM notes WHERE id = 2 RETURNING id'").await;
        let failure = lab
            .refused("db.raw_query", json!({"query": "SELECT sly()"}))
            .await;
        assert_eq!(failure.metadata["sqlstate"], "25006");
        let done = lab
            .call(
                "db.raw_query",
                json!({"query": "SELECT sly() AS id", "readOnly": false}),
            )
            .await;
        assert_eq!(done["rows"], json!([{"id": 2}]));
        // What a statement sets for its session is gone after it.
        lab.call(
            "db.raw_query",
            json!({"query": "SELECT set_config('work_mem', '77MB', false)"}),
        )
        .await;
        for _ in 0..4 {
            let done = lab.sql("SELECT current_setting('work_mem') AS m").await;
            assert_ne!(done["rows"][0]["m"], "77MB");
        }
        let done = lab
            .sql("WITH gone AS (DELETE FROM notes WHERE id = 1 RETURNING word) SELECT * FROM gone")
            .await;
        assert_eq!(done["rows"], json!([{"word": "a"}]));
    }
}

async fn one_statement_alone_runs(lab: &Lab) {
    for text in [
        "SELECT 1; SELECT 2",
        "BEGIN",
        "SELECT 1; DROP TABLE notes",
        "",
        "SET x = 1",
        "garbage",
    ] {
        let failure = lab.refused("db.raw_query", json!({"query": text})).await;
        assert_eq!(failure.reason, "INVALID_PARAMETERS", "{text}");
    }
    if lab.kind == Kind::Sqlite {
        for text in [
            "ATTACH DATABASE '/tmp/x.db' AS x",
            "PRAGMA journal_mode = DELETE",
            "VACUUM INTO '/tmp/x.db'",
        ] {
            assert_eq!(
                lab.refused("db.raw_query", json!({"query": text}))
                    .await
                    .reason,
                "INVALID_PARAMETERS"
            );
        }
        let failure = lab
            .refused(
                "db.raw_query",
                json!({"query": "SELECT load_extension('/tmp/x.so')"}),
            )
            .await;
        assert_eq!(failure.reason, "DB_QUERY_FAILED");
        let done = lab.sql("PRAGMA table_info('notes')").await;
        assert_eq!(done["count"], 2);
    }
}
