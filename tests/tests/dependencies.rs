//! The rules on other people's crates, over the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crates of which a second version would split types or double the build.
const ONE_OF_EACH: [&str; 12] = [
    "tonic",
    "prost",
    "hyper",
    "http",
    "axum",
    "tower",
    "rustls",
    "tokio-rustls",
    "redis",
    "reqwest",
    "opentelemetry",
    "sqlx-core",
];

/// Crates that may not come in at all; the reasons stand in `.deny.toml`.
const BANNED: [&str; 13] = [
    "openssl",
    "openssl-sys",
    "native-tls",
    "ring",
    "async-std",
    "consul-rs",
    "rs-consul",
    "rusqlite",
    "serde_yaml",
    "serde_norway",
    "unzip",
    "protobuf",
    "biscuit-auth",
];

/// The crates that are built, by name with their versions. `cargo tree` resolves
/// features as a build does; the lock file and `cargo metadata` also name what
/// other targets and features that nobody turns on would bring.
fn built() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo tree runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let versions = found.entry(name.to_owned()).or_default();
            versions.insert(version.to_owned());
        }
    }
    assert!(found.contains_key("tonic"), "the tree was read");
    found
}

#[test]
fn crates_that_carry_shared_types_come_once() {
    let built = built();
    let twice: Vec<_> = ONE_OF_EACH
        .iter()
        .filter_map(|name| built.get(*name).filter(|v| v.len() > 1).map(|v| (name, v)))
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn banned_crates_stay_out() {
    let built = built();
    let found: Vec<_> = BANNED
        .iter()
        .filter(|name| built.contains_key(**name))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn bans_of_the_tool_and_of_the_test_are_the_same() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.deny.toml"))
        .expect("the settings");
    for name in BANNED {
        assert!(text.contains(&format!("crate = \"{name}\"")), "{name}");
    }
    assert_eq!(text.matches("crate = ").count(), BANNED.len());
}

#[test]
fn no_dependency_comes_from_outside_the_registry_and_the_tree() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"))
        .expect("the lock file");
    assert!(!lock.contains("source = \"git+"), "a git dependency");
}
