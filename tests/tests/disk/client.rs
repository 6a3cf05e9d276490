//! Values of the state engine, put and read over HTTP.

use std::time::Duration;

use gearmesh_testkit::Process;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Bytes of one value.
const VALUE: usize = 32 << 10;

/// Calls tools of a process over HTTP.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
}

impl Client {
    pub(crate) fn new(process: &Process) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: process.url(),
        }
    }

    pub(crate) async fn call(&self, tool: &str, params: &Value) -> (u16, Value) {
        let url = format!("{}/v1/tools/{tool}:call", self.url);
        let answer = self.http.post(url).json(params).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    pub(crate) async fn put(&self, n: usize) -> (u16, Value) {
        let params = json!({"key": key(n), "value": value(n)});
        self.call("state.put", &params).await
    }

    pub(crate) async fn assert_there(&self, n: usize) {
        let (status, body) = self.call("state.get", &json!({"key": key(n)})).await;
        assert_eq!(status, 200, "{n}: {body}");
        assert!(body.to_string().contains(&value(n)), "{n}");
    }

    pub(crate) async fn health(&self) -> (u16, Value) {
        let answer = self.http.get(format!("{}/healthz", self.url)).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    /// Waits until health says so; how long that took.
    pub(crate) async fn wait_for(&self, expected: (u16, &str), limit: Duration) -> Duration {
        let since = Instant::now();
        loop {
            let (status, body) = self.health().await;
            if (status, body["status"].as_str()) == (expected.0, Some(expected.1)) {
                return since.elapsed();
            }
            assert!(since.elapsed() < limit, "{status} {body} after {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) fn key(n: usize) -> String {
    format!("disk/{n:04}")
}

fn value(n: usize) -> String {
    format!("{n:04}").repeat(VALUE / 4)
}
