use serde_json::json;
use tonic::Code;

use crate::{Answer, Served};

#[tokio::test]
async fn foreign_host_or_origin_is_refused_on_every_surface() {
    let served = Served::start_with(|config| {
        config.set("gateway.hosts", json!(["mesh.example.com"]));
        config.set("gateway.origins", json!(["https://console.example.com"]));
    })
    .await;
    for (name, value, status) in [
        ("host", "evil.example.com", 403),
        ("host", "mesh.example.com", 200),
        ("origin", "https://evil.example.com", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:5173", 200),
        ("origin", "https://console.example.com", 200),
    ] {
        // Another name than a loopback one is for callers with a login.
        let behind_login = if value == "mesh.example.com" {
            401
        } else {
            status
        };
        for (path, status) in [
            ("/v1/tools", behind_login),
            ("/healthz", status),
            ("/", behind_login),
        ] {
            let answer = Answer::of(served.request("GET", path).header(name, value)).await;
            assert_eq!(answer.status, status, "{path} {name}: {value}");
            if status == 403 {
                assert_eq!(answer.reason().1, "FOREIGN_ORIGIN");
            }
        }
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let mcp = Answer::of(
            served
                .request("POST", "/mcp")
                .header(name, value)
                .json(&list),
        )
        .await;
        assert_eq!(mcp.status, behind_login, "/mcp {name}: {value}: {mcp:?}");
    }
}

#[tokio::test]
async fn grpc_of_a_foreign_page_is_refused_alike() {
    let served = Served::start().await;
    let channel = tonic::transport::Endpoint::from_shared(served.mesh.url())
        .unwrap()
        .origin("http://evil.example.com".parse().unwrap())
        .connect()
        .await
        .unwrap();
    let mut client =
        gearmesh_api::state::v1::state_service_client::StateServiceClient::new(channel);
    let status = client
        .list(gearmesh_api::state::v1::ListRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        gearmesh_fault::Failure::of(&status).reason,
        "FOREIGN_ORIGIN"
    );
}
