//! Texts that want to be SQL stay texts.

use serde_json::json;

use crate::lab::{Kind, Lab};

/// What has broken others.
const ATTACKS: &[&str] = &[
    "x'; DROP TABLE target; --",
    "x\"; DROP TABLE target; --",
    "x`; DROP TABLE target; --",
    "' OR '1'='1",
    "\\'; DROP TABLE target; --",
    "\\",
    "$1",
    "?",
    "%27",
    "/* */ -- #",
    "'||(SELECT 1)||'",
    "ʼ ' ＇",
    "a\nb\r\n\tc",
];

pub(crate) async fn all(lab: &mut Lab) {
    lab.sql("CREATE TABLE target (id INT PRIMARY KEY, word VARCHAR(60))")
        .await;
    values_stay_values(lab).await;
    names_stay_names(lab).await;
    lab.sql("DROP TABLE target").await;
}

async fn values_stay_values(lab: &Lab) {
    for (id, attack) in ATTACKS.iter().enumerate() {
        lab.call(
            "db.insert",
            json!({"table": "target", "data": {"id": id, "word": attack}}),
        )
        .await;
        for condition in [
            json!({"word": attack}),
            json!({"word": {"eq": attack}}),
            json!({"word": {"in": [attack]}}),
            json!({"or": [{"word": attack}]}),
        ] {
            let found = lab
                .call("db.query", json!({"table": "target", "where": condition}))
                .await;
            assert_eq!(found["results"], json!([{"id": id, "word": attack}]));
        }
        let done = lab
            .call(
                "db.update",
                json!({"table": "target", "where": {"word": attack}, "data": {"word": attack}}),
            )
            .await;
        assert_eq!(done["count"], 1);
        let text = format!("SELECT id FROM target WHERE word = {}", lab.place(1));
        let found = lab
            .call("db.raw_query", json!({"query": text, "params": [attack]}))
            .await;
        assert_eq!(found["rows"], json!([{"id": id}]));
    }
    let all = lab.all("target", "id").await;
    assert_eq!(all.as_array().unwrap().len(), ATTACKS.len());
}

/// As names of tables and columns they name nothing, or exactly themselves.
async fn names_stay_names(lab: &Lab) {
    for attack in ATTACKS {
        for params in [
            json!({"table": attack}),
            json!({"table": "target", "where": {*attack: 1}}),
            json!({"table": "target", "select": [attack]}),
            json!({"table": "target", "orderBy": {*attack: "asc"}}),
        ] {
            // SQLite reads a quoted name that it does not know as a text, if it may.
            match lab
                .mesh
                .call("db.query", crate::lab::on_main(params.clone()))
                .await
            {
                Err(e) => {
                    let reason = gearmesh_fault::Failure::of(&e).reason;
                    assert!(
                        matches!(reason.as_str(), "DB_QUERY_FAILED" | "INVALID_PARAMETERS"),
                        "{params}: {e}"
                    );
                }
                Ok(found) => assert!(lab.kind == Kind::Sqlite, "{params}: {found}"),
            }
        }
        for (tool, params) in [
            (
                "db.insert",
                json!({"table": "target", "data": {*attack: 1}}),
            ),
            (
                "db.update",
                json!({"table": "target", "where": {"id": 0}, "data": {*attack: 1}}),
            ),
            ("db.delete", json!({"table": attack, "where": {"id": 0}})),
        ] {
            let reason = lab.refused(tool, params).await.reason;
            assert!(matches!(
                reason.as_str(),
                "DB_QUERY_FAILED" | "INVALID_PARAMETERS"
            ));
        }
    }
    // A strange name that exists is served.
    let strange = "we\"ir`d; --'";
    let quoted = match lab.kind {
        Kind::MariaDb => "`we\"ir``d; --'`".to_owned(),
        _ => "\"we\"\"ir`d; --'\"".to_owned(),
    };
    lab.sql(&format!("CREATE TABLE {quoted} ({quoted} INT)"))
        .await;
    lab.call("db.insert", json!({"table": strange, "data": {strange: 7}}))
        .await;
    let found = lab
        .call(
            "db.query",
            json!({"table": strange, "where": {strange: {"gt": 6}}, "orderBy": {strange: "desc"}}),
        )
        .await;
    assert_eq!(found["results"], json!([{strange: 7}]));
    // With its schema too.
    let schema = lab.either("public", "lab", "main");
    let found = lab
        .call(
            "db.query",
            json!({"table": format!("{schema}.target"), "limit": 1}),
        )
        .await;
    assert_eq!(found["count"], 1);
    lab.sql(&format!("DROP TABLE {quoted}")).await;
}
