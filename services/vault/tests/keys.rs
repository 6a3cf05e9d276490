//! Root keys, and stores that somebody else has changed.

mod scene;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use scene::Scene;
use serde_json::{Value, json};

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("its mode is set");
}

#[tokio::test]
async fn values_survive_a_restart() {
    let mut scene = Scene::start().await;
    assert!(!scene.key_file().exists(), "made when it is needed");
    scene.set_value("work", "token", "v").await;
    let mode = std::fs::metadata(scene.key_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    scene.restart().await.unwrap();
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), "v");
}

#[tokio::test]
async fn lost_root_key_stops_the_start_and_no_new_one_is_made() {
    let mut scene = Scene::start().await;
    scene.set_value("work", "token", "v").await;
    scene.stop().await;
    let key = std::fs::read_to_string(scene.key_file()).unwrap();
    std::fs::remove_file(scene.key_file()).unwrap();
    let error = scene.restart().await.unwrap_err();
    assert!(
        error.contains("vault") && error.contains("is gone"),
        "{error}"
    );
    assert!(!scene.key_file().exists());
    private(&scene.key_file(), &key);
    scene.restart().await.unwrap();
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), "v");
}

#[tokio::test]
async fn wrong_or_exposed_root_key_stops_the_start() {
    let mut scene = Scene::start().await;
    scene.set_value("work", "token", "v").await;
    scene.stop().await;
    let key = std::fs::read_to_string(scene.key_file()).unwrap();
    private(&scene.key_file(), HEX);
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("another root key"), "{error}");
    assert!(!error.contains(HEX));
    private(&scene.key_file(), &key);
    std::fs::set_permissions(scene.key_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("mode 644"), "{error}");
    private(&scene.key_file(), "0123");
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("has not 32 bytes"), "{error}");
}

#[tokio::test]
async fn key_comes_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root");
    private(&file, &format!("{HEX}\n"));
    let from_file = json!(format!("file:{}", file.display()));
    let mut scene =
        Scene::start_with(&[gearmesh_vault::SERVICE], &[("vault.rootKey", from_file)]).await;
    scene.set_value("work", "token", "v").await;
    assert!(!scene.key_file().exists());
    // The spelling of the environment, and the same key.
    scene.set("vault.rootKey", Value::Null);
    scene.set("vault.rootkey", json!(format!("hex:{HEX}")));
    scene.restart().await.unwrap();
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), "v");
    scene.set("vault.rootkey", json!("file:/nowhere/root"));
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("/nowhere/root"), "{error}");
}

#[tokio::test]
async fn missing_key_file_stops_the_start_of_a_new_store_too() {
    let mut scene = Scene::stopped(&[gearmesh_vault::SERVICE]);
    for key in ["vault.rootKey", "vault.passphraseFile"] {
        let file = scene.path().join("nothing").display().to_string();
        let value = if key == "vault.rootKey" {
            format!("file:{file}")
        } else {
            file
        };
        scene.set(key, json!(value));
        let error = scene.restart().await.unwrap_err();
        assert!(error.contains("there is no file"), "{error}");
        assert!(!scene.path().join("vault.db").exists());
        scene.set(key, Value::Null);
    }
}

#[tokio::test]
async fn settings_that_say_nothing_clear_are_refused() {
    let mut scene = Scene::stopped(&[gearmesh_vault::SERVICE]);
    for (key, value) in [
        ("vault.rootKey", "vault.key"),
        ("vault.rootKey", "hex:00"),
        ("vault.rootKee", "file:x"),
    ] {
        scene.set(key, json!(value));
        assert!(scene.restart().await.is_err(), "{key} {value}");
        scene.set(key, Value::Null);
    }
}

#[tokio::test]
async fn passphrase_opens_what_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passphrase");
    private(&file, "correct horse battery\n");
    let settings = [("vault.passphraseFile", json!(file.display().to_string()))];
    let mut scene = Scene::start_with(&[gearmesh_vault::SERVICE], &settings).await;
    scene.set_value("work", "token", "v").await;
    assert!(!scene.key_file().exists());
    scene.restart().await.unwrap();
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), "v");
    private(&file, "wrong horse battery");
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("another root key"), "{error}");
    assert!(!error.contains("horse"));
    private(&file, "correct horse battery");
    scene.set("vault.passphraseFile", Value::Null);
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("passphraseFile"), "{error}");
}

#[tokio::test]
async fn cost_that_somebody_raised_is_not_paid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passphrase");
    private(&file, "correct horse battery");
    let settings = [("vault.passphraseFile", json!(file.display().to_string()))];
    let mut scene = Scene::start_with(&[gearmesh_vault::SERVICE], &settings).await;
    scene.set_value("work", "token", "v").await;
    scene
        .outside("UPDATE root SET memory_kib = 4294967295")
        .await;
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("out of bounds"), "{error}");
}

