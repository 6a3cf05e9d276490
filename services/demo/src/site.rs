//! The site: its routes, and what happens to every request.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, Path as Segment, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Form, Json, Router};
use gearmesh_runtime::{CancellationToken, Clock, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api::{self, Source};
use crate::fault::{Fault, Switch, Switches, Wish};
use crate::log::{Entry, Log};
use crate::report::{LOOKS_UNTIL_READY, Reports};
use crate::{Error, page};

/// How long `/slow` takes when its query names no delay.
const SLOW: Duration = Duration::from_secs(5);

/// The paths through which the site itself is asked and switched. They are
/// neither logged nor do they fail.
const OWN_PREFIX: &str = "/_demo/";

/// The demo site, bound and not yet serving.
#[derive(Debug)]
pub struct DemoSite {
    listener: TcpListener,
    shared: Shared,
}

/// The how manieth request of its run and path a request is, from 1.
#[derive(Debug, Clone, Copy)]
struct Nth(u32);

#[derive(Debug, Clone)]
struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: Log,
    reports: Reports,
    switches: Switches,
    clock: SystemClock,
    shutdown: CancellationToken,
}

impl DemoSite {
    /// Binds a free port of 127.0.0.1; the site's files are in `folder/demo-site/`.
    ///
    /// # Errors
    /// [`Error`] names the address or the file that cannot be used.
    pub async fn bind(folder: &Path) -> Result<(Self, SocketAddr), Error> {
        Self::bind_port(folder, 0).await
    }

    /// As [`DemoSite::bind`], with a port.
    ///
    /// # Errors
    /// [`Error`] names the address or the file that cannot be used.
    pub async fn bind_port(folder: &Path, port: u16) -> Result<(Self, SocketAddr), Error> {
        let folder = folder.join("demo-site");
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        made.map_err(|source| Error::File {
            path: folder.clone(),
            source,
        })?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let unbound = |source| Error::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let shared = Shared(Arc::new(Inner {
            log: Log::open(&folder)?,
            reports: Reports::open(&folder)?,
            switches: Switches::default(),
            clock: SystemClock::default(),
            shutdown: CancellationToken::new(),
        }));
        Ok((Self { listener, shared }, address))
    }

    /// Serves until `shutdown`; delays end then.
    ///
    /// # Errors
    /// [`Error::Serve`] when the listener breaks.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), Error> {
        let delays = self.shared.0.shutdown.clone();
        let stop = async move {
            shutdown.cancelled().await;
            delays.cancel();
        };
        axum::serve(self.listener, router(self.shared))
            .with_graceful_shutdown(stop)
            .await
            .map_err(Error::Serve)
    }
}

fn router(shared: Shared) -> Router {
    let mut router = Router::new()
        .route("/", get(|| async { Html(page::index()) }))
        .route("/articles", get(|| async { Html(page::articles()) }))
        .route("/articles/{slug}", get(article))
        .route(
            "/changing",
            get(|Extension(Nth(n))| async move { Html(page::changing(n)) }),
        )
        .route("/form", get(|| async { Html(page::form()) }))
        .route("/items", get(|| async { Html(page::items()) }))
        .route("/order", get(order).post(ordered))
        .route("/slow", get(|| async { Json(json!({"slow": true})) }))
        .route(
            "/callback",
            any(|body: Bytes| async move { Json(json!({"received": body.len()})) }),
        )
        .route("/api/quotes", get(|| async { Json(api::quotes()) }))
        .route("/api/reports", post(order_report))
        .route("/api/reports/{id}", get(report))
        .route("/_demo/requests", get(requests))
        .route("/_demo/faults", post(switch));
    for source in [Source::Alpha, Source::Beta, Source::Gamma] {
        let search = move |Query(query): Query<HashMap<String, String>>| async move {
            Json(api::search(
                source,
                query.get("q").map_or("", String::as_str),
            ))
        };
        router = router.route(&format!("/api/{}", source.name()), get(search));
    }
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, Html(page::missing())) })
        .layer(from_fn_with_state(shared.clone(), observe))
        .with_state(shared)
}

