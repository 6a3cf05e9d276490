//! The site over real sockets, as its callers see it.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::SocketAddr;
use std::path::Path;

use gearmesh_demo::DemoSite;
use gearmesh_runtime::CancellationToken;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A serving site; it stops when this is dropped.
struct Site {
    address: SocketAddr,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Site {
    async fn start(folder: &Path) -> Self {
        let (site, address) = DemoSite::bind(folder).await.unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stop = shutdown.clone();
        tasks.spawn(async move { site.serve(stop).await.unwrap() });
        Self {
            address,
            tasks,
            shutdown,
        }
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        self.tasks.join_next().await.unwrap().unwrap();
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "").await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let headers = format!("{headers}content-type: application/json\r\n");
        self.send("POST", path, &headers, body).await
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (address, length) = (self.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

#[tokio::test]
async fn first_requests_of_a_run_fail_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    let first = site.get("/api/beta?fail=2&run=r1&retryAfter=1").await;
    assert_eq!(first.status, 503);
    assert!(first.head.contains("retry-after: 1"), "{}", first.head);
    assert_eq!(
        site.get("/api/beta?fail=2&run=r2").await.status,
        503,
        "each run has its own count"
    );
    site.stop().await;

    let site = Site::start(folder.path()).await;
    assert_eq!(site.get("/api/beta?fail=2&run=r1").await.status, 503);
    assert_eq!(site.get("/api/beta?fail=2&run=r1").await.status, 200);
    let log = site.get("/_demo/requests?run=r1").await.json();
    let statuses: Vec<_> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["status"].clone())
        .collect();
    assert_eq!(statuses, [503, 503, 200]);
    let entry = &log["requests"][0];
    assert_eq!(
        (entry["method"].as_str(), entry["path"].as_str()),
        (Some("GET"), Some("/api/beta"))
    );
    let time = entry["time"].as_str().unwrap();
    assert!(
        time.len() == "2026-01-02T03:04:05.678Z".len() && time.ends_with('Z'),
        "{time}"
    );
    assert_eq!(site.get("/_demo/requests").await.json()["count"], 4);
}

#[tokio::test]
async fn run_is_read_from_the_header_too() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    site.send("GET", "/api/quotes", "gearmesh-run: r9\r\n", "")
        .await;
    assert_eq!(site.get("/_demo/requests?run=r9").await.json()["count"], 1);
}

#[tokio::test]
async fn apis_answer_what_the_examples_use() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    assert!(site.get("/api/quotes").await.json()["items"][0]["text"].is_string());
    for source in ["alpha", "beta", "gamma"] {
        let found = site.get(&format!("/api/{source}?q=rust")).await.json();
        let item = &found["items"][0];
        assert!(
            item["url"].is_string() && item["published"].is_string() && item["score"].is_number()
        );
        assert_eq!(item["source"], source);
    }
    assert_eq!(site.get("/nothing").await.status, 404);
    assert_eq!(site.get("/api/quotes?status=418").await.status, 418);
    assert_eq!(site.get("/api/quotes?fail=x").await.status, 400);
    assert_eq!(
        site.post("/callback", "", "1234").await.json()["received"],
        4
    );
}

#[tokio::test]
async fn report_is_ordered_once_per_key_and_gets_ready() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    let order = || site.post("/api/reports", "idempotency-key: k1\r\n", r#"{"count": 3}"#);
    let first = order().await;
    assert_eq!(first.status, 202);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(order().await.json()["id"], id.as_str());
    let mut states = Vec::new();
    for _ in 0..4 {
        let report = site.get(&format!("/api/reports/{id}?run=r1")).await.json();
        assert_eq!(report["order"]["count"], 3);
        states.push(report["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["pending", "pending", "ready", "ready"]);
    assert_eq!(site.get("/api/reports/none").await.status, 404);
    assert_eq!(site.post("/api/reports", "", "{").await.status, 400);
}

#[tokio::test]
async fn fault_is_switched_on_for_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    let set = site
        .post(
            "/_demo/faults",
            "",
            r#"{"path": "/api/alpha", "status": 500, "times": 2}"#,
        )
        .await;
    assert_eq!(set.status, 204);
    assert_eq!(site.get("/api/gamma").await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(site.get("/api/alpha").await.status);
    }
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(
        site.post("/_demo/faults", "", r#"{"path": "/", "delay": "1"}"#)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn delay_ends_when_the_site_stops() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    let shutdown = site.shutdown.clone();
    let log = folder.path().join("demo-site/requests.jsonl");
    let stop = async {
        // The request is in the log before its delay begins.
        while std::fs::read(&log).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(site.get("/slow?delay=60s"), stop);
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn pages_are_whole_and_foreign_hosts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    for path in [
        "/",
        "/articles",
        "/articles/zero-copy",
        "/changing",
        "/form",
    ] {
        let page = site.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.body.starts_with("<!DOCTYPE html>") && page.body.ends_with("</html>\n"),
            "{path}"
        );
        assert!(page.head.contains("text/html"), "{path}");
    }
    let (first, second) = (
        site.get("/changing").await.body,
        site.get("/changing").await.body,
    );
    assert_ne!(first, second);

    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 403"), "{text}");
}

#[tokio::test]
async fn order_is_shown_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path()).await;
    let items = site.get("/items").await;
    assert_eq!(items.body.matches("<li class=\"item\">").count(), 3);
    let form = site.get("/order?item=Bellows").await;
    assert!(form.body.contains("<option selected>Bellows</option>"));
    let headers = "content-type: application/x-www-form-urlencoded\r\n";
    let sent = site
        .send("POST", "/order", headers, "item=Anvil&note=%3Cb%3E%20%26")
        .await;
    assert_eq!(sent.status, 200);
    assert!(
        sent.body.contains("<dd id=\"item\">Anvil</dd>"),
        "{}",
        sent.body
    );
    assert!(
        sent.body.contains("<dd id=\"note\">&lt;b&gt; &amp;</dd>"),
        "{}",
        sent.body
    );
    site.stop().await;
}
