//! Secrets that a file names and that are not there.

use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

use crate::call_as;

const FILE: &str = "\
name: refs
secrets: {hook: 'vault://demo/refund-hook', there: 'vault://demo/there@1#user'}
tasks:
  - {id: a, tool: state.put, params: {key: k, value: 'vault://nowhere/x'}}
  - {id: b, tool: state.put, params: {key: k, value: 'see vault://nowhere/y'}}
";

/// What `validate` warns of, as `LINE:COLUMN message`.
async fn warnings(mesh: &TestMesh, scopes: Option<&str>) -> Vec<String> {
    let call = Call {
        principal: Some("token/ada".to_owned()),
        scopes: scopes.map(str::to_owned),
        ..Call::default()
    };
    let answer = call_as(mesh, "validate", json!({"source": FILE}), call).await;
    assert_eq!(answer["valid"], true, "{answer:#}");
    let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
    let of_secrets = warnings.iter().filter(|w| w["code"] == "SECRET_NOT_FOUND");
    of_secrets.map(shown).collect()
}

fn shown(warning: &Value) -> String {
    let message = warning["message"].as_str().expect("a message");
    format!("{}:{} {message}", warning["line"], warning["column"])
}

#[tokio::test]
async fn missing_secret_is_a_warning_for_those_who_may_know_names() {
    // WF-9.20, WF-11.1
    let services = [
        gearmesh_state::SERVICE,
        gearmesh_vault::SERVICE,
        gearmesh_orchestrator::SERVICE,
    ];
    let mesh = TestMesh::start(&services).await;
    let set = |name: &str| json!({"vaultName": "demo", "credentialName": name, "value": "v"});
    mesh.call("vault.set", set("there")).await.expect("stored");
    let all = [
        "2:17 `vault://demo/refund-hook` does not exist",
        "4:54 `vault://nowhere/x` does not exist",
    ];
    for scopes in [None, Some("*"), Some("orchestrator:read vault:read")] {
        assert_eq!(warnings(&mesh, scopes).await, all, "{scopes:?}");
    }
    for scopes in ["orchestrator:*", "", "vault:reveal"] {
        let told = warnings(&mesh, Some(scopes)).await;
        assert!(told.is_empty(), "{scopes}: {told:?}");
    }
    mesh.call("vault.set", set("refund-hook"))
        .await
        .expect("stored");
    assert_eq!(warnings(&mesh, None).await, all[1..]);
}

#[tokio::test]
async fn mesh_without_a_vault_warns_of_no_secret() {
    let mesh = TestMesh::start(&[gearmesh_state::SERVICE, gearmesh_orchestrator::SERVICE]).await;
    assert!(warnings(&mesh, None).await.is_empty());
}
