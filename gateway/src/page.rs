//! What a person or a program sees who asks for nothing in particular.

use serde_json::{Value, json};

/// The page at `/`.
pub(crate) const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Gearmesh</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}dt{font-weight:600}</style>
<h1>Gearmesh</h1>
<p>This is the gateway of a mesh of engines. One port serves all of these:</p>
<dl>
<dt><a href="/v1/tools">/v1/tools</a></dt><dd>every tool; <code>POST /v1/tools/{id}:call</code> calls one</dd>
<dt><a href="/v1/openapi.json">/v1/openapi.json</a></dt><dd>the REST routes as OpenAPI 3.1</dd>
<dt><a href="/v1/schema/workflow.json">/v1/schema/workflow.json</a></dt><dd>the JSON Schema of workflow files; <code>?withTools=true</code> with the tools' parameters</dd>
<dt>/mcp</dt><dd>the tools for AI agents, as an MCP server (streamable HTTP)</dd>
<dt>gRPC</dt><dd>every service by its method path, with reflection and health</dd>
<dt><a href="/healthz">/healthz</a></dt><dd>whether it serves</dd>
</dl>
</html>
"#;

/// The document at `/v1`.
pub(crate) fn index() -> Value {
    json!({
        "name": "gearmesh",
        "version": env!("CARGO_PKG_VERSION"),
        "tools": "/v1/tools",
        "openapi": "/v1/openapi.json",
        "workflowSchema": "/v1/schema/workflow.json",
        "mcp": "/mcp",
        "health": "/healthz",
    })
}
