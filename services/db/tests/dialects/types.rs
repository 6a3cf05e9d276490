//! What goes in comes out, digit by digit.

use serde_json::{Value, json};

use crate::lab::{Kind, Lab};

pub(crate) async fn all(lab: &mut Lab) {
    let (columns, record, expected): (&str, Value, Value) = match lab.kind {
        Kind::Postgres => postgres(),
        Kind::MariaDb => mariadb(),
        Kind::Sqlite => sqlite(),
    };
    if lab.kind == Kind::Postgres {
        lab.sql("CREATE TYPE \"Mood kind\" AS ENUM ('very happy', 'sad')")
            .await;
    }
    lab.sql(&format!(
        "CREATE TABLE kinds (id INT PRIMARY KEY, {columns})"
    ))
    .await;
    let mut data = record.clone();
    data["id"] = 1.into();
    let done = lab
        .call("db.insert", json!({"table": "kinds", "data": data}))
        .await;
    let mut row = done["rows"][0].clone();
    row.as_object_mut().unwrap().shift_remove("id");
    same(lab, &row, &expected);
    // What came out goes in again and comes out the same.
    row["id"] = 2.into();
    lab.call("db.insert", json!({"table": "kinds", "data": row}))
        .await;
    let mut again = lab
        .call("db.query", json!({"table": "kinds", "where": {"id": 2}}))
        .await["results"][0]
        .take();
    again.as_object_mut().unwrap().shift_remove("id");
    same(lab, &again, &expected);
    // And every value finds its row.
    for (column, value) in expected.as_object().unwrap() {
        if matches!(value, Value::Object(_) | Value::Array(_) | Value::Null)
            || column.starts_with("j")
        {
            continue;
        }
        let mut condition = json!({"id": 1});
        condition[column] = value.clone();
        let found = lab
            .call("db.query", json!({"table": "kinds", "where": condition}))
            .await;
        // A single has no exact value to compare with.
        let floats = column.starts_with("single") || value == "NaN";
        assert!(
            floats || found["count"] == 1,
            "{:?} {column} {value}",
            lab.kind
        );
    }
    lab.sql("DROP TABLE kinds").await;
}

fn same(lab: &Lab, found: &Value, expected: &Value) {
    for (column, value) in expected.as_object().unwrap() {
        assert_eq!(&found[column], value, "{:?}: {column}", lab.kind);
    }
}

fn postgres() -> (&'static str, Value, Value) {
    let same = json!({
        "flag": true, "small": -32768, "whole": 2147483647, "big": "9223372036854775807",
        "safe": 9007199254740991_i64,
        "exact": "123456789012345678901234567890.123456789000", "nan": "NaN",
        "single": 1.1, "twice": 0.1, "endless": "-Infinity",
        "words": "ü 'quoted' \"twice\" \\ $1 ?", "short": "abc", "padded": "ab   ", "letter": "x",
        "blob": "AAH//g==", "moment": "2026-01-02T03:04:05.123456Z", "plain": "2026-01-02T03:04:05",
        "day": "2026-02-28", "hour": "23:59:59.500", "never": "infinity",
        "id128": "6f3a2c1e-0000-4000-8000-123456789abc",
        "j": {"b": [1, null, {"c": "x"}], "a": 1}, "jtext": "just text", "jlist": [1, 2],
        "texts": ["a,b", "\"}", null, ""], "ints": [1, 2, null], "bigs": ["9223372036854775807", 1],
        "nested": [[1, 2], [3, 4]], "exacts": ["1.10", "2.000"],
        "mood": "very happy", "address": "10.0.0.1/24", "span": "[1,5)",
    });
    let columns = "flag BOOL, small INT2, whole INT4, big INT8, safe INT8, exact NUMERIC, nan NUMERIC, \
        single FLOAT4, twice FLOAT8, endless FLOAT8, words TEXT, short VARCHAR(10), padded CHAR(5), \
        letter \"char\", blob BYTEA, moment TIMESTAMPTZ, plain TIMESTAMP, day DATE, hour TIME, \
        never TIMESTAMPTZ, id128 UUID, j JSONB, jtext JSONB, jlist JSON, texts TEXT[], ints INT[], \
        bigs INT8[], nested INT[], exacts NUMERIC[], mood \"Mood kind\", address INET, span INT4RANGE";
    (columns, same.clone(), same)
}

fn mariadb() -> (&'static str, Value, Value) {
    let same = json!({
        "flag": true, "small": -32768, "whole": 2147483647, "big": "9223372036854775807",
        "unsigned_big": "18446744073709551615", "safe": 9007199254740991_i64,
        "exact": "12345678901234567890123456789012.123456789000",
        "single": 1.5, "twice": 0.1, "words": "ü 'quoted' \"twice\" \\ $1 ?", "short": "abc",
        "blobby": "AAH//g==", "fixed": "AAH/", "moment": "2026-01-02T03:04:05.123456Z",
        "plain": "2026-01-02T03:04:05", "day": "2026-02-28", "hour": "23:59:59.5",
        "yr": 2026, "mood": "happy", "bits": 5,
    });
    let columns = "flag BOOL, small SMALLINT, whole INT, big BIGINT, unsigned_big BIGINT UNSIGNED, safe BIGINT, \
        exact DECIMAL(44,12), single FLOAT, twice DOUBLE, words TEXT, short VARCHAR(10), blobby BLOB, \
        fixed BINARY(3), moment TIMESTAMP(6) NULL, plain DATETIME, day DATE, hour TIME(6), yr YEAR, \
        mood ENUM('happy', 'sad'), bits BIT(8)";
    (columns, same.clone(), same)
}

fn sqlite() -> (&'static str, Value, Value) {
    let record = json!({
        "flag": true, "whole": 2147483647, "big": "9223372036854775807", "safe": 9007199254740991_i64,
        "twice": 0.1, "words": "ü 'quoted' \"twice\" \\ $1 ?", "blobby": "AAH//g==",
        "moment": "2026-01-02T03:04:05.123456Z", "j": {"a": [1, null]},
    });
    let mut expected = record.clone();
    expected["flag"] = 1.into();
    expected["j"] = "{\"a\":[1,null]}".into();
    let columns = "flag BOOLEAN, whole INTEGER, big INTEGER, safe INTEGER, twice REAL, words TEXT, \
        blobby BLOB, moment TEXT, j TEXT";
    (columns, record, expected)
}
