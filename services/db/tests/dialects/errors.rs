//! What is said when a database refuses.

use gearmesh_fault::Failure;
use serde_json::json;
use tonic::Code;

use crate::lab::{Kind, Lab};

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE parents (id INT PRIMARY KEY)").await;
    lab.sql(
        "CREATE TABLE children (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL, age INT CHECK (age > 0), \
         parent INT, CONSTRAINT has_parent FOREIGN KEY (parent) REFERENCES parents (id))",
    )
    .await;
    lab.call(
        "db.insert",
        json!({"table": "children", "data": {"id": 1, "name": "a"}}),
    )
    .await;
    constraints_are_named(lab).await;
    what_is_not_there_is_said(lab).await;
    connections_are_found_or_named(lab).await;
    lab.sql("DROP TABLE children").await;
    lab.sql("DROP TABLE parents").await;
}

async fn constraints_are_named(lab: &Lab) {
    for (data, code) in [
        (json!({"id": 1, "name": "b"}), Code::AlreadyExists),
        (json!({"id": 2, "name": null}), Code::FailedPrecondition),
        (
            json!({"id": 2, "name": "b", "age": 0}),
            Code::FailedPrecondition,
        ),
        (
            json!({"id": 2, "name": "b", "parent": 9}),
            Code::FailedPrecondition,
        ),
    ] {
        let failure = lab
            .refused("db.insert", json!({"table": "children", "data": data}))
            .await;
        assert_eq!(
            (failure.reason.as_str(), failure.code),
            ("DB_CONSTRAINT", code),
            "{:?} {data} {failure:?}",
            lab.kind
        );
        assert!(failure.metadata.contains_key("sqlstate"), "{failure:?}");
        assert!(failure.without_effect() && !failure.retryable);
    }
    let twice =
        json!({"table": "children", "data": [{"id": 5, "name": "b"}, {"id": 1, "name": "c"}]});
    let failure = lab.refused("db.insert", twice).await;
    let name = lab.either("children_pkey", "PRIMARY", "children.id");
    assert_eq!(
        failure.metadata.get("constraint").map(String::as_str),
        Some(name)
    );
    // The first of the two did not stay.
    assert_eq!(lab.all("children", "id").await.as_array().unwrap().len(), 1);
}

async fn what_is_not_there_is_said(lab: &Lab) {
    let check = |failure: Failure| {
        assert_eq!(failure.reason, "DB_QUERY_FAILED", "{failure:?}");
        assert_eq!(failure.code, Code::InvalidArgument);
        assert!(failure.metadata.contains_key("sqlstate"));
        assert!(failure.without_effect());
    };
    check(lab.refused("db.query", json!({"table": "nowhere"})).await);
    check(
        lab.refused("db.delete", json!({"table": "nowhere", "where": {"id": 1}}))
            .await,
    );
    check(
        lab.refused(
            "db.insert",
            json!({"table": "children", "data": {"id": 2, "name": "x", "what": 1}}),
        )
        .await,
    );
    if lab.kind != Kind::Sqlite {
        check(
            lab.refused(
                "db.insert",
                json!({"table": "children", "data": {"id": 2, "name": "longer than five"}}),
            )
            .await,
        );
        check(
            lab.refused(
                "db.insert",
                json!({"table": "children", "data": {"id": "two", "name": "x"}}),
            )
            .await,
        );
    }
}

async fn connections_are_found_or_named(lab: &Lab) {
    let failure = lab
        .refused("db.query", json!({"connectionId": "none", "table": "x"}))
        .await;
    assert_eq!(failure.reason, "CONNECTION_NOT_FOUND");
    let failure = lab
        .refused("db.query", json!({"connectionId": "", "table": "x"}))
        .await;
    assert_eq!(failure.reason, "CONNECTION_REQUIRED");
    for (tool, params) in [
        (
            "db.insert",
            json!({"table": "children", "data": {"id": 3, "name": "x"}}),
        ),
        (
            "db.update",
            json!({"table": "children", "where": {"id": 1}, "data": {"name": "x"}}),
        ),
        (
            "db.delete",
            json!({"table": "children", "where": {"id": 1}}),
        ),
        ("db.raw_query", json!({"query": "DELETE FROM children"})),
        (
            "db.raw_query",
            json!({"query": "SELECT 1", "readOnly": false}),
        ),
        (
            "db.transaction",
            json!({"operations": [{"type": "delete", "table": "children", "where": {"id": 1}}]}),
        ),
    ] {
        let mut params = params;
        params["connectionId"] = "reader".into();
        let failure = lab.refused(tool, params).await;
        assert_eq!(failure.reason, "PERMISSION_DENIED", "{tool}");
    }
    let found = lab
        .call(
            "db.query",
            json!({"connectionId": "reader", "table": "children"}),
        )
        .await;
    assert_eq!(found["count"], 1);
    let list = lab
        .mesh
        .call("db.list_connections", json!({}))
        .await
        .unwrap();
    assert_eq!(list["count"], 3);
    let names: Vec<_> = list["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].clone())
        .collect();
    assert_eq!(json!(names), json!(["hasty", "main", "reader"]));
    let main = &list["connections"][1];
    assert_eq!(main["type"], lab.either("postgresql", "mysql", "sqlite"));
    assert_eq!(main["poolSize"], 4);
    assert!(main["open"].as_i64().unwrap() >= 1);
    let done = lab
        .call("db.disconnect", json!({"connectionId": "reader"}))
        .await;
    assert_eq!(
        done,
        json!({"message": "`reader` is closed", "connectionId": "reader"})
    );
    let again = lab
        .call("db.disconnect", json!({"connectionId": "reader"}))
        .await;
    assert_eq!(again["message"], "`reader` was not open");
    // The configuration still names it.
    lab.call(
        "db.query",
        json!({"connectionId": "reader", "table": "children"}),
    )
    .await;
}
