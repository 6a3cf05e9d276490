//! Insert, query, update, delete with every parameter.

use serde_json::{Value, json};

use crate::lab::Lab;

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql(&format!(
        "CREATE TABLE people ({}, name VARCHAR(40) NOT NULL, age INT, city VARCHAR(40) DEFAULT 'Bern')",
        lab.serial()
    ))
    .await;
    inserted_rows_come_back_with_defaults(lab).await;
    both_spellings_of_a_query_mean_the_same(lab).await;
    changes_count_rows(lab).await;
    upsert_inserts_once(lab).await;
    lab.sql("DROP TABLE people").await;
}

async fn inserted_rows_come_back_with_defaults(lab: &Lab) {
    let one = lab
        .call(
            "db.insert",
            json!({"table": "people", "data": {"name": "Ada", "age": 36}}),
        )
        .await;
    assert_eq!(
        one,
        json!({"rows": [{"id": 1, "name": "Ada", "age": 36, "city": "Bern"}], "count": 1, "message": "inserted 1 row"})
    );
    let many = lab
        .call(
            "db.insert",
            json!({"table": "people", "data": [
                {"name": "Bob", "age": null, "city": "Rome"},
                {"name": "Cyd", "age": 20, "city": null},
                {"name": "Dan"},
            ]}),
        )
        .await;
    assert_eq!(many["count"], 3);
    assert_eq!(
        many["rows"],
        json!([
            {"id": 2, "name": "Bob", "age": null, "city": "Rome"},
            {"id": 3, "name": "Cyd", "age": 20, "city": null},
            {"id": 4, "name": "Dan", "age": null, "city": "Bern"},
        ])
    );
    let refused = lab
        .refused("db.insert", json!({"table": "people", "data": []}))
        .await;
    assert_eq!(refused.violations[0].field, "data");
    let refused = lab
        .refused(
            "db.insert",
            json!({"table": "people", "data": [{"name": "x"}, 3]}),
        )
        .await;
    assert_eq!(refused.violations[0].field, "data[1]");
}

async fn both_spellings_of_a_query_mean_the_same(lab: &Lab) {
    let query = |more: Value| {
        let mut params = json!({"table": "people"});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        params
    };
    let expected = json!({"results": [{"name": "Cyd"}, {"name": "Bob"}], "count": 2});
    for params in [
        json!({"select": ["name"], "orderBy": {"id": "desc"}, "limit": 2, "offset": 1}),
        json!({"projection": {"name": 1}, "sort": {"id": -1}, "limit": 2, "skip": 1}),
        json!({"projection": {"id": 0, "age": 0, "city": 0}, "sort": {"id": -1}, "limit": 2, "skip": 1}),
    ] {
        assert_eq!(lab.call("db.query", query(params)).await, expected);
    }
    let none = lab.call("db.query", query(json!({"limit": 0}))).await;
    assert_eq!(none, json!({"results": [], "count": 0}));
    let beyond = lab
        .call(
            "db.query",
            query(json!({"orderBy": {"id": "asc"}, "offset": 100})),
        )
        .await;
    assert_eq!(beyond["count"], 0);
    // Two columns, the first counts first.
    let order = json!({"select": ["id"], "orderBy": {"city": "asc", "id": "desc"}, "where": {"city": {"null": false}}});
    let found = lab.call("db.query", query(order)).await;
    assert_eq!(found["results"], json!([{"id": 4}, {"id": 1}, {"id": 2}]));
    for (params, field) in [
        (
            json!({"select": ["id"], "projection": {"id": 1}}),
            "projection",
        ),
        (json!({"orderBy": {"id": "asc"}, "sort": {"id": 1}}), "sort"),
        (json!({"offset": 1, "skip": 1}), "skip"),
        (json!({"orderBy": {"id": "up"}}), "orderBy.id"),
        (json!({"sort": {"id": 2}}), "sort.id"),
        (json!({"projection": {"id": 1, "age": 0}}), "projection"),
        (json!({"limit": -1}), "limit"),
        (json!({"limit": 10_001}), "limit"),
        (json!({"table": "a.b.c"}), "table"),
        (json!({"where": [1]}), "where"),
    ] {
        let refused = lab.refused("db.query", query(params)).await;
        assert_eq!(refused.reason, "INVALID_PARAMETERS");
        assert_eq!(refused.violations[0].field, field, "{refused:?}");
    }
}

async fn changes_count_rows(lab: &Lab) {
    let update =
        json!({"table": "people", "where": {"city": "Bern"}, "data": {"age": 50, "city": "Bern"}});
    // The second time nothing changes, but the rows match all the same.
    for _ in 0..2 {
        let done = lab.call("db.update", update.clone()).await;
        assert_eq!(done, json!({"count": 2, "message": "updated 2 rows"}));
    }
    let done = lab
        .call(
            "db.update",
            json!({"table": "people", "where": {"id": 99}, "data": {"age": 1}}),
        )
        .await;
    assert_eq!(done["count"], 0);
    let done = lab
        .call(
            "db.delete",
            json!({"table": "people", "where": {"id": {"in": [3, 4]}}}),
        )
        .await;
    assert_eq!(done, json!({"count": 2, "message": "deleted 2 rows"}));
    for condition in [json!({}), json!(null), json!({"or": [{"id": 1}, {}]})] {
        for tool in ["db.update", "db.delete"] {
            let mut params = json!({"table": "people", "where": condition});
            if tool == "db.update" {
                params["data"] = json!({"age": 1});
            }
            let refused = lab.refused(tool, params).await;
            assert_eq!(refused.violations[0].field, "where", "{refused:?}");
        }
    }
    let refused = lab
        .refused(
            "db.update",
            json!({"table": "people", "where": {"id": 1}, "data": {}}),
        )
        .await;
    assert_eq!(refused.violations[0].field, "data");
    assert_eq!(lab.all("people", "id").await.as_array().unwrap().len(), 2);
}

async fn upsert_inserts_once(lab: &Lab) {
    let params = json!({"table": "people", "where": {"name": "Eve", "city": null}, "data": {"age": 7}, "upsert": true});
    let first = lab.call("db.update", params.clone()).await;
    assert_eq!(first, json!({"count": 1, "message": "inserted 1 row"}));
    let second = lab.call("db.update", params).await;
    assert_eq!(second, json!({"count": 1, "message": "updated 1 row"}));
    let found = lab
        .call(
            "db.query",
            json!({"table": "people", "where": {"name": "Eve"}, "select": ["age", "city"]}),
        )
        .await;
    assert_eq!(found["results"], json!([{"age": 7, "city": null}]));
    let refused = lab
        .refused("db.update", json!({"table": "people", "where": {"age": {"gt": 100}}, "data": {"name": "x"}, "upsert": true}))
        .await;
    assert_eq!(refused.violations[0].field, "where");
    // Two at once: one inserts, the other updates.
    let quote = lab.either("\"", "`", "\"");
    lab.sql(&format!(
        "CREATE TABLE counters (k VARCHAR(10) PRIMARY KEY, {quote}n{quote} INT)"
    ))
    .await;
    let params = |n: i32| json!({"connectionId": "main", "table": "counters", "where": {"k": "a"}, "data": {"n": n}, "upsert": true});
    let both = tokio::join!(
        lab.mesh.call("db.update", params(1)),
        lab.mesh.call("db.update", params(2)),
    );
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(lab.all("counters", "k").await.as_array().unwrap().len(), 1);
    lab.sql("DROP TABLE counters").await;
}