/// What happens to every request: count, perhaps a fault, log, perhaps a delay.
async fn observe(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    if !is_local(request.headers()) {
        return problem(
            StatusCode::FORBIDDEN,
            "the header `Host` names another server",
        );
    }
    let path = request.uri().path().to_owned();
    if path.starts_with(OWN_PREFIX) {
        return next.run(request).await;
    }
    let now_ms = shared.0.clock.now_ms();
    let query = Query::<HashMap<String, String>>::try_from_uri(request.uri()).map(|q| q.0);
    let query = query.unwrap_or_default();
    let run = run_of(&query, request.headers());
    let nth = shared.0.log.count(&run, &path);
    let mut entry = Entry {
        time: rfc3339(now_ms),
        method: request.method().to_string(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        path,
        run,
        status: 0,
    };
    let fault = match shared.fault(&entry.path, &query, nth) {
        Ok(fault) => fault,
        Err(what) => return problem(StatusCode::BAD_REQUEST, &what),
    };
    let response = match fault.status {
        Some(status) => failure(status, fault.retry_after),
        None => {
            request.extensions_mut().insert(Nth(nth));
            next.run(request).await
        }
    };
    entry.status = response.status().as_u16();
    if let Err(e) = shared.0.log.append(&entry) {
        tracing::error!(error = %e, "request not logged");
        return problem(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string());
    }
    shared.delay(fault.delay).await;
    response
}

impl Shared {
    /// What goes wrong with a request: what is switched on for the path, else
    /// what its query asks for.
    fn fault(
        &self,
        path: &str,
        query: &HashMap<String, String>,
        nth: u32,
    ) -> Result<Fault, String> {
        let mut fault = Wish::read(query)?.fault(nth);
        if path == "/slow" && !query.contains_key("delay") {
            fault.delay = SLOW;
        }
        Ok(self.0.switches.take(path).unwrap_or(fault))
    }

    async fn delay(&self, time: Duration) {
        if !time.is_zero() {
            tokio::select! {
                () = self.0.clock.sleep(time) => {}
                () = self.0.shutdown.cancelled() => {}
            }
        }
    }
}

/// Whether a request was meant for this site: a name of loopback, whatever the
/// port. Others come from pages that rebind a name of their own.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn run_of(query: &HashMap<String, String>, headers: &HeaderMap) -> String {
    let header = || {
        headers
            .get("gearmesh-run")
            .and_then(|h| h.to_str().ok())
            .map(str::to_owned)
    };
    query
        .get("run")
        .cloned()
        .or_else(header)
        .unwrap_or_default()
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

fn failure(status: StatusCode, retry_after: Option<u32>) -> Response {
    let mut response = problem(status, "a fault on demand");
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn problem(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({"error": what}))).into_response()
}

async fn article(Segment(slug): Segment<String>) -> Response {
    match api::ARTICLES.iter().find(|a| a.slug == slug) {
        Some(article) => Html(page::article(article)).into_response(),
        None => (StatusCode::NOT_FOUND, Html(page::missing())).into_response(),
    }
}

async fn order(Query(query): Query<HashMap<String, String>>) -> Html<String> {
    Html(page::order(query.get("item").map_or("", String::as_str)))
}

async fn ordered(Form(fields): Form<Vec<(String, String)>>) -> Html<String> {
    Html(page::ordered(&fields))
}

async fn order_report(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let order: Value = match body.as_ref() {
        b"" => Value::Null,
        text => match serde_json::from_slice(text) {
            Ok(order) => order,
            Err(e) => {
                return problem(
                    StatusCode::BAD_REQUEST,
                    &format!("the order is no JSON: {e}"),
                );
            }
        },
    };
    let key = headers
        .get("idempotency-key")
        .and_then(|k| k.to_str().ok())
        .unwrap_or_default();
    match shared.0.reports.order(key, order) {
        Ok(report) => {
            let answer = json!({"id": report.id, "state": "pending", "order": report.order});
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(e) => problem(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    }
}

async fn report(
    State(shared): State<Shared>,
    Extension(Nth(n)): Extension<Nth>,
    Segment(id): Segment<String>,
) -> Response {
    match shared.0.reports.get(&id) {
        Some(report) => {
            let state = if n >= LOOKS_UNTIL_READY {
                "ready"
            } else {
                "pending"
            };
            Json(json!({"id": report.id, "state": state, "order": report.order})).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, &format!("no report `{id}`")),
    }
}

async fn requests(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match shared.0.log.entries(query.get("run").map(String::as_str)) {
        Ok(requests) => {
            Json(json!({"count": requests.len(), "requests": requests})).into_response()
        }
        Err(e) => problem(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    }
}

async fn switch(State(shared): State<Shared>, Json(switch): Json<Switch>) -> Response {
    match shared.0.switches.set(switch) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(what) => problem(StatusCode::BAD_REQUEST, &what),
    }
}
