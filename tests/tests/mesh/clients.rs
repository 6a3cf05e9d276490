//! Clients of every kind at the gateway, and the coded refusals of those with no right.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gearmesh_fault::Failure;
use gearmesh_tests::LocalMesh;
use serde_json::{Value, json};
use tokio::process::Command;
use tonic::Code;

use crate::site::{
    agent, call, client, direct, files, http, now, outside, pair, places, refused_by_tls,
};

/// Names the interpreter that has grpcio and grpcio-reflection.
const PYTHON: &str = "GEARMESH_TEST_PYTHON";

/// How long its whole conversation may take.
const PYTHON_MAX: Duration = Duration::from_secs(90);

/// Services at the gateway: eleven engines and health.
const SERVICES: usize = 12;

const PUT: &str = "/gearmesh.state.v1.StateService/Put";
const LIST: &str = "/gearmesh.state.v1.StateService/List";

/// The calls of `every_service.py` over REST: method, path, body, scope that it needs.
/// Identity's have no route: they are no tools.
const REST: [(&str, &str, &str, &str); SERVICES - 1] = [
    ("POST", "/v1/vault/list-vaults", "{}", "vault:read"),
    (
        "POST",
        "/v1/file/exists",
        r#"{"path": "work://nothing"}"#,
        "file:read",
    ),
    ("POST", "/v1/email/list-connections", "{}", "email:read"),
    ("POST", "/v1/db/list-connections", "{}", "db:read"),
    ("POST", "/v1/browser/session-list", "{}", "browser:read"),
    (
        "POST",
        "/v1/http/request",
        r#"{"url": "/api/alpha", "connection": "demo-site"}"#,
        "http:read",
    ),
    ("GET", "/v1/topics", "", "events:read"),
    (
        "POST",
        "/v1/state/list",
        r#"{"prefix": "none/"}"#,
        "state:read",
    ),
    ("GET", "/v1/schedules", "", "scheduler:read"),
    ("GET", "/v1/runs", "", "orchestrator:read"),
    ("GET", "/health/ready", "", ""),
];

#[tokio::test]
async fn every_service_is_called_from_outside() {
    let mesh = LocalMesh::start(&[]).await;
    let listed = python(&mesh, Some(&mesh.login())).await;
    let services = listed["services"].as_array().expect("services").clone();
    assert_eq!(services.len(), SERVICES, "{listed:#}");
    let calls: BTreeMap<String, String> =
        serde_json::from_value(listed["calls"].clone()).expect("calls");
    for service in &services {
        let prefix = format!("{}/", service.as_str().expect("a name"));
        let (path, outcome) = calls
            .iter()
            .find(|(path, _)| path.starts_with(&prefix))
            .expect("it is called");
        assert_eq!(outcome, "OK", "{path}");
    }
    let nobody = python(&mesh, None).await;
    assert_eq!(nobody["refused"], "UNAUTHENTICATED", "{nobody}");

    let scopes: Vec<_> = REST
        .iter()
        .map(|call| call.3)
        .filter(|s| !s.is_empty())
        .collect();
    let token = token(&mesh, &scopes.join(",")).await;
    for (method, path, body, _) in REST {
        let (status, answer) = rest(&mesh, method, path, body, Some(&token)).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let refused = refusals(&mesh).await;
    println!(
        "RESULT 3.3: {} services listed by reflection and called from Python with a certificate, \
         {} calls over REST with a token; {refused} refusals, each with its code",
        services.len(),
        REST.len()
    );
}

/// Runs the client that knows no proto.
async fn python(mesh: &LocalMesh, login: Option<&Path>) -> Value {
    #[expect(
        clippy::disallowed_methods,
        reason = "a part of the test run, not of the product"
    )]
    let python = std::env::var(PYTHON);
    let python = python.unwrap_or_else(|_| {
        panic!("{PYTHON} is not set: it names a python with tests/python/requirements.txt; tests/run makes one and sets it")
    });
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/every_service.py"));
    command
        .arg(mesh.url().trim_start_matches("https://"))
        .arg(mesh.ca());
    match login {
        Some(folder) => command
            .arg(folder.join("cert.pem"))
            .arg(folder.join("key.pem")),
        None => command.args(["-", "-"]),
    };
    let output = tokio::time::timeout(PYTHON_MAX, command.kill_on_drop(true).output()).await;
    let output = output
        .expect("the client ends")
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn token(mesh: &LocalMesh, scopes: &str) -> String {
    let made = mesh
        .gearmesh(&["token", "create", "--name", "test", "--scopes", scopes])
        .await;
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_owned()
}

