//! API tokens through the generated client, and the files of `init`.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_api::identity::v1::*;
use gearmesh_fault::Failure;
use gearmesh_identity::init::{self, InitError};
use gearmesh_link::Link;
use gearmesh_runtime::{BoxFuture, Clock, Config, NodeCredential, Running, SystemClock, start_at};
use rcgen::{CertificateParams, KeyPair, SanType};
use tempfile::TempDir;
use tonic::{Code, Status};

/// The machine's clock, set forward.
#[derive(Debug, Default)]
struct Forward {
    clock: SystemClock,
    by_ms: AtomicI64,
}

impl Clock for Forward {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms() + self.by_ms.load(Ordering::Relaxed)
    }

    fn monotonic_us(&self) -> u64 {
        self.clock.monotonic_us()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(time)
    }
}

struct Engine {
    _folder: TempDir,
    _running: Running,
    clock: Arc<Forward>,
    client: IdentityServiceClient<Link>,
}

async fn engine() -> Engine {
    engine_with(|_| {}).await
}

async fn engine_with(settings: impl FnOnce(&mut Config)) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Forward::default());
    let mut config = Config::new(folder.path());
    settings(&mut config);
    let running = start_at(&[gearmesh_identity::SERVICE], config, clock.clone())
        .await
        .unwrap();
    let link = running.mesh().link("identity").unwrap();
    Engine {
        _folder: folder,
        _running: running,
        clock,
        client: IdentityServiceClient::new(link),
    }
}

impl Engine {
    async fn issue(&mut self, name: &str, lifetime: i64) -> Result<IssueTokenResponse, Status> {
        let request = IssueTokenRequest {
            name: name.into(),
            scopes: vec!["file:read".into(), "http:*".into()],
            lifetime: Some(prost_types::Duration {
                seconds: lifetime,
                nanos: 0,
            }),
        };
        Ok(self.client.issue_token(request).await?.into_inner())
    }

    async fn authenticate(&mut self, token: &str) -> Result<AuthenticateResponse, Status> {
        let request = AuthenticateRequest {
            token: token.into(),
        };
        Ok(self.client.authenticate(request).await?.into_inner())
    }

    async fn list(&mut self, page_size: i32, page_token: &str) -> ListTokensResponse {
        let request = ListTokensRequest {
            page_size,
            page_token: page_token.into(),
        };
        self.client.list_tokens(request).await.unwrap().into_inner()
    }
}

fn reason(status: &Status) -> String {
    Failure::of(status).reason
}

#[tokio::test]
async fn token_says_whose_it_is_and_what_it_may() {
    let mut engine = engine().await;
    let made = engine.issue("reports", 3_600).await.unwrap();
    let details = made.details.unwrap();
    assert!(made.token.starts_with(&format!("gearmesh_{}_", details.id)));
    assert_eq!(made.token.len(), 56);
    let known = engine.authenticate(&made.token).await.unwrap();
    assert_eq!(known.principal, "token/reports");
    assert_eq!(known.scopes, ["file:read", "http:*"]);
    assert_eq!(known.expires, details.expires);
    let listed = engine.list(0, "").await.tokens;
    assert!(listed[0].last_used.is_some());
    // What is stored is not the token.
    let shown = format!("{listed:?}");
    assert!(!shown.contains(&made.token[18..40]), "{shown}");
}

