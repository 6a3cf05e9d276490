//! The vault's tools, over a local link behind the real layers.

mod scene;

use gearmesh_link::Call;
use gearmesh_vault::VALUE_MAX;
use scene::{Scene, contains};
use serde_json::json;

const CANARY: &str = "canary-5f1d0a3b9c";

#[tokio::test]
async fn value_survives_unchanged() {
    let scene = Scene::start().await;
    let values = [
        String::new(),
        " ".to_owned(),
        "plain".to_owned(),
        "ключ 鍵 🔑 e\u{301}\u{0}\u{1f}\u{feff}".to_owned(),
        "'; DROP TABLE vault; -- \"\\ \r\n\t ${x} {{y}} <a&b>".to_owned(),
        "k".repeat(10 * 1024),
        "ä".repeat(VALUE_MAX / 2),
        r#"{"user": "ada"}"#.to_owned(),
    ];
    for (i, value) in values.iter().enumerate() {
        let name = format!("value_{i}");
        scene.set_value("work", &name, value).await;
        let found = scene.resolve(&format!("vault://work/{name}")).await;
        assert!(found.as_deref() == Ok(value), "value {i}");
    }
}

#[tokio::test]
async fn value_is_bounded_in_bytes() {
    let scene = Scene::start().await;
    scene
        .set_value("work", "most", &"v".repeat(VALUE_MAX))
        .await;
    for value in ["v".repeat(VALUE_MAX + 1), "ä".repeat(VALUE_MAX / 2) + "v"] {
        let params = json!({"vaultName": "work", "credentialName": "more", "value": value});
        let failure = scene.call("vault.set", params).await.unwrap_err();
        assert_eq!(failure.reason, "INVALID_PARAMETERS");
        assert_eq!(failure.violations[0].field, "value");
    }
    let params = json!({"vaultName": "work", "credentialName": "more"});
    let failure = scene.call("vault.set", params).await.unwrap_err();
    assert_eq!(failure.reason, "INVALID_PARAMETERS");
    assert_eq!(
        scene.resolve("vault://work/more").await.unwrap_err(),
        "CREDENTIAL_NOT_FOUND"
    );
}

#[tokio::test]
async fn tools_answer_names_and_references_but_never_values() {
    let scene = Scene::start().await;
    let none = scene.call("vault.list_vaults", json!({})).await.unwrap();
    assert_eq!(none, json!({"vaults": [], "count": 0}));
    for (vault, name) in [("work", "b_token"), ("work", "a-1"), ("play", "x")] {
        scene.set_value(vault, name, CANARY).await;
    }
    let set = json!({"vaultName": "work", "credentialName": "b_token", "value": CANARY});
    let set = scene.call("vault.set", set).await.unwrap();
    assert_eq!(
        set,
        json!({"message": "stored version 2 of work/b_token", "version": 2})
    );
    let all = scene.call("vault.list_vaults", json!({})).await.unwrap();
    assert_eq!(all, json!({"vaults": ["play", "work"], "count": 2}));
    let list = json!({"vaultName": "work"});
    let list = scene.call("vault.list", list).await.unwrap();
    assert_eq!(
        list,
        json!({"vaultName": "work", "credentials": ["a-1", "b_token"], "count": 2})
    );
    let get = json!({"vaultName": "work", "credentialName": "b_token"});
    let get = scene.call("vault.get", get).await.unwrap();
    assert_eq!(get["credentialName"], "b_token");
    assert_eq!(get["value"], "vault://work/b_token");
    assert_eq!(get["version"], 2);
    assert!(get["created"].is_string());
    assert!(!format!("{set}{all}{list}{get}").contains(CANARY));
}

#[tokio::test]
async fn missing_names_have_their_faults() {
    let scene = Scene::start().await;
    scene.set_value("work", "token", "v").await;
    for (tool, params, reason) in [
        (
            "vault.get",
            json!({"vaultName": "no", "credentialName": "token"}),
            "VAULT_NOT_FOUND",
        ),
        (
            "vault.get",
            json!({"vaultName": "work", "credentialName": "no"}),
            "CREDENTIAL_NOT_FOUND",
        ),
        ("vault.list", json!({"vaultName": "no"}), "VAULT_NOT_FOUND"),
        (
            "vault.delete",
            json!({"vaultName": "no", "credentialName": "token"}),
            "VAULT_NOT_FOUND",
        ),
        (
            "vault.delete",
            json!({"vaultName": "work", "credentialName": "no"}),
            "CREDENTIAL_NOT_FOUND",
        ),
    ] {
        let failure = scene.call(tool, params.clone()).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{tool} {params}");
        assert_eq!(failure.domain, "vault.gearmesh");
    }
}