async fn two_secrets() -> Scene {
    let scene = Scene::start().await;
    scene.set_value("work", "one", "first of one").await;
    scene.set_value("work", "one", "second of one").await;
    scene.set_value("work", "two", "first of two").await;
    scene.set_value("work", "two", "second of two").await;
    scene.set_value("play", "one", "in another vault").await;
    scene
}

#[tokio::test]
async fn flipped_byte_anywhere_is_tampering() {
    let mut scene = two_secrets().await;
    // Magic, format, key version, nonce, wrapped key, tag, commitment, nonce, text, tag, CRC.
    for at in [1, 5, 8, 10, 25, 60, 80, 105, 120, 180, 196] {
        let flip = format!(
            "UPDATE credential SET record = unhex(substr(hex(record), 1, ({at} - 1) * 2) || \
             printf('%02X', 255 - (instr('0123456789ABCDEF', substr(hex(record), {at} * 2 - 1, 1)) - 1) * 16 \
             - (instr('0123456789ABCDEF', substr(hex(record), {at} * 2, 1)) - 1)) || \
             substr(hex(record), {at} * 2 + 1)) WHERE vault = 'work' AND name = 'one' AND version = 2"
        );
        assert_eq!(scene.sql(&flip).await, 1);
        let found = scene.resolve("vault://work/one").await;
        assert_eq!(found.unwrap_err(), "TAMPERED_DATA", "byte {at}");
        let get = json!({"vaultName": "work", "credentialName": "one"});
        let failure = scene.call("vault.get", get).await.unwrap_err();
        assert_eq!(failure.reason, "TAMPERED_DATA");
        assert_eq!(failure.code, tonic::Code::DataLoss);
        // Flipped back, it opens again: nothing else was wrong.
        assert_eq!(scene.sql(&flip).await, 1);
        assert_eq!(
            scene.resolve("vault://work/one").await.unwrap(),
            "second of one"
        );
    }
    assert_eq!(
        scene.resolve("vault://work/one@1").await.unwrap(),
        "first of one"
    );
}

#[tokio::test]
async fn row_opens_in_its_own_place_alone() {
    let copy = |to: &str, from: &str| {
        format!(
            "UPDATE credential SET (record, created) = \
             (SELECT record, created FROM credential WHERE {from}) WHERE {to}"
        )
    };
    let to = "vault = 'work' AND name = 'one' AND version = 2";
    for from in [
        "vault = 'work' AND name = 'two' AND version = 2",
        "vault = 'work' AND name = 'one' AND version = 1",
        "vault = 'play' AND name = 'one' AND version = 1",
    ] {
        let mut scene = two_secrets().await;
        assert_eq!(scene.sql(&copy(to, from)).await, 1);
        let found = scene.resolve("vault://work/one").await;
        assert_eq!(found.unwrap_err(), "TAMPERED_DATA", "{from}");
    }
}

#[tokio::test]
async fn moved_rows_and_changed_columns_are_tampering() {
    for change in [
        "UPDATE credential SET created = created + 1 WHERE vault = 'work' AND name = 'one'",
        "UPDATE credential SET version = 9 WHERE vault = 'work' AND name = 'one' AND version = 2",
        "UPDATE vault SET created = created + 1 WHERE name = 'work'",
        "UPDATE vault SET kek_version = 2 WHERE name = 'work'",
        "UPDATE vault SET kek = (SELECT kek FROM vault WHERE name = 'play') WHERE name = 'work'",
        "UPDATE vault SET kek = x'00' WHERE name = 'work'",
        "UPDATE credential SET record = x'' WHERE vault = 'work' AND name = 'one'",
    ] {
        let mut scene = two_secrets().await;
        assert!(scene.sql(change).await > 0, "{change}");
        let found = scene.resolve("vault://work/one").await;
        assert_eq!(found.unwrap_err(), "TAMPERED_DATA", "{change}");
        assert!(scene.resolve("vault://play/one").await.is_ok(), "{change}");
    }
}

#[tokio::test]
async fn vault_of_another_root_key_is_no_tampering() {
    let mut scene = two_secrets().await;
    scene
        .sql("UPDATE vault SET proof = zeroblob(32) WHERE name = 'work'")
        .await;
    let failure = scene.resolve_all(&["vault://work/one"]).await.unwrap_err();
    assert_eq!(failure.reason, "DECRYPTION_FAILED");
    let set = json!({"vaultName": "work", "credentialName": "new", "value": "v"});
    let failure = scene.call("vault.set", set).await.unwrap_err();
    assert_eq!(failure.reason, "DECRYPTION_FAILED");
    assert!(scene.resolve("vault://play/one").await.is_ok());
}

#[tokio::test]
async fn store_of_a_newer_version_is_refused() {
    let mut scene = two_secrets().await;
    scene.outside("UPDATE root SET source = 'kms'").await;
    let error = scene.restart().await.unwrap_err();
    assert!(error.contains("unknown source"), "{error}");
}