#[tokio::test]
async fn refused_tokens_look_alike() {
    let mut engine = engine().await;
    let expired = engine.issue("short", 60).await.unwrap().token;
    let revoked = engine.issue("revoked", 3_600).await.unwrap();
    let id = revoked.details.unwrap().id;
    let request = RevokeTokenRequest { id: id.clone() };
    let answer = engine.client.revoke_token(request.clone()).await.unwrap();
    assert!(answer.into_inner().revoked);
    let again = engine.client.revoke_token(request).await.unwrap();
    assert!(!again.into_inner().revoked);
    engine.authenticate(&expired).await.unwrap();
    engine.clock.by_ms.store(61_000, Ordering::Relaxed);
    let other = engine.issue("other", 3_600).await.unwrap().token;
    // The id of one, the rest of another: its checksum does not fit either.
    let mixed = format!("{}{}", &other[..17], &expired[17..]);
    let unknown = self::foreign().await;
    let mut seen = Vec::new();
    for token in [
        &expired,
        &revoked.token,
        &mixed,
        &unknown,
        "gearmesh_x",
        "x",
    ] {
        let status = engine.authenticate(token).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        seen.push((reason(&status), status.message().to_owned()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    engine.authenticate(&other).await.unwrap();
}

/// A token of another engine.
async fn foreign() -> String {
    engine().await.issue("foreign", 3_600).await.unwrap().token
}

#[tokio::test]
async fn tokens_are_listed_newest_first_by_pages() {
    let mut engine = engine().await;
    for n in 0..5 {
        engine.issue(&format!("t{n}"), 3_600).await.unwrap();
        engine.clock.by_ms.fetch_add(1_000, Ordering::Relaxed);
    }
    let names = |page: &ListTokensResponse| -> Vec<String> {
        page.tokens.iter().map(|t| t.name.clone()).collect()
    };
    let first = engine.list(2, "").await;
    let second = engine.list(2, &first.next_page_token).await;
    let third = engine.list(2, &second.next_page_token).await;
    assert_eq!(names(&first), ["t4", "t3"]);
    assert_eq!(names(&second), ["t2", "t1"]);
    assert_eq!(names(&third), ["t0"]);
    assert_eq!(third.next_page_token, "");
    for (page_size, page_token) in [(-1, ""), (1, "nonsense")] {
        let request = ListTokensRequest {
            page_size,
            page_token: page_token.into(),
        };
        let status = engine.client.list_tokens(request).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_PARAMETERS");
    }
    let request = RevokeTokenRequest {
        id: "00000000".into(),
    };
    let status = engine.client.revoke_token(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "TOKEN_NOT_FOUND")
    );
}

#[tokio::test]
async fn limits_of_a_token_are_held() {
    let mut engine = engine().await;
    for (name, lifetime, fits) in [
        ("a", 60, true),
        ("a", 59, false),
        ("a", 31_536_000, true),
        ("a", 31_536_001, false),
        ("a", -1, false),
        ("", 60, false),
        ("a b", 60, false),
        (&*"n".repeat(64), 60, true),
        (&*"n".repeat(65), 60, false),
    ] {
        let answer = engine.issue(name, lifetime).await;
        assert_eq!(answer.is_ok(), fits, "{name} {lifetime}");
        if let Err(status) = answer {
            assert_eq!(reason(&status), "INVALID_PARAMETERS");
        }
    }
    let scoped = |count: usize, scope: &str| IssueTokenRequest {
        name: "a".into(),
        scopes: vec![scope.into(); count],
        lifetime: None,
    };
    for (count, scope, fits) in [
        (1, "*", true),
        (64, "a:b", true),
        (65, "a:b", false),
        (0, "", false),
        (1, "a", false),
    ] {
        let answer = engine.client.issue_token(scoped(count, scope)).await;
        assert_eq!(answer.is_ok(), fits, "{count} {scope}");
    }
    // Thirty days, when nobody says how long.
    let answer = engine.client.issue_token(scoped(1, "a:b")).await.unwrap();
    let token = answer.into_inner().details.unwrap();
    let life = token.expires.unwrap().seconds - token.created.unwrap().seconds;
    assert_eq!(life, 30 * 86_400);
}

#[tokio::test]
async fn engine_without_ca_signs_nothing() {
    let mut engine = engine().await;
    let status = engine
        .client
        .sign_leaf(SignLeafRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "CA_MISSING")
    );
}

fn site(folder: &Path) -> init::Mesh {
    init::Mesh {
        folder: folder.to_owned(),
        trust_domain: "gearmesh.local".into(),
        identity: "https://127.0.0.1:8421".into(),
        services: ["identity", "file", "gateway"].map(Into::into).to_vec(),
        hosts: vec!["gw.example".into(), "192.0.2.7".into()],
        if_absent: false,
    }
}

fn now() -> i64 {
    SystemClock::default().now_ms() / 1000
}

/// Every file below a folder with its bytes.
fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(bytes(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            out.push((path.to_string_lossy().into_owned(), content));
        }
    }
    out.sort();
    out
}

