//! Secrets of the vault in requests: they reach the server, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::extract::Path as Segment;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CANARY: &str = "canary/5f1d+0a3b \"9c\" ü";
/// What a header can carry of it.
const TOKEN: &str = "tok-canary-77e1b2";
const REFERENCE: &str = "vault://api/token";
const MARK: &str = "«redacted:vault://api/token»";

/// All that is logged in this process, from the finest level on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
}

struct Scene {
    mesh: TestMesh,
    /// Headers that came, one text for each request.
    seen: Arc<Mutex<Vec<String>>>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn start() -> Self {
        log();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = site(seen.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, site).await.unwrap() });
        let services = [gearmesh_http::SERVICE, gearmesh_vault::SERVICE];
        let mesh = TestMesh::start_with(&services, |config| {
            for name in ["plain", "keyed", "bearing", "broken"] {
                config.set(&format!("connections.{name}.kind"), "http");
                config.set(
                    &format!("connections.{name}.url"),
                    format!("http://{address}"),
                );
                config.set(&format!("connections.{name}.allowPrivate"), true);
            }
            config.set("connections.keyed.headers.X-Key", REFERENCE);
            config.set("connections.bearing.bearer", REFERENCE);
            config.set("connections.broken.bearer", "vault://api/none");
        })
        .await;
        let scene = Self {
            mesh,
            seen,
            address,
            _tasks: tasks,
        };
        scene.store("token", TOKEN).await;
        scene.store("canary", CANARY).await;
        scene
    }

    async fn store(&self, name: &str, value: &str) {
        let params = json!({"vaultName": "api", "credentialName": name, "value": value});
        self.mesh.call("vault.set", params).await.unwrap();
    }

    async fn request(&self, params: Value) -> Result<Value, Failure> {
        let answer = self.mesh.call("http.request", params).await;
        answer.map_err(|status| Failure::of(&status))
    }

    /// The headers of the last request, as the server saw them.
    fn last(&self) -> String {
        self.seen
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// A server that tells everything that it was sent, in every form.
fn site(seen: Arc<Mutex<Vec<String>>>) -> Router {
    let tell = move |Segment(form): Segment<String>, headers: HeaderMap, body: String| {
        let all = format!("{headers:?}");
        seen.lock().unwrap().push(all.clone());
        async move {
            let mut answer = HeaderMap::new();
            for name in ["authorization", "x-key"] {
                if let Some(value) = headers.get(name) {
                    answer.insert("x-echo", value.clone());
                }
            }
            let text = format!("{all}{body}");
            match form.as_str() {
                "json" => {
                    answer.insert("content-type", "application/json".parse().unwrap());
                    (
                        StatusCode::OK,
                        answer,
                        json!({"sent": text, "list": [all]}).to_string(),
                    )
                }
                "base64" => (StatusCode::OK, answer, STANDARD.encode(&text)),
                "url64" => (StatusCode::OK, answer, URL_SAFE_NO_PAD.encode(&text)),
                "hex" => (StatusCode::OK, answer, hex::encode(&text)),
                "error" => (StatusCode::BAD_GATEWAY, answer, text),
                "cut" => {
                    answer.insert("content-encoding", "br".parse().unwrap());
                    (StatusCode::OK, answer, text)
                }
                _ => (StatusCode::OK, answer, text),
            }
        }
    };
    Router::new().route("/{form}", any(tell))
}

fn in_any_form(text: &str, value: &str) -> bool {
    let base64 = STANDARD.encode(value);
    text.contains(value)
        || text.contains(&hex::encode(value))
        || (0..3).any(|shift| {
            let padded = STANDARD.encode(format!("{}{value}", "\0".repeat(shift)));
            let core = &padded[4..padded.len() - 4];
            text.contains(core) || text.contains(&core.replace('+', "-").replace('/', "_"))
        })
        || text.contains(base64.trim_end_matches('='))
}

#[tokio::test]
async fn secret_reaches_the_server_from_every_place_and_comes_back_from_none() {
    let scene = Scene::start().await;
    let ways = [
        json!({"connection": "keyed"}),
        json!({"connection": "bearing"}),
        json!({"connection": "plain", "bearer": REFERENCE}),
        json!({"connection": "plain", "secretHeaders": {"X-Key": REFERENCE}}),
    ];
    for way in ways {
        for form in ["text", "json", "base64", "url64", "hex", "error", "cut"] {
            let mut params = way.clone();
            params["url"] = json!(format!("/{form}"));
            let call = Call {
                retries: Some(0),
                ..Call::default()
            };
            let answer = scene.mesh.call_as("http.request", params, call).await;
            assert!(
                scene.last().contains(TOKEN),
                "{way} {form}: the server has it"
            );
            let shown = match answer {
                Ok(answer) => answer.to_string(),
                Err(status) => format!("{status:?} {:?}", Failure::of(&status)),
            };
            assert!(!in_any_form(&shown, TOKEN), "{way} {form}: {shown}");
            if form != "cut" {
                assert!(shown.contains(MARK), "{way} {form}: {shown}");
            }
        }
    }
}

#[tokio::test]
async fn bearer_has_its_scheme_and_answers_stay_whole() {
    let scene = Scene::start().await;
    let params = json!({"url": "/json", "connection": "plain", "bearer": REFERENCE,
                        "headers": {"Accept": "application/json"}});
    let answer = scene.request(params).await.unwrap();
    assert!(scene.last().contains(&format!("Bearer {TOKEN}")));
    assert_eq!(answer["headers"]["x-echo"], format!("Bearer {MARK}"));
    assert_eq!(answer["headers"]["content-type"], "application/json");
    let sent = answer["data"]["sent"].as_str().unwrap();
    assert!(sent.contains(&format!("Bearer {MARK}")) && sent.contains("application/json"));
}

#[tokio::test]
async fn reference_needs_the_scope_of_the_vault() {
    let scene = Scene::start().await;
    let as_one_who_may = |scopes: &str| Call {
        scopes: Some(scopes.to_owned()),
        ..Call::default()
    };
    let ask = |params: Value, scopes: &str| {
        scene
            .mesh
            .call_as("http.request", params, as_one_who_may(scopes))
    };
    let refers =
        json!({"connection": "plain", "url": "/text", "secretHeaders": {"X-Key": REFERENCE}});

    for scopes in [
        "http:*",
        "http:write",
        "http:write state:* vault:reveal",
        "",
    ] {
        let refusal = Failure::of(&ask(refers.clone(), scopes).await.unwrap_err());
        assert_eq!(refusal.reason, "PERMISSION_DENIED", "{scopes}");
        assert_eq!(refusal.metadata["scope"], "vault:read", "{scopes}");
        assert!(refusal.message.contains("secretHeaders"), "{refusal:?}");
    }
    assert_eq!(scene.requests(), 0, "nothing was sent");

    for scopes in ["http:write vault:read", "http:* vault:write", "*"] {
        ask(refers.clone(), scopes).await.unwrap();
        assert!(scene.last().contains(TOKEN), "{scopes}");
    }
    // The connection is the operator's: whoever may use it needs nothing more.
    let by_connection = json!({"connection": "keyed", "url": "/text"});
    ask(by_connection, "http:write").await.unwrap();
    assert!(scene.last().contains(TOKEN));
}

#[tokio::test]
async fn member_and_version_of_a_secret_are_sent() {
    let scene = Scene::start().await;
    scene.store("login", r#"{"key": "first-key-1"}"#).await;
    scene.store("login", r#"{"key": "second-key-2"}"#).await;
    for (reference, value) in [
        ("vault://api/login@1#key", "first-key-1"),
        ("vault://api/login#key", "second-key-2"),
    ] {
        let params = json!({"url": "/text", "connection": "plain",
                            "secretHeaders": {"X-Key": reference}});
        let answer = scene.request(params).await.unwrap();
        assert!(scene.last().contains(value));
        assert_eq!(
            answer["headers"]["x-echo"],
            format!("«redacted:{reference}»")
        );
    }
}

#[tokio::test]
async fn rotated_secret_is_used_at_once() {
    let scene = Scene::start().await;
    let params = || json!({"url": "/text", "connection": "bearing"});
    scene.request(params()).await.unwrap();
    assert!(scene.last().contains(TOKEN));
    scene.store("token", "rotated-token-9").await;
    scene.request(params()).await.unwrap();
    assert!(scene.last().contains("Bearer rotated-token-9"));
}

#[tokio::test]
async fn what_cannot_be_resolved_or_sent_is_refused_before_anything_leaves() {
    let scene = Scene::start().await;
    let before = scene.requests();
    let with = |name: &str, value: Value| {
        let mut params = json!({"url": "/text", "connection": "plain", "method": "POST"});
        params[name] = value;
        params
    };
    for (params, reason) in [
        (
            json!({"url": "/text", "connection": "broken"}),
            "CREDENTIAL_NOT_FOUND",
        ),
        (with("bearer", json!("vault://no/x")), "VAULT_NOT_FOUND"),
        (
            with("bearer", json!("vault://api/canary")),
            "INVALID_PARAMETERS",
        ),
        (
            with("secretHeaders", json!({"X-Key": "vault://api"})),
            "INVALID_REFERENCE",
        ),
        (
            with("secretHeaders", json!({"Host": REFERENCE})),
            "INVALID_PARAMETERS",
        ),
        (
            with("headers", json!({"X-Key": REFERENCE})),
            "INVALID_PARAMETERS",
        ),
        (
            json!({"url": "/text", "connection": "bearing", "bearer": REFERENCE}),
            "INVALID_PARAMETERS",
        ),
    ] {
        if params["bearer"] == "vault://api/canary" {
            scene.store("canary", "two\nlines-canary").await;
        }
        let failure = scene.request(params.clone()).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{params}");
        assert!(failure.without_effect(), "{params}");
        assert!(
            !format!("{failure:?}").contains("lines-canary"),
            "{failure:?}"
        );
    }
    assert_eq!(scene.requests(), before);
}

#[tokio::test]
async fn connection_of_the_vault_is_used_and_follows_its_changes() {
    use gearmesh_api::tool::v1::Json;
    use gearmesh_api::vault::v1::SaveConnectionRequest;
    use gearmesh_api::vault::v1::vault_service_client::VaultServiceClient;

    let scene = Scene::start().await;
    let save = async |settings: Value| {
        let request = SaveConnectionRequest {
            kind: "http".to_owned(),
            name: "saved".to_owned(),
            settings: Some(Json {
                text: settings.to_string().into(),
            }),
            run: String::new(),
        };
        let mut client = VaultServiceClient::new(scene.mesh.link("vault"));
        client.save_connection(request).await.unwrap();
    };
    let params = || json!({"url": "/text", "connection": "saved"});
    let failure = scene.request(params()).await.unwrap_err();
    assert_eq!(failure.reason, "CONNECTION_NOT_FOUND");
    let url = format!("http://{}", scene.address);
    save(json!({"url": url, "allowPrivate": true, "bearer": REFERENCE})).await;
    let answer = scene.request(params()).await.unwrap();
    assert_eq!(answer["headers"]["x-echo"], format!("Bearer {MARK}"));
    save(json!({"url": url, "allowPrivate": true, "bearer": "inline-token-3"})).await;
    let answer = scene.request(params()).await.unwrap();
    assert!(scene.last().contains("inline-token-3"));
    assert_eq!(
        answer["headers"]["x-echo"],
        "Bearer «redacted:saved#bearer»"
    );
    for settings in [
        json!({}),
        json!({"url": url, "heders": {"a": TOKEN}}),
        json!({"url": url, "headers": TOKEN}),
    ] {
        save(settings.clone()).await;
        let failure = scene.request(params()).await.unwrap_err();
        assert_eq!(failure.reason, "INVALID_PARAMETERS", "{settings}");
        assert!(!format!("{failure:?}").contains(TOKEN), "{failure:?}");
    }
}

#[tokio::test]
async fn neither_files_nor_log_hold_a_secret() {
    let scene = Scene::start().await;
    let keyed = Call {
        key: Some("k".to_owned()),
        retries: Some(0),
        ..Call::default()
    };
    for form in ["text", "json", "error"] {
        let call = Call {
            key: Some(format!("k-{form}")),
            ..keyed.clone()
        };
        let params = json!({"url": format!("/{form}"), "method": "POST", "connection": "plain",
                            "bearer": REFERENCE, "secretHeaders": {"X-Key": "vault://api/token@1"}});
        let _ = scene.mesh.call_as("http.request", params, call).await;
        assert!(scene.last().contains(TOKEN));
    }
    let mut bytes = files(scene.mesh.folder());
    println!("{} bytes of files searched", bytes.len());
    assert!(bytes.len() > 10_000);
    let log = log().0.lock().unwrap().clone();
    println!("{} bytes of log searched", log.len());
    assert!(log.len() > 1_000);
    bytes.extend(log);
    assert!(!bytes.windows(TOKEN.len()).any(|w| w == TOKEN.as_bytes()));
    let hex = hex::encode(TOKEN);
    assert!(!bytes.windows(hex.len()).any(|w| w == hex.as_bytes()));
}

fn files(folder: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.extend(std::fs::read(path).unwrap());
        }
    }
    out
}
