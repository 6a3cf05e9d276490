//! Parameters that try to make a call look weaker than it is.

use serde_json::{Value, json};

use crate::site::{Http, Site, got_of, noting};
use crate::{Answer, mcp_call, with_json};

/// How a call went: refused for want of a scope, refused as wrong, or passed on.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Went {
    NoScope,
    Wrong,
    On,
}

/// Calls a tool by each of its names, over REST and MCP.
async fn went(http: &Http, names: &[&str], params: &Value) -> Vec<Went> {
    let mut out = Vec::new();
    for name in names {
        let rest = http.request("POST", &format!("/v1/tools/{name}:call"));
        let rest = Answer::of(with_json(rest, params)).await;
        let mcp = with_json(http.request("POST", "/mcp"), &mcp_call(name, params));
        let mcp = Answer::of(mcp).await;
        for reason in [rest.reason().1, mcp.mcp_reason()] {
            out.push(match reason.as_str() {
                "PERMISSION_DENIED" => Went::NoScope,
                "INVALID_PARAMETERS" => Went::Wrong,
                _ => Went::On,
            });
        }
    }
    out
}

#[expect(clippy::too_many_lines, reason = "one list of cases")]
#[tokio::test]
async fn call_is_as_strong_as_what_it_does_however_it_is_written() {
    let engines = ["http", "email", "file", "db"].map(noting);
    let site = Site::start(&engines).await;
    let scopes = ["http:read", "email:read", "file:write", "db:read"];
    let token = site.token("sly", &scopes).await;
    let http = site.http(None).with(&token);
    let request: &[&str] = &["http.request", "http_request", "api_request"];
    let fetch: &[&str] = &["email.imap_fetch", "email_imap_fetch"];
    let batch: &[&str] = &["file.batch_operation", "file_batch_operation"];
    let query: &[&str] = &[
        "db.raw_query",
        "db_raw_query",
        "database_postgresql_execute",
    ];
    let url = "http://example.com/";
    for (names, params, expected) in [
        (
            request,
            json!({"url": url, "method": "GET"}),
            &[Went::On][..],
        ),
        (request, json!({"url": url}), &[Went::On]),
        (
            request,
            json!({"url": url, "method": "POST"}),
            &[Went::NoScope],
        ),
        (
            request,
            json!({"url": url, "method": ["GET"]}),
            &[Went::NoScope],
        ),
        (
            request,
            json!({"url": url, "method": {"a": "GET"}}),
            &[Went::NoScope],
        ),
        (
            request,
            json!({"url": url, "method": "GET "}),
            &[Went::NoScope],
        ),
        (
            request,
            json!({"url": url, "method": "GET\u{0}"}),
            &[Went::NoScope],
        ),
        (
            request,
            json!({"url": url, "method": "PUT"}),
            &[Went::NoScope],
        ),
        (request, json!({"url": url, "method": 0}), &[Went::NoScope]),
        (
            request,
            json!({"url": url, "method": true}),
            &[Went::NoScope],
        ),
        (fetch, json!({"connectionId": "a"}), &[Went::On]),
        (
            fetch,
            json!({"connectionId": "a", "markSeen": true}),
            &[Went::NoScope],
        ),
        (
            fetch,
            json!({"connectionId": "a", "mark_seen": true}),
            &[Went::NoScope],
        ),
        // One spelling must not hide the other.
        (
            fetch,
            json!({"connectionId": "a", "markSeen": null, "mark_seen": true}),
            &[Went::NoScope],
        ),
        (
            fetch,
            json!({"connectionId": "a", "mark_seen": null, "markSeen": true}),
            &[Went::NoScope],
        ),
        (
            fetch,
            json!({"connectionId": "a", "markSeen": false, "mark_seen": true}),
            &[Went::NoScope, Went::Wrong],
        ),
        (
            fetch,
            json!({"connectionId": "a", "markSeen": [false]}),
            &[Went::NoScope],
        ),
        (
            batch,
            json!({"operation": "copy", "items": [{"source": "a", "destination": "b"}]}),
            &[Went::On],
        ),
        (
            batch,
            json!({"operation": "delete", "items": [{"source": "a"}]}),
            &[Went::NoScope],
        ),
        (
            batch,
            json!({"operation": ["copy"], "items": [{"source": "a"}]}),
            &[Went::NoScope],
        ),
        (batch, json!({"items": [{"source": "a"}]}), &[Went::NoScope]),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1", "readOnly": true}),
            &[Went::On],
        ),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1"}),
            &[Went::NoScope],
        ),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1", "readOnly": null}),
            &[Went::NoScope],
        ),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1", "readOnly": false}),
            &[Went::NoScope],
        ),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1", "readOnly": true, "read_only": false}),
            &[Went::NoScope, Went::Wrong],
        ),
        (
            query,
            json!({"connectionId": "a", "query": "SELECT 1", "readOnly": "false"}),
            &[Went::NoScope],
        ),
    ] {
        for went in went(&http, names, &params).await {
            assert!(expected.contains(&went), "{names:?} {params}: {went:?}");
        }
    }
    // JSON that says a thing twice is refused before it is read.
    let twice = http
        .request("POST", "/v1/tools/http.request:call")
        .header("content-type", "application/json")
        .body(format!(
            "{{\"url\": \"{url}\", \"method\": \"POST\", \"method\": \"GET\"}}"
        ));
    assert_eq!(Answer::of(twice).await.status, 400);
    let list = http.request("POST", "/v1/tools/db.raw_query:call");
    let list = with_json(list, &json!([{"readOnly": true}]));
    assert_eq!(Answer::of(list).await.status, 400);
    // Nothing but what was meant to pass has reached an engine.
    let reached = got_of("token/sly");
    assert_eq!(reached.len(), 6 + 6 + 4 + 4 + 6, "{reached:?}");
}