/// Status and body of a call over REST.
async fn rest(
    mesh: &LocalMesh,
    method: &str,
    path: &str,
    body: &str,
    token: Option<&str>,
) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let mut request = http(mesh, None).request(method, format!("{}{path}", mesh.url()));
    if !body.is_empty() {
        request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

/// Everybody who comes with the wrong thing in hand; gives how many were refused.
async fn refusals(mesh: &LocalMesh) -> usize {
    wrong_scope(mesh).await + wrong_peer(mesh).await + wrong_certificate(mesh).await
}

/// A scope that does not cover the call: by certificate and by token, gRPC and REST.
async fn wrong_scope(mesh: &LocalMesh) -> usize {
    let reader = client(&files(mesh), "reader", &["file:read"], now());
    let reader = outside(mesh, Some(pair(&reader)), None);
    let status = call(&reader, PUT).await.expect_err("a write of state");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert_eq!(
        Failure::of(&status).reason,
        "PERMISSION_DENIED",
        "{status:?}"
    );

    let token = token(mesh, "file:read").await;
    let status = call(&outside(mesh, None, Some(&token)), PUT)
        .await
        .expect_err("a write");
    assert_eq!(
        Failure::of(&status).reason,
        "PERMISSION_DENIED",
        "{status:?}"
    );
    let body = json!({"key": "k", "value": 1}).to_string();
    let (status, answer) = rest(mesh, "POST", "/v1/state/put", &body, Some(&token)).await;
    assert_eq!(
        (status, &answer["details"][0]["reason"]),
        (403, &json!("PERMISSION_DENIED")),
        "{answer}"
    );
    3
}

/// A client's certificate opens no engine's own port, whatever its scopes.
async fn wrong_peer(mesh: &LocalMesh) -> usize {
    let state = places(mesh)
        .await
        .into_iter()
        .find(|p| p.engine == "state")
        .expect("state");
    let status = call(&direct(&state, agent(mesh, &mesh.login())), LIST)
        .await
        .expect_err("a client");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let failure = Failure::of(&status);
    assert_eq!(
        (failure.reason.as_str(), failure.metadata["peer"].as_str()),
        ("PERMISSION_DENIED", "spiffe://gearmesh.local/agent/admin"),
        "{failure:?}"
    );
    1
}

/// Another CA's certificate and one that has ended, at the gateway and at an engine.
async fn wrong_certificate(mesh: &LocalMesh) -> usize {
    let theirs = tempfile::tempdir().expect("a folder");
    let folder = theirs.path().to_str().expect("a plain name");
    let made = gearmesh_tests::gearmesh(theirs.path(), &["init", "--folder", folder]).await;
    assert_eq!(made.code, 0, "{}", made.err);
    let foreign = theirs.path().join("clients/admin");
    let ended = client(&files(mesh), "ended", &["*"], now() - 3_600);
    let state = places(mesh)
        .await
        .into_iter()
        .find(|p| p.engine == "state")
        .expect("state");
    for folder in [&foreign, &ended] {
        refused_by_tls(mesh, "state", &direct(&state, agent(mesh, folder))).await;
    }
    let log = mesh.log("state");
    assert!(
        log.contains("BadSignature") && log.to_lowercase().contains("expired"),
        "{log}"
    );
    for folder in [&foreign, &ended] {
        refused_by_tls(mesh, "gateway", &outside(mesh, Some(pair(folder)), None)).await;
        let sent = rest_with(mesh, folder).await;
        assert!(sent.is_err(), "no answer at all over REST, too: {sent:?}");
    }
    // A client of ours is told what is wrong with a certificate that was right once.
    let status = call(&outside(mesh, Some(pair(&ended)), None), LIST).await;
    let status = status.expect_err("an old certificate");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("`ended` has expired"), "{status}");
    6
}

/// A call over REST with the certificate of this folder.
async fn rest_with(mesh: &LocalMesh, folder: &Path) -> reqwest::Result<reqwest::Response> {
    let client = http(mesh, Some(&pair(folder)));
    client.get(format!("{}/v1/runs", mesh.url())).send().await
}
