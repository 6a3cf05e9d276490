//! References and who gets the values behind them.

mod scene;

use gearmesh_api::vault::v1::{ResolveRequest, RevealRequest};
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_vault::{REFERENCES_MAX, VALUE_MAX, VERSIONS_KEPT};
use scene::Scene;
use serde_json::json;

#[tokio::test]
async fn versions_stay_readable_up_to_their_number() {
    let scene = Scene::start().await;
    for n in 1..=VERSIONS_KEPT + 1 {
        assert_eq!(
            scene
                .set_value("work", "token", &format!("value {n}"))
                .await,
            n
        );
    }
    let newest = VERSIONS_KEPT + 1;
    let of = async |reference: String| scene.resolve(&reference).await;
    assert_eq!(
        of("vault://work/token".to_owned()).await.unwrap(),
        format!("value {newest}")
    );
    assert_eq!(
        of("vault://work/token@2".to_owned()).await.unwrap(),
        "value 2"
    );
    assert_eq!(
        of(format!("vault://work/token@{newest}")).await.unwrap(),
        format!("value {newest}")
    );
    for gone in ["vault://work/token@1", "vault://work/token@9999"] {
        assert_eq!(
            of(gone.to_owned()).await.unwrap_err(),
            "CREDENTIAL_NOT_FOUND"
        );
    }
}

