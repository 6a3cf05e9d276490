//! The engine through its generated client and by JSON, over a local link behind
//! the real layers.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use bytes::Bytes;
use gearmesh_api::http::v1::RequestRequest;
use gearmesh_api::http::v1::http_service_client::HttpServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Code;

/// Requests as the server saw them: path and query, and the idempotency key.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// A server on loopback with a mesh that has a connection to it.
struct Scene {
    mesh: TestMesh,
    address: SocketAddr,
    seen: Seen,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn start() -> Self {
        let seen = Seen::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = site(seen.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, site).await.unwrap() });
        let mesh = TestMesh::start_with(&[gearmesh_http::SERVICE], |config| {
            config.set("connections.site.kind", "http");
            config.set("connections.site.url", format!("http://{address}"));
            config.set("connections.site.allowPrivate", true);
        })
        .await;
        Self {
            mesh,
            address,
            seen,
            _tasks: tasks,
        }
    }

    async fn request(&self, params: Value) -> Result<Value, Failure> {
        self.request_as(params, Call::default()).await
    }

    async fn request_as(&self, params: Value, call: Call) -> Result<Value, Failure> {
        let answer = self.mesh.call_as("http.request", params, call).await;
        answer.map_err(|status| Failure::of(&status))
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }
}

fn site(seen: Seen) -> Router {
    let json_of =
        |text: &'static str| async move { ([(header::CONTENT_TYPE, "application/json")], text) };
    Router::new()
        .route(
            "/item",
            get(move || json_of(r#"{"z": 12345678901234567890, "a": [1, "é"]}"#)),
        )
        .route("/broken", get(move || json_of("{")))
        .route(
            "/deep",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    "[".repeat(65) + &"]".repeat(65),
                )
            }),
        )
        .route("/large", get(|| async { "x".repeat(17 << 20) }))
        .route("/echo", any(|body: String| async move { body }))
        .route(
            "/busy",
            any(|| async { (StatusCode::SERVICE_UNAVAILABLE, "come back").into_response() }),
        )
        .route("/wait", any(std::future::pending::<()>))
        .layer(axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                note(&seen, request.uri(), request.headers());
                next.run(request)
            },
        ))
}

fn note(seen: &Seen, uri: &Uri, headers: &HeaderMap) {
    let key = headers
        .get("idempotency-key")
        .map_or("", |k| k.to_str().unwrap());
    seen.lock().unwrap().push((uri.to_string(), key.to_owned()));
}

