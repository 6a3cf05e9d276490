//! What an engine has of the vault: secrets and connections through its context.

mod scene;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use gearmesh_api::tool::v1::Json;
use gearmesh_api::vault::v1::{FindConnectionRequest, SaveConnectionRequest};
use gearmesh_fault::Failure;
use gearmesh_runtime::{Context, Service, Started};
use gearmesh_vault::SETTINGS_MAX;
use scene::{Scene, contains};
use serde_json::{Value, json};
use tonic::service::Routes;

const CANARY: &str = "canary-5f1d0a3b9c";

/// Contexts of the probes that run, by their folders.
static CONTEXTS: Mutex<Option<HashMap<PathBuf, Context>>> = Mutex::new(None);

/// An engine that lends its context to the test.
const PROBE: Service = Service {
    name: "db",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start: |cx: Context| -> Started {
        let folder = cx.folder().to_owned();
        let mut all = CONTEXTS.lock().expect("no test panics here");
        all.get_or_insert_default().insert(folder, cx);
        Box::pin(async { Ok(Routes::default()) })
    },
};

struct Probe {
    scene: Scene,
    context: Context,
}

async fn probe(services: &[Service], settings: &[(&str, Value)]) -> Probe {
    let scene = Scene::start_with(services, settings).await;
    let all = CONTEXTS.lock().expect("no test panics here");
    let context = all.as_ref().and_then(|all| all.get(scene.path()).cloned());
    drop(all);
    Probe {
        context: context.expect("the probe has started"),
        scene,
    }
}

fn configured(name: &str, kind: &str) -> [(String, Value); 2] {
    [
        (format!("connections.{name}.kind"), json!(kind)),
        (
            format!("connections.{name}.url"),
            json!("from the configuration"),
        ),
    ]
}

fn reason<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> String {
    Failure::of(&result.expect_err("refused")).reason
}

const BOTH: &[Service] = &[gearmesh_vault::SERVICE, PROBE];

