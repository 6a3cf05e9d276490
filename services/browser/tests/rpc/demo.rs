//! The pages of the demo site, as the examples of the tools use them.

use gearmesh_demo::DemoSite;
use gearmesh_runtime::CancellationToken;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

use crate::support::{call, sandbox};

#[tokio::test]
async fn items_are_read_and_one_is_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let (site, address) = DemoSite::bind(folder.path()).await.unwrap();
    let stop = CancellationToken::new();
    let serving = site.serve(stop.clone());
    let mesh = TestMesh::start_with(&[gearmesh_browser::SERVICE], |config| {
        sandbox(config);
        config.set("connections.demo-site.kind", "http");
        config.set("connections.demo-site.url", format!("http://{address}"));
        config.set("connections.demo-site.allowPrivate", true);
    })
    .await;
    let visit = async {
        let run = async |tool: &str, params: Value| call(&mesh, tool, params).await.unwrap();
        let items =
            json!({"url": "/items", "waitForSelector": "li.item", "connection": "demo-site"});
        let opened = run("navigate", items).await;
        assert_eq!(
            (&opened["status"], &opened["title"]),
            (&json!(200), &json!("Items"))
        );
        let names = json!({"selectors": {"names": "li.item .name"}, "multiple": true});
        let names = run("extract", names).await;
        assert_eq!(
            names["data"]["names"],
            json!(["Anvil", "Bellows", "Crucible"])
        );
        let follow = json!({"selector": "li:nth-child(2) a", "waitForNavigation": true});
        run("click", follow).await;
        let order = json!({
            "fields": {"#count": "4", "#note": "<soon>", "#express": "true"},
            "submitSelector": "button[type=submit]", "submitWaitForNavigation": true,
        });
        run("form_fill", order).await;
        let sent = json!({"selectors": {"item": "#item", "count": "#count", "note": "#note"}});
        let sent = run("extract", sent).await;
        let wanted = json!({"item": "Bellows", "count": "4", "note": "<soon>"});
        assert_eq!(sent["data"], wanted);
        stop.cancel();
    };
    let (served, ()) = tokio::join!(serving, visit);
    served.unwrap();
    mesh.stop().await;
}