#[tokio::test]
async fn names_are_checked_by_every_tool() {
    let scene = Scene::start().await;
    let long_vault = "v".repeat(51);
    let long_name = "c".repeat(101);
    for tool in [
        "vault.set",
        "vault.get",
        "vault.list",
        "vault.delete",
        "vault.delete_vault",
    ] {
        for vault in ["A", "a_b", "a/b", "ä", ":connections", long_vault.as_str()] {
            let mut params = json!({"vaultName": vault});
            if !["vault.list", "vault.delete_vault"].contains(&tool) {
                params["credentialName"] = "c".into();
            }
            if tool == "vault.set" {
                params["value"] = CANARY.into();
            }
            let failure = scene.call(tool, params).await.unwrap_err();
            assert_eq!(failure.reason, "INVALID_VAULT_NAME", "{tool} {vault}");
            assert!(!format!("{failure:?}").contains(CANARY));
        }
    }
    for tool in ["vault.set", "vault.get", "vault.delete"] {
        for name in ["A", "a.b", "a@1", "a#b", long_name.as_str()] {
            let mut params = json!({"vaultName": "work", "credentialName": name});
            if tool == "vault.set" {
                params["value"] = CANARY.into();
            }
            let failure = scene.call(tool, params).await.unwrap_err();
            assert_eq!(failure.reason, "INVALID_CREDENTIAL_NAME", "{tool} {name}");
        }
    }
    let most = ("v".repeat(50), "c".repeat(100));
    assert_eq!(scene.set_value(&most.0, &most.1, "v").await, 1);
    let missing = scene.call("vault.get", json!({"vaultName": "work"})).await;
    assert_eq!(missing.unwrap_err().reason, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn deleted_is_gone_and_a_missing_vault_is_success() {
    let mut scene = Scene::start().await;
    scene.set_value("work", "token", CANARY).await;
    scene.set_value("work", "other", "v").await;
    let token = json!({"vaultName": "work", "credentialName": "token"});
    let answer = scene.call("vault.delete", token.clone()).await.unwrap();
    assert_eq!(answer, json!({"message": "deleted work/token"}));
    assert_eq!(
        scene.call("vault.delete", token).await.unwrap_err().reason,
        "CREDENTIAL_NOT_FOUND"
    );
    assert_eq!(scene.resolve("vault://work/other").await.unwrap(), "v");
    let work = json!({"vaultName": "work"});
    let answer = scene
        .call("vault.delete_vault", work.clone())
        .await
        .unwrap();
    assert_eq!(answer["message"], "deleted vault work");
    let answer = scene.call("vault.delete_vault", work).await.unwrap();
    assert_eq!(answer["message"], "there was no vault work");
    assert_eq!(
        scene.resolve("vault://work/other").await.unwrap_err(),
        "VAULT_NOT_FOUND"
    );
    // The name may be used anew, with another key.
    assert_eq!(scene.set_value("work", "token", "again").await, 1);
    scene.restart().await.unwrap();
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), "again");
}

#[tokio::test]
async fn repeat_with_a_key_answers_the_first_reply_and_another_value_is_refused() {
    let scene = Scene::start().await;
    let call = || Call {
        key: Some("k1".to_owned()),
        ..Call::default()
    };
    let params = |value: &str| json!({"vaultName": "a", "credentialName": "b", "value": value});
    for _ in 0..2 {
        let answer = scene
            .call_as("vault.set", params("one"), call())
            .await
            .unwrap();
        assert_eq!(answer["version"], 1);
    }
    let failure = scene
        .call_as("vault.set", params("two"), call())
        .await
        .unwrap_err();
    assert_eq!(failure.reason, "KEY_REUSED");
    assert_eq!(scene.resolve("vault://a/b").await.unwrap(), "one");

    let delete = || Call {
        key: Some("k2".to_owned()),
        ..Call::default()
    };
    for _ in 0..2 {
        let params = json!({"vaultName": "a", "credentialName": "b"});
        scene
            .call_as("vault.delete", params, delete())
            .await
            .expect("the first reply");
    }
}

#[tokio::test]
async fn nothing_on_disk_holds_a_value_or_a_guessable_hash_of_it() {
    let mut scene = Scene::start().await;
    let call = Call {
        key: Some("k1".to_owned()),
        ..Call::default()
    };
    let params = json!({"vaultName": "a", "credentialName": "b", "value": CANARY});
    scene.call_as("vault.set", params, call).await.unwrap();
    scene.set_value("a", "c", "vault://a/b").await;
    scene.resolve("vault://a/b").await.unwrap();
    let live = scene.bytes();
    scene.stop().await;
    let bytes = [live, scene.bytes()].concat();
    println!("{} bytes searched", bytes.len());
    assert!(bytes.len() > 10_000);
    assert!(!contains(&bytes, CANARY));
    let hash = |text: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        digest.as_ref().to_vec()
    };
    let requests = [
        CANARY.to_owned(),
        json!({"credentialName": "b", "value": CANARY, "vaultName": "a"}).to_string(),
        json!({"credentialName": "b", "value": "***", "vaultName": "a"}).to_string(),
    ];
    for text in requests {
        let hash = hash(&text);
        assert!(!bytes.windows(32).any(|w| w == hash), "hash of {text}");
    }
}

#[tokio::test]
async fn concurrent_writers_lose_no_version() {
    let scene = Scene::start().await;
    let writers = (0..20).map(|i| {
        let scene = &scene;
        async move { scene.set_value("work", "token", &format!("v{i}")).await }
    });
    let mut versions = futures::future::join_all(writers).await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn examples_of_the_tools_work() {
    let scene = Scene::start().await;
    let catalog = scene.mesh().catalog();
    let mut tools = 0;
    for tool in catalog.tools().iter().filter(|t| t.engine == "vault") {
        tools += 1;
        for example in &tool.examples {
            scene.set_value("old", "crm", "v").await;
            if tool.id == "vault.set" {
                let work = json!({"vaultName": "work"});
                scene.call("vault.delete_vault", work).await.expect("gone");
            } else {
                scene.set_value("work", "crm_token", "v").await;
            }
            let answer = scene.call(&tool.id, example.request.clone()).await;
            let answer = answer.unwrap_or_else(|e| panic!("{}: {e:?}", tool.id));
            for (key, value) in example.response.as_object().expect("an object") {
                assert_eq!(&answer[key], value, "{} {key}", tool.id);
            }
        }
    }
    assert_eq!(tools, 6);
}