#[tokio::test]
async fn references_become_values_and_other_texts_stay() {
    let probe = probe(BOTH, &[]).await;
    probe.scene.set_value("work", "token", "one").await;
    probe
        .scene
        .set_value("work", "token", r#"{"user": "ada"}"#)
        .await;
    let secrets = probe.context.secrets();
    let texts = [
        "vault://work/token@1",
        "plain",
        "",
        "vault://work/token#user",
    ];
    let values = secrets.resolve_all(&texts).await.unwrap();
    let values: Vec<_> = values.iter().map(|s| s.expose()).collect();
    assert_eq!(values, ["one", "plain", "", "ada"]);
    assert_eq!(
        secrets
            .resolve("vault://work/token@1")
            .await
            .unwrap()
            .expose(),
        "one"
    );
    assert_eq!(
        gearmesh_runtime::Secrets::reference("work", "token"),
        "vault://work/token"
    );
    assert_eq!(
        reason(secrets.resolve("vault://no/x").await),
        "VAULT_NOT_FOUND"
    );
    assert_eq!(
        reason(secrets.resolve("vault://").await),
        "INVALID_REFERENCE"
    );
    assert!(secrets.resolve_all(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn failed_resolution_says_that_nothing_has_happened() {
    let probe = probe(&[PROBE], &[]).await;
    let status = probe
        .context
        .secrets()
        .resolve("vault://a/b")
        .await
        .unwrap_err();
    let failure = Failure::of(&status);
    assert_eq!(failure.reason, "ENGINE_UNAVAILABLE");
    assert!(failure.without_effect());
}

#[tokio::test]
async fn connection_is_saved_found_listed_and_removed() {
    let mut probe = probe(BOTH, &[]).await;
    let cx = probe.context.clone();
    let connections = cx.connections();
    let settings = json!({"host": "db.test", "password": CANARY, "n": 12345678901234567890u64});
    assert_eq!(
        reason(connections.find("sql", None).await),
        "CONNECTION_REQUIRED"
    );
    connections
        .save("sql", "main", settings.clone())
        .await
        .unwrap();
    let found = connections.find("sql", Some("main")).await.unwrap();
    assert_eq!((found.name.as_str(), &found.settings), ("main", &settings));
    let only = connections.find("sql", None).await.unwrap();
    assert_eq!(
        (only.name, only.version),
        ("main".to_owned(), found.version)
    );
    assert_eq!(connections.list("sql").await.unwrap(), ["main"]);
    assert!(connections.list("smtp").await.unwrap().is_empty());
    assert_eq!(
        reason(connections.find("smtp", Some("main")).await),
        "CONNECTION_NOT_FOUND"
    );

    connections.save("sql", "main", json!({})).await.unwrap();
    let again = connections.find("sql", Some("main")).await.unwrap();
    assert!(again.version > found.version);
    assert_eq!(again.settings, json!({}));
    connections.save("sql", "other", settings).await.unwrap();
    assert_eq!(
        reason(connections.find("sql", None).await),
        "CONNECTION_REQUIRED"
    );
    assert_eq!(connections.list("sql").await.unwrap(), ["main", "other"]);

    assert!(connections.remove("sql", "main").await.unwrap());
    assert!(!connections.remove("sql", "main").await.unwrap());
    assert_eq!(
        reason(connections.find("sql", Some("main")).await),
        "CONNECTION_NOT_FOUND"
    );
    connections.save("sql", "main", json!({})).await.unwrap();
    let anew = connections.find("sql", Some("main")).await.unwrap();
    assert!(anew.version > again.version, "no version comes back");

    let vaults = probe
        .scene
        .call("vault.list_vaults", json!({}))
        .await
        .unwrap();
    assert_eq!(vaults["count"], 0, "connections are no vault of people");
    probe.scene.stop().await;
    assert!(!contains(&probe.scene.bytes(), CANARY));
}

#[tokio::test]
async fn connection_of_the_configuration_wins() {
    let both: Vec<_> = configured("main", "sql").into();
    let settings: Vec<(&str, Value)> = both.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let probe = probe(BOTH, &settings).await;
    let connections = probe.context.connections();
    connections
        .save("sql", "main", json!({"url": "saved"}))
        .await
        .unwrap();
    for name in [Some("main"), None] {
        let found = connections.find("sql", name).await.unwrap();
        assert_eq!(found.settings["url"], "from the configuration");
        assert_eq!(found.version, 0);
    }
    assert_eq!(connections.list("sql").await.unwrap(), ["main"]);
    connections
        .save("sql", "saved", json!({"url": "saved"}))
        .await
        .unwrap();
    assert_eq!(connections.list("sql").await.unwrap(), ["main", "saved"]);
    assert_eq!(
        reason(connections.find("sql", None).await),
        "CONNECTION_REQUIRED"
    );
    let saved = connections.find("sql", Some("saved")).await.unwrap();
    assert_eq!(saved.settings["url"], "saved");
}

#[tokio::test]
async fn mesh_without_a_vault_has_the_configuration() {
    let main = configured("main", "sql");
    let settings: Vec<(&str, Value)> = main.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let probe = probe(&[PROBE], &settings).await;
    let connections = probe.context.connections();
    assert_eq!(connections.find("sql", None).await.unwrap().name, "main");
    assert_eq!(connections.list("sql").await.unwrap(), ["main"]);
    assert_eq!(
        reason(connections.find("sql", Some("x")).await),
        "CONNECTION_NOT_FOUND"
    );
    assert_eq!(
        reason(connections.find("smtp", None).await),
        "CONNECTION_REQUIRED"
    );
    assert_eq!(
        reason(connections.save("sql", "x", json!({})).await),
        "ENGINE_UNAVAILABLE"
    );
}

#[tokio::test]
async fn connections_are_bounded() {
    let probe = probe(BOTH, &[]).await;
    let save = async |kind: &str, name: &str, text: String| {
        let request = SaveConnectionRequest {
            kind: kind.to_owned(),
            name: name.to_owned(),
            settings: Some(Json { text: text.into() }),
            run: String::new(),
        };
        let answer = probe.scene.client().save_connection(request).await;
        answer.map(|_| ()).map_err(|s| Failure::of(&s).reason)
    };
    let object = |size: usize| format!("{{\"k\":\"{}\"}}", "v".repeat(size - 8));
    let long = |n: usize| "n".repeat(n);
    assert_eq!(save("sql", "a", object(SETTINGS_MAX)).await, Ok(()));
    assert_eq!(save(&long(50), &long(128), "{}".to_owned()).await, Ok(()));
    let invalid = || Err("INVALID_PARAMETERS".to_owned());
    assert_eq!(
        save("sql", "a", object(SETTINGS_MAX + 1)).await,
        Err("TOO_LARGE".to_owned())
    );
    for text in ["", "[]", "{", "\"x\""] {
        assert_eq!(save("sql", "a", text.to_owned()).await, invalid(), "{text}");
    }
    for (kind, name) in [
        ("", "a"),
        ("S", "a"),
        (long(51).as_str(), "a"),
        ("sql", ""),
        ("sql", "a\nb"),
        ("sql", long(129).as_str()),
    ] {
        assert_eq!(
            save(kind, name, "{}".to_owned()).await,
            invalid(),
            "{kind} {name}"
        );
    }
}

#[tokio::test]
async fn connection_of_a_kind_is_found_without_its_name_and_bound_to_it() {
    let mut probe = probe(BOTH, &[]).await;
    for name in ["a", "b"] {
        let settings = json!({"of": name});
        probe
            .context
            .connections()
            .save("sql", name, settings)
            .await
            .unwrap();
    }
    probe
        .context
        .connections()
        .save("smtp", "m", json!({}))
        .await
        .unwrap();
    let find = async |scene: &Scene, kind: &str, name: Option<&str>| {
        let request = FindConnectionRequest {
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
        };
        let answer = scene.client().find_connection(request).await;
        answer
            .map(|a| a.into_inner().name)
            .map_err(|s| Failure::of(&s).reason)
    };
    assert_eq!(find(&probe.scene, "smtp", None).await.unwrap(), "m");
    assert_eq!(
        find(&probe.scene, "sql", None).await.unwrap_err(),
        "CONNECTION_REQUIRED"
    );
    assert_eq!(
        find(&probe.scene, "imap", None).await.unwrap_err(),
        "CONNECTION_REQUIRED"
    );
    let swap = "UPDATE connection SET record = \
                (SELECT record FROM connection WHERE kind = 'sql' AND name = 'b') \
                WHERE kind = 'sql' AND name = 'a'";
    assert_eq!(probe.scene.sql(swap).await, 1);
    assert_eq!(
        find(&probe.scene, "sql", Some("a")).await.unwrap_err(),
        "TAMPERED_DATA"
    );
    assert_eq!(find(&probe.scene, "sql", Some("b")).await.unwrap(), "b");
}