#[tokio::test]
async fn references_are_resolved_in_their_order() {
    let scene = Scene::start().await;
    scene
        .set_value("db", "login", r#"{"user": "ada", "port": 5432}"#)
        .await;
    scene.set_value("db", "login", r#"{"user": "bob"}"#).await;
    scene.set_value("api", "token", "t0ken").await;
    let references = [
        "vault://api/token",
        "vault://db/login@1#user",
        "vault://db/login#user",
        "vault://db/login@1#port",
        "vault://api/token",
    ];
    let values = scene.resolve_all(&references).await.unwrap();
    let found: Vec<_> = values
        .iter()
        .map(|v| (v.value.as_str(), v.version))
        .collect();
    assert_eq!(
        found,
        [
            ("t0ken", 1),
            ("ada", 1),
            ("bob", 2),
            ("5432", 1),
            ("t0ken", 1)
        ]
    );
    for (reference, reason) in [
        ("vault://db/login#password", "FIELD_NOT_FOUND"),
        ("vault://api/token#user", "FIELD_NOT_FOUND"),
        ("vault://api", "INVALID_REFERENCE"),
        ("t0ken", "INVALID_REFERENCE"),
        ("vault://no/token", "VAULT_NOT_FOUND"),
        ("vault://api/no", "CREDENTIAL_NOT_FOUND"),
    ] {
        let failure = scene
            .resolve_all(&["vault://api/token", reference])
            .await
            .unwrap_err();
        assert_eq!(failure.reason, reason, "{reference}");
        assert!(!format!("{failure:?}").contains("t0ken") || reference == "t0ken");
    }
}

#[tokio::test]
async fn number_and_size_of_what_is_resolved_are_bounded() {
    let scene = Scene::start().await;
    scene.set_value("a", "b", "v").await;
    let many = |n: usize| vec!["vault://a/b"; n];
    assert_eq!(
        scene
            .resolve_all(&many(REFERENCES_MAX))
            .await
            .unwrap()
            .len(),
        REFERENCES_MAX
    );
    for n in [0, REFERENCES_MAX + 1] {
        let failure = scene.resolve_all(&many(n)).await.unwrap_err();
        assert_eq!(failure.reason, "INVALID_PARAMETERS", "{n}");
    }
    scene.set_value("a", "large", &"v".repeat(VALUE_MAX)).await;
    assert_eq!(
        scene
            .resolve_all(&["vault://a/large"; 8])
            .await
            .unwrap()
            .len(),
        8
    );
    let failure = scene
        .resolve_all(&["vault://a/large"; 9])
        .await
        .unwrap_err();
    assert_eq!(failure.reason, "TOO_LARGE");
}

#[tokio::test]
async fn reference_is_copied_when_it_is_set() {
    let scene = Scene::start().await;
    scene
        .set_value("old", "login", r#"{"password": "first"}"#)
        .await;
    scene
        .set_value("new", "password", "vault://old/login#password")
        .await;
    scene
        .set_value("old", "login", r#"{"password": "second"}"#)
        .await;
    assert_eq!(
        scene.resolve("vault://new/password").await.unwrap(),
        "first"
    );
    let call = || Call {
        key: Some("copy".to_owned()),
        ..Call::default()
    };
    let copy = json!({"vaultName": "new", "credentialName": "copy", "value": "vault://old/login"});
    scene
        .call_as("vault.set", copy.clone(), call())
        .await
        .unwrap();
    let old = json!({"vaultName": "old", "credentialName": "login"});
    scene.call("vault.delete", old).await.unwrap();
    let again = scene.call_as("vault.set", copy, call()).await.unwrap();
    assert_eq!(
        again["version"], 1,
        "the first reply, though the source is gone"
    );
    for (value, reason) in [
        ("vault://old/none", "CREDENTIAL_NOT_FOUND"),
        ("vault://old", "INVALID_REFERENCE"),
    ] {
        let params = json!({"vaultName": "new", "credentialName": "x", "value": value});
        let failure = scene.call("vault.set", params).await.unwrap_err();
        assert_eq!(failure.reason, reason);
    }
}

#[tokio::test]
async fn person_is_shown_a_value() {
    let scene = Scene::start().await;
    scene.set_value("work", "token", "first").await;
    scene.set_value("work", "token", "second").await;
    let reveal = async |version| {
        let request = RevealRequest {
            vault_name: "work".to_owned(),
            credential_name: "token".to_owned(),
            version,
        };
        let answer = scene.client().reveal(request).await;
        answer
            .map(|a| a.into_inner())
            .map_err(|s| Failure::of(&s).reason)
    };
    assert_eq!(reveal(None).await.unwrap().value, "second");
    assert_eq!(reveal(Some(1)).await.unwrap().value, "first");
    assert_eq!(reveal(Some(3)).await.unwrap_err(), "CREDENTIAL_NOT_FOUND");
}

#[tokio::test]
async fn values_go_to_engines_that_use_them_and_to_people_alone() {
    let scene = Scene::start().await;
    let catalog = scene.mesh().catalog();
    let callers = |name: &str| {
        let path = format!("/gearmesh.vault.v1.VaultService/{name}");
        let rpc = catalog.rpc(&path).expect("an RPC of the vault");
        let all = [
            "browser",
            "db",
            "email",
            "events",
            "file",
            "http",
            "scheduler",
            "state",
            "vault",
            "orchestrator",
            "gateway",
            "identity",
        ];
        all.into_iter()
            .filter(|role| rpc.admits(role))
            .collect::<Vec<_>>()
    };
    let engines = [
        "browser",
        "db",
        "email",
        "events",
        "file",
        "http",
        "scheduler",
    ];
    for name in [
        "Resolve",
        "SaveConnection",
        "FindConnection",
        "RemoveConnection",
        "ListConnections",
    ] {
        assert_eq!(callers(name), engines, "{name}");
    }
    assert_eq!(callers("Reveal"), ["gateway"]);
    for name in ["SealRun", "DropRun"] {
        assert_eq!(callers(name), ["orchestrator", "gateway"], "{name}");
    }
    for name in ["UnsealRun", "ListSealedRuns"] {
        assert_eq!(callers(name), ["orchestrator"], "{name}");
    }
    for name in ["Set", "Get", "List", "Delete", "DeleteVault", "ListVaults"] {
        assert_eq!(callers(name), ["orchestrator", "gateway"], "{name}");
    }
}

#[tokio::test]
async fn wrong_requests_over_the_wire_are_refused_too() {
    let scene = Scene::start().await;
    let request = ResolveRequest {
        references: vec!["http://a.test".to_owned()],
        ..ResolveRequest::default()
    };
    let status = scene.client().resolve(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}
