use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::{Answer, Served};

async fn client(served: &Served, path: &str) -> RunningService<RoleClient, ()> {
    let transport = StreamableHttpClientTransport::from_uri(format!("{}{path}", served.mesh.url()));
    ().serve(transport).await.expect("the client connects")
}

fn call(name: &str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(name.to_owned())
        .with_arguments(arguments.as_object().unwrap().clone())
}

#[tokio::test]
async fn official_client_lists_and_calls_every_tool() {
    let served = Served::start().await;
    for path in ["/mcp", "/mcp/all"] {
        let client = client(&served, path).await;
        let info = client.peer_info().unwrap();
        assert_eq!(info.server_info.as_ref().unwrap().name, "gearmesh");
        assert!(
            info.instructions
                .as_deref()
                .unwrap_or_default()
                .contains("state")
        );
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|t| t.name.as_ref()).collect();
        for tool in served.mesh.mesh().catalog().tools() {
            assert!(names.contains(&tool.mcp_name().as_str()), "{}", tool.id);
        }
        assert!(names.contains(&"parallel_execute"));
        let put = client
            .call_tool(call("state_put", json!({"key": path, "value": 7})))
            .await
            .unwrap();
        assert_eq!(
            put.structured_content,
            Some(json!({"key": path, "version": 1}))
        );
        let get = client
            .call_tool(call("state.get", json!({"key": path})))
            .await
            .unwrap();
        assert_eq!(get.structured_content.unwrap()["value"], 7);
        assert_eq!(get.is_error, Some(false));
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn alias_runs_a_graph_of_tools() {
    let served = Served::start().await;
    let client = client(&served, "/mcp").await;
    let tasks = json!({"tasks": [
        {"id": "one", "tool": "state.put", "params": {"key": "m", "value": 1}},
        {"id": "two", "tool": "state.get", "params": {"key": "m"}, "dependsOn": ["one"]},
    ]});
    let result = client
        .call_tool(call("parallel_execute", tasks))
        .await
        .unwrap();
    assert_eq!(result.is_error, Some(false), "{result:?}");
    let text = result.structured_content.unwrap().to_string();
    assert!(text.contains("\"two\""), "{text}");
}

#[tokio::test]
async fn failed_call_is_a_result_and_an_unknown_name_is_an_error() {
    let served = Served::start().await;
    let client = client(&served, "/mcp").await;
    let failed = client
        .call_tool(call("state_get", json!({"key": "none"})))
        .await
        .unwrap();
    assert_eq!(failed.is_error, Some(true));
    let text = &failed.content[0].as_text().unwrap().text;
    assert_eq!(text, "NOT_FOUND STATE_NOT_FOUND: key `none` has no value");
    let structured = failed.structured_content.unwrap();
    assert_eq!(structured["details"][0]["domain"], "state.gearmesh");
    let wrong = client
        .call_tool(call("state_get", json!({"kye": "none"})))
        .await
        .unwrap();
    assert_eq!(
        wrong.is_error,
        Some(true),
        "a wrong argument can be corrected by the caller"
    );
    let unknown = client
        .call_tool(call("state_gett", json!({})))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("-32602") && unknown.contains("state.get"),
        "{unknown}"
    );
}

#[tokio::test]
async fn plain_post_works_without_a_session() {
    let served = Served::start().await;
    let send = |body: Value| Answer::of(served.request("POST", "/mcp").json(&body));
    let params = json!({"name": "state_put", "arguments": {"key": "a", "value": 1}, "_meta": {"gearmesh/idempotencyKey": "k1"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let first = send(body.clone()).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.json()["result"]["structuredContent"]["version"], 1);
    let again = send(body).await;
    assert_eq!(
        again.json()["result"]["structuredContent"]["version"],
        1,
        "one key, one call"
    );
}

#[tokio::test]
async fn stateless_revision_is_served() {
    let served = Served::start().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    });
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
    let request = served
        .request("POST", "/mcp")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/list")
        .json(&body);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = &answer.json()["result"];
    assert_eq!(
        (
            &result["resultType"],
            &result["ttlMs"],
            &result["cacheScope"]
        ),
        (&json!("complete"), &json!(300_000), &json!("private"))
    );
}

#[tokio::test]
async fn closed_response_cancels_the_engine() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "slow_hang", "arguments": {}}});
    let request = tokio::spawn(served.request("POST", "/mcp").json(&body).send());
    fixture
        .until("the call has begun", |seen| seen.begun == 1)
        .await;
    request.abort();
    fixture
        .until("the engine's call is dropped", |seen| seen.dropped == 1)
        .await;
}
