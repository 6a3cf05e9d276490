//! Logins: TLS, wrong addresses and passwords, `db.connect` through the vault, and
//! what must never be shown.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod certificates;

use std::time::Duration;

use certificates::Authority;
use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use gearmesh_testkit::servers::{MariaDb, Postgres};
use serde_json::{Value, json};

async fn mesh(connections: Vec<(&'static str, Value)>) -> TestMesh {
    TestMesh::start_with(&[gearmesh_db::SERVICE], move |config| {
        for (name, settings) in connections {
            config.set(&format!("connections.{name}"), settings);
        }
    })
    .await
}

async fn select_one(mesh: &TestMesh, connection: &str) -> Result<Value, Failure> {
    let params = json!({"connectionId": connection, "query": "SELECT 1 AS n"});
    let done = mesh.call("db.raw_query", params).await;
    done.map_err(|e| Failure::of(&e))
}

fn connection(kind: &str, text: &str) -> Value {
    json!({"kind": "db", "type": kind, "connectionString": text, "connectionTimeout": 3000})
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_against_the_authority_that_is_named() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.leaf(&["127.0.0.1", "localhost"]);
    let server = Postgres::start_tls(&certificate, &key).await;
    let url = |mode: &str| format!("{}?sslmode={mode}", server.url("postgres"));
    let with = |mode: &str, ca: &Authority| {
        let mut settings = connection("postgresql", &url(mode));
        settings["caCertificate"] = ca.certificate.clone().into();
        settings
    };
    let mut unsaid = connection("postgresql", &server.url("postgres"));
    unsaid["caCertificate"] = ours.certificate.clone().into();
    let mesh = mesh(vec![
        ("full", with("verify-full", &ours)),
        ("authority", with("verify-ca", &ours)),
        ("unsaid", unsaid),
        ("require", connection("postgresql", &url("require"))),
        ("plain", connection("postgresql", &url("disable"))),
        ("wrong", with("verify-full", &other)),
        ("wrong-ca", with("verify-ca", &other)),
        ("public", connection("postgresql", &url("verify-full"))),
    ])
    .await;
    let encrypted = |name: &'static str| {
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let params = json!({"connectionId": name, "query": query});
        let mesh = &mesh;
        async move { mesh.call("db.raw_query", params).await.unwrap()["rows"].take() }
    };
    for name in ["full", "authority", "unsaid", "require"] {
        assert_eq!(encrypted(name).await, json!([{"ssl": true}]), "{name}");
    }
    assert_eq!(encrypted("plain").await, json!([{"ssl": false}]));
    for name in ["wrong", "wrong-ca", "public"] {
        let failure = select_one(&mesh, name).await.unwrap_err();
        assert_eq!(failure.reason, "DB_CONNECTION_FAILED", "{name} {failure:?}");
        assert!(failure.message.contains("ertificate"), "{failure:?}");
        assert!(
            !failure.retryable && failure.without_effect(),
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains(server.password()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_of_another_host_is_refused() {
    let ours = Authority::new();
    let (certificate, key) = ours.leaf(&["db.example"]);
    let server = Postgres::start_tls(&certificate, &key).await;
    let with = |mode: &str| {
        let text = format!("{}?sslmode={mode}", server.url("postgres"));
        let mut settings = connection("postgresql", &text);
        settings["caCertificate"] = ours.certificate.clone().into();
        settings
    };
    let mesh = mesh(vec![
        ("full", with("verify-full")),
        ("authority", with("verify-ca")),
    ])
    .await;
    let failure = select_one(&mesh, "full").await.unwrap_err();
    assert_eq!(failure.reason, "DB_CONNECTION_FAILED", "{failure:?}");
    assert!(select_one(&mesh, "authority").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_login_says_why_and_never_the_password() {
    let server = Postgres::start().await;
    let maria = MariaDb::start().await;
    let wrong = |url: String, password: &str| url.replace(password, "wrong-canary-1");
    let nobody = "postgresql://u:wrong-canary-1@127.0.0.1:1/d".to_owned();
    let cases = [
        (
            "postgresql",
            wrong(server.url("postgres"), server.password()),
            false,
        ),
        ("postgresql", server.url("missing"), false),
        ("mysql", wrong(maria.url("mysql"), maria.password()), false),
        ("postgresql", nobody, true),
    ];
    let names = ["a", "b", "c", "d"];
    let connections = names.iter().zip(&cases);
    let mesh = mesh(
        connections
            .map(|(name, (kind, url, _))| (*name, connection(kind, url)))
            .collect(),
    )
    .await;
    for (name, (_, url, retryable)) in names.iter().zip(&cases) {
        let failure = select_one(&mesh, name).await.unwrap_err();
        assert_eq!(failure.reason, "DB_CONNECTION_FAILED", "{url}");
        assert_eq!(failure.metadata["phase"], "connect");
        assert_eq!(failure.retryable, *retryable, "{failure:?}");
        for canary in ["canary", url.as_str()] {
            assert!(!format!("{failure:?}").contains(canary), "{failure:?}");
        }
    }
    // `db.connect` tries before it keeps anything.
    for (kind, url, _) in &cases {
        let params = json!({"connectionId": "x", "type": kind, "connectionString": url});
        let status = mesh.call("db.connect", params).await.unwrap_err();
        let failure = Failure::of(&status);
        assert_eq!(failure.reason, "DB_CONNECTION_FAILED", "{failure:?}");
        assert!(!format!("{status:?}").contains("canary"), "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_server_is_told_from_a_refusal() {
    let mut server = Postgres::start().await;
    let mesh = mesh(vec![(
        "main",
        connection("postgresql", &server.url("postgres")),
    )])
    .await;
    let slow = json!({"connectionId": "main", "query": "INSERT INTO t SELECT 1 FROM pg_sleep(60)"});
    let make = json!({"connectionId": "main", "query": "CREATE TABLE t (a INT)"});
    mesh.call("db.raw_query", make).await.unwrap();
    let call = mesh.call("db.raw_query", slow);
    let kill = async {
        // The statement runs when the server says so.
        loop {
            let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t%' AND state = 'active'";
            if server.psql("postgres", running).unwrap() == "1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.kill();
    };
    let (done, ()) = tokio::join!(call, kill);
    let failure = Failure::of(&done.unwrap_err());
    assert_eq!(failure.reason, "DB_CONNECTION_FAILED", "{failure:?}");
    // Before the commit: the server takes it back.
    assert_eq!(failure.metadata["phase"], "undone");
    assert!(failure.without_effect() && failure.retryable);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_connect_are_checked_together() {
    let mesh = mesh(vec![]).await;
    for (params, reason, field) in [
        (
            json!({"type": "sqlite"}),
            "INVALID_PARAMETERS",
            "connectionString",
        ),
        (
            json!({"type": "sqlite", "vaultName": "v"}),
            "INVALID_PARAMETERS",
            "credentialName",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "vaultName": "v", "credentialName": "c"}),
            "INVALID_PARAMETERS",
            "connectionString",
        ),
        (
            json!({"type": "oracle", "connectionString": "x"}),
            "INVALID_PARAMETERS",
            "type",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "poolSize": 0}),
            "INVALID_PARAMETERS",
            "poolSize",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "poolSize": 101}),
            "INVALID_PARAMETERS",
            "poolSize",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "idleTimeout": "25h"}),
            "INVALID_PARAMETERS",
            "idleTimeout",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "connectionTimeout": 300_001}),
            "INVALID_PARAMETERS",
            "connectionTimeout",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:a.db", "statementTimeout": 0}),
            "INVALID_PARAMETERS",
            "statementTimeout",
        ),
        (
            json!({"type": "mongodb", "connectionString": "mongodb://h/d"}),
            "NOT_IMPLEMENTED",
            "",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:/etc/passwd"}),
            "DB_CONNECTION_FAILED",
            "",
        ),
        (
            json!({"type": "sqlite", "connectionString": "file:../x.db"}),
            "DB_CONNECTION_FAILED",
            "",
        ),
        (
            json!({"type": "postgresql", "connectionString": "mysql://u:canary@h/d"}),
            "DB_CONNECTION_FAILED",
            "",
        ),
    ] {
        let mut params = params;
        params["connectionId"] = "x".into();
        let status = mesh.call("db.connect", params.clone()).await.unwrap_err();
        let failure = Failure::of(&status);
        assert_eq!(failure.reason, reason, "{params} {failure:?}");
        let found = failure.violations.first().map_or("", |v| v.field.as_str());
        assert_eq!(found, field, "{params}");
        assert!(!format!("{status:?}").contains("canary"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_is_kept_in_the_vault_alone() {
    let server = Postgres::start().await;
    let services = [gearmesh_vault::SERVICE, gearmesh_db::SERVICE];
    let configured = connection("sqlite", "file:own.db");
    let mesh = TestMesh::start_with(&services, move |config| {
        config.set("connections.own", configured);
    })
    .await;
    let secret = json!({"vaultName": "databases", "credentialName": "shop", "value": server.url("postgres")});
    mesh.call("vault.set", secret).await.unwrap();

    let by_name = json!({"connectionId": "shop", "type": "postgresql", "vaultName": "databases", "credentialName": "shop", "poolSize": 3, "idleTimeout": "5s"});
    let done = mesh.call("db.connect", by_name).await.unwrap();
    assert_eq!(
        done,
        json!({"message": "connected to postgresql as `shop`", "connectionId": "shop"})
    );
    let literal = json!({"connectionId": "plain", "type": "postgresql", "connectionString": server.url("postgres"), "readOnly": true});
    mesh.call("db.connect", literal).await.unwrap();
    for name in ["shop", "plain"] {
        assert_eq!(
            select_one(&mesh, name).await.unwrap()["rows"],
            json!([{"n": 1}])
        );
    }
    let list = mesh.call("db.list_connections", json!({})).await.unwrap();
    assert_eq!(
        list["connections"][2],
        json!({"name": "shop", "type": "postgresql", "open": 1, "idle": 1, "poolSize": 3})
    );

    // Saved anew it is opened anew.
    let reader = json!({"connectionId": "shop", "type": "postgresql", "connectionString": "vault://databases/shop", "readOnly": true});
    mesh.call("db.connect", reader).await.unwrap();
    let write = json!({"connectionId": "shop", "query": "CREATE TABLE x (a INT)"});
    let status = mesh.call("db.raw_query", write).await.unwrap_err();
    assert_eq!(Failure::of(&status).reason, "PERMISSION_DENIED");

    // The configuration's name is not taken.
    let taken = json!({"connectionId": "own", "type": "sqlite", "connectionString": "file:x.db"});
    let failure = Failure::of(&mesh.call("db.connect", taken).await.unwrap_err());
    assert_eq!(failure.violations[0].field, "connectionId");

    let gone = mesh
        .call("db.disconnect", json!({"connectionId": "shop"}))
        .await;
    assert_eq!(gone.unwrap()["message"], "`shop` is closed");
    assert_eq!(
        select_one(&mesh, "shop").await.unwrap_err().reason,
        "CONNECTION_NOT_FOUND"
    );
    let missing = json!({"connectionId": "x", "type": "postgresql", "vaultName": "databases", "credentialName": "none"});
    let failure = Failure::of(&mesh.call("db.connect", missing).await.unwrap_err());
    assert_eq!(failure.reason, "CREDENTIAL_NOT_FOUND", "{failure:?}");
    nothing_holds(mesh.folder(), server.password());
}

/// Reads every file below a folder.
fn nothing_holds(folder: &std::path::Path, canary: &str) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_holds(&path, canary);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(canary.len()).any(|w| w == canary.as_bytes());
        assert!(!found, "{} holds the password", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_pool_and_new_file_are_said_and_served() {
    let server = Postgres::start().await;
    let mut narrow = connection("postgresql", &server.url("postgres"));
    narrow["poolSize"] = 1.into();
    narrow["connectionTimeout"] = 1000.into();
    let mesh = mesh(vec![
        ("narrow", narrow),
        ("fresh", connection("sqlite", "file:fresh.db")),
    ])
    .await;
    // The first call on a file that is not there yet only reads.
    assert_eq!(select_one(&mesh, "fresh").await.unwrap()["count"], 1);

    // Its login is open, so that a busy machine cannot hold up the one that sleeps.
    assert!(select_one(&mesh, "narrow").await.is_ok());
    let slow = json!({"connectionId": "narrow", "query": "SELECT pg_sleep(2)"});
    let busy = async {
        loop {
            let query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(2)%' AND state = 'active' AND pid <> pg_backend_pid()";
            if server.psql("postgres", query).unwrap() == "1" {
                break select_one(&mesh, "narrow").await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (held, second) = tokio::join!(mesh.call("db.raw_query", slow), busy);
    let failure = second.unwrap_err();
    assert!(
        failure.message.contains("none of its 1 logins"),
        "{failure:?}"
    );
    assert!(failure.retryable && failure.without_effect());
    // The one that had the login goes on undisturbed.
    assert!(held.is_ok(), "{held:?}");
}
