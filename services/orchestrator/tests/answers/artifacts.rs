//! Results that are kept under names.

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{Artifact, GetArtifactRequest};
use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

use crate::{call, ended, mesh};

/// Reads an artifact from a cursor on: what it is, its bytes, and the cursor of its end.
async fn read(
    mesh: &TestMesh,
    run: &str,
    name: &str,
    after: &str,
) -> Result<(Artifact, Vec<u8>, String), Failure> {
    let request = GetArtifactRequest {
        run_id: run.to_owned(),
        name: name.to_owned(),
        after: after.to_owned(),
    };
    let mut client = OrchestratorServiceClient::new(mesh.link("orchestrator"));
    let refused = |status: tonic::Status| Failure::of(&status);
    let mut stream = client
        .get_artifact(request)
        .await
        .map_err(refused)?
        .into_inner();
    let (mut shown, mut bytes, mut cursor) = (None, Vec::new(), String::new());
    while let Some(piece) = stream.message().await.map_err(refused)? {
        shown = shown.or(piece.artifact);
        bytes.extend_from_slice(&piece.data);
        cursor = piece.cursor;
    }
    Ok((shown.expect("the first piece says"), bytes, cursor))
}

/// Items that are kept one by one, a large result, a small one of which nothing is kept,
/// and a later task that takes the name of an item.
const KEEPS: &str = "
name: keeps
tasks:
  - {id: one, each: [a, b, c], set: {v: '${item}'}, save: 'item-${item}.json'}
  - {id: over, needs: [one], set: {v: last}, save: item-b.json}
  - {id: small, set: {v: 1}}
  - {id: secret, sensitive: true, set: {v: s3cret}, save: secret.json}
  - id: group
    each: [1, 2]
    tasks:
      - {id: large, set: {all: '${range(`0`, `60000`)}'}}
";

#[tokio::test]
async fn artifacts_are_listed_by_pages_and_read_from_a_cursor() {
    // WF-3.50
    let mesh = mesh().await;
    let run = ended(&mesh, json!({"source": KEEPS}), "succeeded").await;
    let (mut names, mut token) = (Vec::new(), String::new());
    for pages in 1.. {
        let params = json!({"runId": run, "pageSize": 2, "pageToken": token});
        let page = call(&mesh, "list_artifacts", params).await;
        for shown in page["artifacts"].as_array().expect("a page") {
            let name = shown["name"].as_str().expect("a name").to_owned();
            let (artifact, bytes, cursor) =
                read(&mesh, &run, &name, "").await.expect("it is there");
            assert_eq!(shown["sha256"], artifact.sha256, "{name}");
            assert_eq!(shown["task"], artifact.task, "{name}");
            assert_eq!(cursor, bytes.len().to_string());
            assert_eq!(artifact.bytes, bytes.len() as u64);
            names.push((name, artifact.task));
        }
        token = page["nextPageToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if token.is_empty() {
            assert_eq!(pages, 4, "{names:?}");
            break;
        }
    }
    let names: Vec<(&str, &str)> = names
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("group.0.json", "group"),
            ("group.1.json", "group"),
            ("item-a.json", "one"),
            ("item-b.json", "over"),
            ("item-c.json", "one"),
            ("large.0.json", "large"),
            ("large.1.json", "large"),
        ]
    );
}

#[tokio::test]
async fn cursor_that_is_none_is_refused_and_not_the_start() {
    let mesh = mesh().await;
    let run = ended(&mesh, json!({"source": KEEPS}), "succeeded").await;
    let name = "large.1.json";
    let (shown, whole, end) = read(&mesh, &run, name, "").await.expect("it is there");
    // More than one piece, and the rest from within one.
    assert!(whole.len() > 300_000, "{}", whole.len());
    let (again, rest, _) = read(&mesh, &run, name, "262140")
        .await
        .expect("it is there");
    assert_eq!((again, rest.as_slice()), (shown, &whole[262_140..]));
    let (_, nothing, same) = read(&mesh, &run, name, &end).await.expect("it is there");
    assert_eq!((nothing.len(), same), (0, end.clone()));
    let value: Value = serde_json::from_slice(&whole).expect("JSON");
    assert_eq!(value["all"][59_999], 59_999);
    let behind = (whole.len() + 1).to_string();
    for after in [behind.as_str(), "9999999999999999999"] {
        let refused = read(&mesh, &run, name, after).await.expect_err("no cursor");
        assert_eq!(refused.reason, "INVALID_PARAMETERS", "{after}");
        assert!(
            refused.message.contains(&format!("a number up to {end}")),
            "{refused:?}"
        );
        assert_eq!(refused.violations[0].field, "after");
    }
    let missing = read(&mesh, &run, "small.json", "")
        .await
        .expect_err("not kept");
    assert_eq!(missing.reason, "ARTIFACT_NOT_FOUND");
}
