//! Who gets in, and how far: a gateway with TLS, callers of every kind, every surface.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod callers;
mod hostile;
mod insecure;
mod site;
mod surfaces;
mod tokens;

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// What came back over HTTP.
#[derive(Debug)]
struct Answer {
    status: u16,
    challenge: String,
    text: String,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let headers = response.headers();
        let text = |name| headers.get(name).map_or("", |v| v.to_str().unwrap());
        assert!(
            !headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control-")),
            "no page of another site reads our answers: {headers:?}"
        );
        Self {
            status: response.status().as_u16(),
            challenge: text(WWW_AUTHENTICATE).to_owned(),
            text: response.text().await.expect("a whole body"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Status and reason of a refusal.
    fn reason(&self) -> (u16, String) {
        let body = self.json();
        let reason = body["details"][0]["reason"].as_str();
        (self.status, reason.unwrap_or("?").to_owned())
    }

    /// The reason of a tool's failure over MCP; empty when it succeeded.
    fn mcp_reason(&self) -> String {
        let body = self.json();
        let reason = &body["result"]["structuredContent"]["details"][0]["reason"];
        reason.as_str().unwrap_or_default().to_owned()
    }
}

/// A call of a tool, as MCP has it.
fn mcp_call(name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

/// A request with a body of JSON.
fn with_json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request
        .header(CONTENT_TYPE, "application/json")
        .body(body.to_string())
}
