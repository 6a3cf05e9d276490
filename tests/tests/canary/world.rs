//! The servers outside to which the secret is the key.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gearmesh_testkit::servers::{Mail, Postgres};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::search::Canary;

/// A port on which nobody listens.
pub(crate) const NOWHERE: u16 = 1;

/// A database, a mail server and a web site.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) postgres: Postgres,
    pub(crate) mail: Mail,
    pub(crate) site: Site,
}

impl World {
    pub(crate) async fn start(canary: &Canary) -> Self {
        let postgres = Postgres::start().await;
        let role = format!("CREATE ROLE canary LOGIN PASSWORD '{}'", canary.text());
        postgres.psql("postgres", &role).expect("a role");
        Self {
            postgres,
            mail: Mail::start_with(canary.text()),
            site: Site::start().await,
        }
    }
}

/// A site that tells whoever calls what he sent.
#[derive(Debug)]
pub(crate) struct Site {
    url: String,
    seen: Seen,
    _tasks: JoinSet<()>,
}

/// The headers of each request.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let seen = Seen::default();
        let kept = seen.clone();
        let answer = move |Path((kind, form)): Path<(String, String)>, headers: HeaderMap| {
            let all = format!("{headers:?}");
            let mut seen = kept.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((kind.clone(), all));
            answer(kind, form, headers)
        };
        let site = Router::new().route("/{kind}/{form}", any(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, site).await.expect("it serves") });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Requests of a kind so far, and those that brought a text.
    pub(crate) fn seen(&self, kind: &str, text: &str) -> (usize, usize) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = || seen.iter().filter(|(k, _)| k == kind);
        (
            of_kind().count(),
            of_kind().filter(|(_, all)| all.contains(text)).count(),
        )
    }
}

async fn answer(kind: String, form: String, headers: HeaderMap) -> Response {
    let all = format!("{headers:?}");
    let body = match form.as_str() {
        "json" => json!({"sent": all}).to_string(),
        "hex" => hex::encode(&all),
        "base64" => STANDARD.encode(&all),
        _ => all,
    };
    let status = match kind.as_str() {
        // Never: whoever waits gives up, or is gone.
        "slow" => std::future::pending().await,
        "denied" => StatusCode::UNAUTHORIZED,
        "broken" => StatusCode::SERVICE_UNAVAILABLE,
        "moved" => StatusCode::FOUND,
        _ => StatusCode::OK,
    };
    let mut own = HeaderMap::new();
    if form == "json" {
        own.insert("content-type", HeaderValue::from_static("application/json"));
    }
    for (name, echo) in [
        ("authorization", "x-echo"),
        ("x-key", "x-echo-key"),
        ("x-connection", "x-echo-own"),
    ] {
        if let Some(value) = headers.get(name) {
            own.insert(echo, value.clone());
        }
    }
    if kind == "moved"
        && let Some(value) = headers.get("x-key")
    {
        own.insert("location", value.clone());
    }
    (status, own, body).into_response()
}
