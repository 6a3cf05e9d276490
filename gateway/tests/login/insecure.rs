//! Settings with which the gateway does not start.

use gearmesh_runtime::{Config, start};
use serde_json::json;

async fn refused(set: impl FnOnce(&mut Config)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    set(&mut config);
    let services = [gearmesh_state::SERVICE, gearmesh_gateway::SERVICE];
    start(&services, config)
        .await
        .expect_err("refused")
        .to_string()
}

#[tokio::test]
async fn other_addresses_than_loopback_want_tls() {
    for address in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:0",
        "localhost:0",
        "mesh.example.com:0",
    ] {
        let error = refused(|config| config.set("listen", address)).await;
        assert!(error.starts_with("INSECURE_CONFIG"), "{address}: {error}");
        assert!(
            error.contains("`listen`") && error.contains("gateway"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn pages_of_every_site_are_never_let_in() {
    for origin in ["*", "https://*", "https://*.example.com", "null"] {
        let error = refused(|config| config.set("gateway.origins", json!([origin]))).await;
        assert!(error.contains("gateway.origins"), "{origin}: {error}");
    }
    let error = refused(|config| config.set("gateway.hosts", json!(["*"]))).await;
    assert!(error.contains("gateway.hosts"), "{error}");
}
