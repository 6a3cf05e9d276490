//! Operators of `where`, on real rows.

use serde_json::{Value, json};

use crate::lab::Lab;

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE things (id INT PRIMARY KEY, word VARCHAR(20), weight DECIMAL(8,2))")
        .await;
    let data = json!([
        {"id": 1, "word": "apple", "weight": "1.50"},
        {"id": 2, "word": "100%", "weight": 20},
        {"id": 3, "word": "1000", "weight": 3.25},
        {"id": 4, "word": null, "weight": null},
    ]);
    lab.call("db.insert", json!({"table": "things", "data": data}))
        .await;
    for (condition, expected) in [
        (json!({"id": 2}), vec![2]),
        (json!({"id": "2"}), vec![2]),
        (json!({"word": null}), vec![4]),
        (json!({"word": {"eq": "apple"}}), vec![1]),
        (json!({"word": {"eq": null}}), vec![4]),
        (json!({"word": {"ne": "apple"}}), vec![2, 3]),
        (json!({"word": {"ne": null}}), vec![1, 2, 3]),
        (json!({"word": {"null": true}}), vec![4]),
        (json!({"word": {"null": false}}), vec![1, 2, 3]),
        (json!({"id": {"lt": 3}}), vec![1, 2]),
        (json!({"id": {"lte": 3}}), vec![1, 2, 3]),
        (json!({"id": {"gt": 3}}), vec![4]),
        (json!({"id": {"gte": 3}}), vec![3, 4]),
        (json!({"id": {"gt": 1, "lt": 4}}), vec![2, 3]),
        (json!({"weight": {"gt": "3.25"}}), vec![2]),
        (json!({"weight": 3.25}), vec![3]),
        (json!({"id": {"in": [4, 1, 9]}}), vec![1, 4]),
        (json!({"word": {"in": ["apple", "x"]}}), vec![1]),
        (json!({"id": {"in": []}}), vec![]),
        (json!({"word": {"like": "a%"}}), vec![1]),
        (json!({"word": {"like": "_pple"}}), vec![1]),
        (json!({"word": {"like": "100\\%"}}), vec![2]),
        (json!({"or": [{"id": 1}, {"word": null}]}), vec![1, 4]),
        (
            json!({"or": [{"id": 1, "word": "x"}, {"id": {"gt": 2}}], "weight": {"null": false}}),
            vec![3],
        ),
        (
            json!({"or": [{"or": [{"id": 1}, {"id": 2}]}, {"id": 3}]}),
            vec![1, 2, 3],
        ),
    ] {
        let params = json!({"table": "things", "where": condition, "select": ["id"], "orderBy": {"id": "asc"}});
        let found = lab.call("db.query", params).await;
        let ids: Vec<Value> = found["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect();
        assert_eq!(json!(ids), json!(expected), "{:?}: {condition}", lab.kind);
    }
    lab.sql("DROP TABLE things").await;
}
