//! What the tests share: a site on loopback, an engine that may call it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawForm, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use gearmesh_link::Call;
use gearmesh_runtime::Config;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::Status;

/// What the site has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) paths: Mutex<Vec<String>>,
    pub(crate) flaky: AtomicU32,
}

/// Pages on loopback.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) url: String,
    pub(crate) seen: Arc<Seen>,
}

const ITEMS: &str = r##"<!doctype html><title>Items</title><h1> Items </h1>
<ul>
<li class=item><a href="/item/1"><span class=name>Anvil</span></a> <b>3</b></li>
<li class=item><a href="item/2"><span class=name>Bellows</span></a> <b>5</b></li>
<li class=item><a href="https://other.test/3"><span class=name>Crucible</span></a> <b>7</b></li>
</ul>
<table id=t><tr><th>Name<th>Count<tr><td>Anvil<td>3</table>
<input id=in value=typed>
<p id=none hidden>secret</p>"##;

const FORM: &str = r#"<!doctype html><title>Form</title>
<form action=/echo method=post>
<input name=name id=name><textarea name=note id=note></textarea>
<select name=color id=color><option value=r>Red<option value=g>Green</select>
<input type=checkbox name=ok id=ok><input type=radio name=size value=s id=s><input type=radio name=size value=l id=l>
<input type=number name=n id=n><input type=password name=pw id=pw>
<input type=file id=file><input id=ro readonly>
<div id=rich contenteditable></div>
<button id=send>Send</button></form>"#;

const ACT: &str = r#"<!doctype html><title>Act</title>
<style>#covered{position:relative} #cover{position:absolute;inset:0;background:red}</style>
<button id=count onclick="this.dataset.n=(+this.dataset.n||0)+1;document.title='n'+this.dataset.n">count</button>
<button id=off disabled>off</button>
<div id=covered><button id=under>under</button><div id=cover></div></div>
<button id=late style="display:none" onclick="document.title='late'">late</button>
<a id=link href=/items>items</a> <a id=within href=#x>within</a>
<button id=ask onclick="document.title=confirm('sure?')+' '+alert('x')">ask</button>
<button id=open onclick="window.open('/items')">open</button>
<button id=spin onclick="while(true){}">spin</button>
<div style="height:3000px"></div><button id=far onclick="document.title='far'">far</button>
<div class=spinner>wait</div>
<script>setTimeout(()=>{document.querySelector('#late').style.display=''; document.querySelector('.spinner').remove()},400)</script>"#;

async fn record(State(seen): State<Arc<Seen>>, path: String) {
    seen.paths.lock().unwrap().push(path);
}