#[tokio::test]
async fn generated_client_reads_an_answer() {
    let scene = Scene::start().await;
    let mut client = HttpServiceClient::new(scene.mesh.link("http"));
    let request = RequestRequest {
        url: "/item".to_owned(),
        params: [(
            "q".to_owned(),
            Json {
                text: Bytes::from_static(b"\"a b\""),
            },
        )]
        .into(),
        ..RequestRequest::default()
    };
    let answer = client.request(request).await.unwrap().into_inner();
    assert_eq!((answer.status, answer.status_text.as_str()), (200, "OK"));
    let data = answer.data.unwrap().text;
    assert_eq!(data, r#"{"z": 12345678901234567890, "a": [1, "é"]}"#);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.url, format!("http://{}/item?q=a+b", scene.address));
    let metadata = answer.metadata.unwrap();
    assert_eq!((metadata.attempts, metadata.format.as_str()), (1, "json"));
    assert_eq!(scene.seen(), [("/item?q=a+b".to_owned(), String::new())]);
}

#[tokio::test]
async fn answer_as_json_has_its_data_in_place() {
    let scene = Scene::start().await;
    let answer = scene.request(json!({"url": "/item"})).await.unwrap();
    assert_eq!(answer["data"]["a"], json!([1, "é"]));
    assert_eq!(
        answer["metadata"],
        json!({"attempts": 1, "totalDelay": 0, "format": "json"})
    );
    let echoed = json!({"url": "/echo", "method": "POST", "data": {"b": 1, "a": null}, "connection": "site"});
    let echoed = scene.request(echoed).await.unwrap();
    assert_eq!(
        (&echoed["data"], &echoed["metadata"]["format"]),
        (&json!(r#"{"b":1,"a":null}"#), &json!("text"))
    );
    let empty = scene
        .request(json!({"url": "/echo", "method": "HEAD"}))
        .await
        .unwrap();
    assert_eq!(
        (&empty["data"], &empty["metadata"]["format"]),
        (&Value::Null, &json!("empty"))
    );
}

#[tokio::test]
async fn private_address_is_refused_without_its_connection() {
    let scene = Scene::start().await;
    for url in [
        format!("http://{}/item", scene.address),
        format!("http://localhost:{}/item", scene.address.port()),
        "http://[::ffff:127.0.0.1]/".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let refused = scene.request(json!({"url": url})).await.unwrap_err();
        assert_eq!(
            (refused.reason.as_str(), refused.code),
            ("EGRESS_DENIED", Code::PermissionDenied),
            "{url}"
        );
        assert!(!refused.retryable);
    }
    assert_eq!(scene.seen(), []);
}

#[tokio::test]
async fn parameters_at_fault_are_named() {
    // WF-9.23
    let scene = Scene::start().await;
    for (params, field) in [
        (json!({"url": "http://["}), "url"),
        (json!({"url": "/x", "method": "TRACE"}), "method"),
        (
            json!({"url": "/x", "headers": {"Host": "b.test"}}),
            "headers.Host",
        ),
        (json!({"url": "/x", "params": {"p": {"a": 1}}}), "params.p"),
        (json!({"url": "/x", "allowStatus": [200]}), "allowStatus[0]"),
        (json!({"url": "/x", "timeout": "11m"}), "timeout"),
        (json!({"url": "/x", "maxPages": 3}), "maxPages"),
        (json!({"method": "GET"}), "url"),
    ] {
        let refused = scene.request(params).await.unwrap_err();
        assert_eq!(
            refused.reason, "INVALID_PARAMETERS",
            "{field}: {}",
            refused.message
        );
        let fields: Vec<_> = refused
            .violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, [field], "{}", refused.message);
    }
    let unknown = scene
        .request(json!({"url": "/x", "connection": "other"}))
        .await
        .unwrap_err();
    assert_eq!(unknown.reason, "CONNECTION_NOT_FOUND");
    assert_eq!(scene.seen(), []);
}

#[tokio::test]
async fn status_is_a_fault_with_what_the_server_said() {
    let scene = Scene::start().await;
    let in_run = || Call {
        run: Some("run_0000000000001".to_owned()),
        ..Call::default()
    };
    let busy = scene
        .request_as(json!({"url": "/busy"}), in_run())
        .await
        .unwrap_err();
    assert_eq!(
        (busy.reason.as_str(), busy.code, busy.retryable),
        ("HTTP_STATUS", Code::Unavailable, true)
    );
    assert_eq!(
        (
            busy.metadata["status"].as_str(),
            busy.metadata["body"].as_str()
        ),
        ("503", "come back")
    );
    assert_eq!(
        scene.seen().len(),
        1,
        "within a run the task decides about retries"
    );
    let missing = scene.request(json!({"url": "/nothing"})).await.unwrap_err();
    assert_eq!((missing.code, missing.retryable), (Code::NotFound, false));
    let allowed = scene
        .request(json!({"url": "/nothing", "allowStatus": [404]}))
        .await
        .unwrap();
    assert_eq!(allowed["status"], 404);
}

#[tokio::test]
async fn answer_that_cannot_be_read_is_a_fault() {
    let scene = Scene::start().await;
    for (url, reason) in [
        ("/broken", "PARSE_ERROR"),
        ("/deep", "PARSE_ERROR"),
        ("/large", "RESPONSE_TOO_LARGE"),
    ] {
        assert_eq!(
            scene.request(json!({"url": url})).await.unwrap_err().reason,
            reason,
            "{url}"
        );
    }
}

#[tokio::test]
async fn attempt_ends_at_its_timeout() {
    let scene = Scene::start().await;
    let call = Call {
        retries: Some(0),
        ..Call::default()
    };
    let late = scene
        .request_as(json!({"url": "/wait", "timeout": 20}), call)
        .await
        .unwrap_err();
    assert_eq!(
        (late.reason.as_str(), late.code, late.retryable),
        ("TIMEOUT", Code::DeadlineExceeded, true)
    );
}

#[tokio::test]
async fn keyed_request_carries_the_key_of_its_call() {
    let scene = Scene::start().await;
    let params = json!({"url": "/echo", "method": "POST", "data": 1, "keyed": true});
    let call = Call {
        key: Some("order-17".to_owned()),
        ..Call::default()
    };
    scene.request_as(params.clone(), call).await.unwrap();
    scene.request(params).await.unwrap();
    let keys: Vec<String> = scene.seen().into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys[0], "order-17");
    assert_eq!(
        keys[1].len(),
        32,
        "a call without a key gets one of its own: {keys:?}"
    );
}

#[tokio::test]
async fn second_send_of_an_unkeyed_post_is_answered_from_the_first() {
    let scene = Scene::start().await;
    let params = json!({"url": "/echo", "method": "POST", "data": "once"});
    let call = Call {
        key: Some("k".to_owned()),
        ..Call::default()
    };
    let first = scene
        .request_as(params.clone(), call.clone())
        .await
        .unwrap();
    let second = scene.request_as(params, call).await.unwrap();
    assert_eq!(first["data"], second["data"]);
    assert_eq!(scene.seen().len(), 1);
}

#[tokio::test]
async fn broken_connection_stops_the_start_by_name() {
    let mut config = gearmesh_runtime::Config::new(std::env::temp_dir());
    config.set("connections.bad.kind", "http");
    config.set("connections.bad.url", "ftp://a.test");
    let refused = gearmesh_runtime::start(&[gearmesh_http::SERVICE], config)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("connection `bad`"),
        "{refused}"
    );
}
