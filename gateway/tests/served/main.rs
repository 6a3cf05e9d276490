//! A running gateway with real engines behind it, asked as clients ask.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests, and callers that leave on purpose"
)]

mod fixture;
mod grpc;
mod mcp;
mod origin;
mod rest;
mod stream;
mod workflows;

use gearmesh_testkit::TestMesh;
use serde_json::Value;

/// A gateway over the state engine and the orchestrator.
struct Served {
    mesh: TestMesh,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Served {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(settings: impl FnOnce(&mut gearmesh_runtime::Config)) -> Self {
        gearmesh_runtime::log_to_stderr("error");
        let services = [
            gearmesh_state::SERVICE,
            gearmesh_orchestrator::SERVICE,
            gearmesh_gateway::SERVICE,
        ];
        Self {
            mesh: TestMesh::start_with(&services, settings).await,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.mesh.url());
        self.http.request(method.parse().unwrap(), url)
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("POST", path).json(&body)).await
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a whole body"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Status and reason of an error.
    fn reason(&self) -> (u16, String) {
        let body = self.json();
        let reason = body["details"][0]["reason"].as_str();
        (self.status, reason.unwrap_or("?").to_owned())
    }
}