impl Site {
    pub(crate) async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let app = Router::new()
            .route("/items", get(|| async { Html(ITEMS) }))
            .route("/form", get(|| async { Html(FORM) }))
            .route("/act", get(|| async { Html(ACT) }))
            .route("/echo", any(|RawForm(form): RawForm| async move {
                let form = String::from_utf8(form.to_vec()).unwrap();
                Html(format!("<title>Echo</title><pre id=form>{}</pre>", form.replace('&', "&amp;")))
            }))
            .route("/set/{value}", get(|Path(value): Path<String>| async move {
                let cookie = format!("who={value}; Path=/; HttpOnly");
                ([(header::SET_COOKIE, cookie)], Html("<title>set</title>")).into_response()
            }))
            .route("/who", get(|headers: HeaderMap| async move {
                let cookie = headers.get(header::COOKIE).and_then(|c| c.to_str().ok()).unwrap_or("nobody");
                Html(format!("<p id=who>{cookie}</p>"))
            }))
            .route("/to", get(|| async { Redirect::to("/items") }))
            .route("/lead/{*to}", get(|Path(to): Path<String>| async move { Redirect::to(&to) }))
            .route("/missing", get(|| async { (StatusCode::NOT_FOUND, Html("<title>Gone</title>")) }))
            .route("/slow", get(|| async {
                tokio::time::sleep(Duration::from_secs(20)).await;
                Html("slow")
            }))
            .route("/poll", get(|| async {
                Html("<title>Poll</title><script>setInterval(()=>fetch('/items'),100)</script>")
            }))
            .route("/flaky", get(|State(seen): State<Arc<Seen>>| async move {
                // Two answers that break off, then a good one.
                if seen.flaky.fetch_add(1, Ordering::SeqCst) < 2 {
                    let body = futures_break();
                    return ([(header::CONTENT_LENGTH, "100000")], body).into_response();
                }
                Html("<title>At last</title>").into_response()
            }))
            .route("/page/{n}", get(|Path(n): Path<u32>| async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Html(format!("<title>Page {n}</title><h1>{n}</h1>"))
            }))
            .route("/huge", get(|| async {
                Html("<title>Huge</title><div style='height:60000px;background:blue'></div>")
            }))
            .route("/greedy/{port}", get(|Path(port): Path<u16>| async move {
                Html(format!(
                    "<title>Greedy</title><img src=http://127.0.0.1:{port}/image.png>\
                     <img src=http://169.254.169.254/latest><img src=http://localhost:{port}/name.png>\
                     <script>fetch('http://127.0.0.1:{port}/fetch',{{mode:'no-cors'}}).catch(()=>{{}});\
                     new WebSocket('ws://127.0.0.1:{port}/socket');\
                     new Worker(URL.createObjectURL(new Blob([`fetch('http://127.0.0.1:{port}/worker',{{mode:'no-cors'}})`])));\
                     navigator.sendBeacon('http://127.0.0.1:{port}/beacon','x')</script>"
                ))
            }))
            .route("/private", any(|| async { "private" }))
            .fallback(|| async { StatusCode::NOT_FOUND })
            .layer(axum::middleware::from_fn_with_state(
                seen.clone(),
                |State(seen): State<Arc<Seen>>, request: axum::extract::Request, next: axum::middleware::Next| async move {
                    record(State(seen), request.uri().path().to_owned()).await;
                    let response: Response = next.run(request).await;
                    response
                },
            ))
            .with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a server of the test")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen.paths.lock().unwrap().clone()
    }
}

/// A body that ends before its length.
fn futures_break() -> axum::body::Body {
    axum::body::Body::new(Broken)
}

struct Broken;

impl axum::body::HttpBody for Broken {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("broken"))))
    }
}

/// An engine with the site's server open by a connection alone.
pub(crate) async fn engine(site: &Site) -> TestMesh {
    engine_with(site, |_| {}).await
}

pub(crate) async fn engine_with(site: &Site, more: impl FnOnce(&mut Config)) -> TestMesh {
    TestMesh::start_with(&[gearmesh_browser::SERVICE], |config| {
        sandbox(config);
        config.set("connections.site.kind", "http");
        config.set("connections.site.url", site.url.clone());
        config.set("connections.site.allowPrivate", true);
        more(config);
    })
    .await
}

/// Root cannot have the sandbox; anybody else tests it too.
pub(crate) fn sandbox(config: &mut Config) {
    if rustix::process::geteuid().is_root() {
        config.set("browser.sandbox", "off");
    }
}

pub(crate) fn in_run(run: &str) -> Call {
    Call {
        run: Some(run.to_owned()),
        ..Call::default()
    }
}

/// A call without a run.
pub(crate) async fn call(mesh: &TestMesh, tool: &str, params: Value) -> Result<Value, Status> {
    mesh.call(&format!("browser.{tool}"), params).await
}

pub(crate) async fn call_in(
    mesh: &TestMesh,
    run: &str,
    tool: &str,
    params: Value,
) -> Result<Value, Status> {
    mesh.call_as(&format!("browser.{tool}"), params, in_run(run))
        .await
}

pub(crate) async fn go(mesh: &TestMesh, path: &str) -> Value {
    call(mesh, "navigate", json!({"url": path, "connection": "site"}))
        .await
        .unwrap()
}

pub(crate) fn reason(status: &Status) -> String {
    gearmesh_fault::Failure::of(status).reason
}

pub(crate) fn effect_is_unknown(status: &Status) -> bool {
    !gearmesh_fault::Failure::of(status).without_effect()
}

/// Ids of processes that have a text in their command line.
pub(crate) fn processes(text: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line).contains(text).then_some(pid)
        })
        .collect()
}

pub(crate) async fn go_in(mesh: &TestMesh, run: &str, path: &str) -> Value {
    let params = json!({"url": path, "connection": "site"});
    call_in(mesh, run, "navigate", params).await.unwrap()
}

pub(crate) fn h1() -> Value {
    json!({"selectors": {"v": "h1"}})
}