#[test]
fn init_makes_its_files_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = init::mesh(&site(at), now()).unwrap();
    assert!(made.iter().all(|m| m.path.is_file()), "{made:?}");
    for secret in [
        "ca/root.key",
        "ca/intermediate.key",
        "credentials/file.json",
        "credentials/gateway.json",
        "clients/admin/key.pem",
        "clients/admin/credential.json",
    ] {
        let mode = at.join(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let settings = std::fs::read_to_string(at.join("config/file.toml")).unwrap();
    assert!(settings.contains("identity = \"https://127.0.0.1:8421\""));
    assert!(Config::load(&at.join("config/file.toml"), at).is_ok());
    let identity = std::fs::read_to_string(at.join("config/identity.toml")).unwrap();
    assert!(
        identity.contains("listen = \"127.0.0.1:8421\""),
        "{identity}"
    );

    let before = bytes(at);
    let error = init::mesh(&site(at), now()).unwrap_err();
    assert_eq!(error.code(), "ALREADY_INITIALIZED");
    assert!(error.help().is_some());
    let error = init::node(at, "file", &[], now()).unwrap_err();
    assert_eq!(error.code(), "ALREADY_INITIALIZED");
    assert_eq!(bytes(at), before);

    // What is missing is added, what is there stays.
    let mut more = site(at);
    more.if_absent = true;
    assert_eq!(init::mesh(&more, now()).unwrap(), []);
    more.services.push("vault".into());
    assert_eq!(init::mesh(&more, now()).unwrap().len(), 2);
    let after = bytes(at);
    assert!(before.iter().all(|file| after.contains(file)));
}

#[test]
fn init_refuses_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let code = |result: Result<_, InitError>| result.map(|_: Vec<_>| ()).unwrap_err().code();
    assert_eq!(code(init::node(at, "file", &[], now())), "CA_MISSING");
    for change in [
        |m: &mut init::Mesh| m.trust_domain = "Not A Domain".into(),
        |m: &mut init::Mesh| m.identity = "http://127.0.0.1:1".into(),
        |m: &mut init::Mesh| m.hosts = vec!["*.example".into()],
    ] {
        let mut mesh = site(at);
        change(&mut mesh);
        assert_eq!(code(init::mesh(&mesh, now())), "INVALID_PARAMETERS");
    }
    assert!(bytes(at).is_empty());
    init::mesh(&site(at), now()).unwrap();
    assert_eq!(
        code(init::node(at, "Not-A-Name", &[], now())),
        "INVALID_PARAMETERS"
    );
    let client = |name: &str, scope: &str, lifetime| init::Client {
        folder: at.to_owned(),
        name: name.into(),
        scopes: vec![scope.into()],
        lifetime,
    };
    for bad in [
        client("a/b", "file:read", 600),
        client("..", "file:read", 600),
        client("a", "nonsense", 600),
        client("a", "file:read", 59),
        client("a", "file:read", gearmesh_identity::LEAF_MAX_S + 1),
    ] {
        assert_eq!(
            code(init::client(&bad, now())),
            "INVALID_PARAMETERS",
            "{bad:?}"
        );
    }
    init::client(&client("a", "file:read", 600), now()).unwrap();
    let again = init::client(&client("a", "file:read", 600), now());
    assert_eq!(code(again), "ALREADY_INITIALIZED");
}

#[tokio::test]
async fn credential_unused_for_thirty_days_has_ended() {
    const DAY_MS: i64 = 86_400_000;
    let files = tempfile::tempdir().unwrap();
    init::mesh(&site(files.path()), now()).unwrap();
    let ca = files.path().join("ca").to_string_lossy().into_owned();
    let mut engine = engine_with(|config| config.set("identity.ca", ca)).await;
    let node = NodeCredential::read(&files.path().join("credentials/file.json")).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let uri = "spiffe://gearmesh.local/engine/file/1".to_owned();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let csr = params.serialize_request(&key).unwrap().der().to_vec();
    let request = SignLeafRequest {
        credential: node.document().to_vec().into(),
        signature: node.sign(&csr).into(),
        csr: csr.into(),
    };
    // Each use counts anew.
    for day in [29, 58, 87] {
        engine.clock.by_ms.store(day * DAY_MS, Ordering::Relaxed);
        let leaf = engine.client.sign_leaf(request.clone()).await.unwrap();
        let leaf = leaf.into_inner();
        assert_eq!((leaf.chain.len(), leaf.roots.len()), (2, 1));
        let life = leaf.expires.unwrap().seconds - engine.clock.now_ms() / 1000;
        assert!((3_290..=3_300).contains(&life), "{life}");
    }
    engine.clock.by_ms.store(118 * DAY_MS, Ordering::Relaxed);
    let status = engine.client.sign_leaf(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "CREDENTIAL_REFUSED")
    );
    let request = ListCredentialsRequest::default();
    let answer = engine.client.list_credentials(request).await.unwrap();
    let known = answer.into_inner().credentials;
    assert_eq!(known[0].spiffe, "spiffe://gearmesh.local/engine/file");
    assert_eq!(known[0].serial.len(), 32);
}
