//! Every example of the proto, as it is written there.

use gearmesh_db::SERVICE;
use gearmesh_testkit::TestMesh;
use gearmesh_testkit::servers::Postgres;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn examples_of_the_proto_answer_as_they_say() {
    let server = Postgres::start().await;
    let state = tempfile::tempdir().unwrap();
    let demo = gearmesh_demo::demo_db(state.path()).await.unwrap();
    let folders = json!([demo.parent().unwrap()]);
    let file = format!("file:{}", demo.display());
    let mesh = TestMesh::start_with(&[gearmesh_vault::SERVICE, SERVICE], move |config| {
        config.set("db.folders", folders);
        config.set(
            "connections.demo-db",
            json!({"kind": "db", "type": "sqlite", "connectionString": file}),
        );
    })
    .await;
    for (name, value) in [
        ("notes", "file:notes.db".to_owned()),
        ("shop", server.url("postgres")),
    ] {
        let secret = json!({"vaultName": "databases", "credentialName": name, "value": value});
        mesh.call("vault.set", secret).await.unwrap();
    }
    let catalog = mesh.mesh().catalog();
    let mut ours: Vec<_> = catalog
        .tools()
        .iter()
        .filter(|t| t.engine == "db")
        .collect();
    assert_eq!(ours.len(), 9);
    // The list says how many there are, before others are made.
    ours.sort_by_key(|t| t.id != "db.list_connections");
    for tool in ours {
        for example in &tool.examples {
            let found = match mesh.call(&tool.id, example.request.clone()).await {
                Ok(found) => found,
                Err(e) => panic!("{} `{}`: {e}", tool.id, example.title),
            };
            for (key, value) in example.response.as_object().unwrap() {
                assert_eq!(&found[key], value, "{} `{}`", tool.id, example.title);
            }
        }
    }
}
