//! Reading, drawing and printing pages; waiting and scripts.

use base64::Engine;
use serde_json::{Value, json};
use tonic::Code;

use crate::support::{Site, call, effect_is_unknown, engine, go, reason};

fn bytes(answer: &Value, name: &str) -> Vec<u8> {
    let text = answer[name].as_str().unwrap();
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn extract_reads_text_attributes_html_links_and_tables() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/items").await;
    let read = async |selectors: Value, multiple: bool| {
        let params = json!({"selectors": selectors, "multiple": multiple});
        call(&mesh, "extract", params).await
    };
    let one = read(
        json!({
            "title": "h1", "error": ".name", "link": ".item a@href", "second": ".item:nth-child(2) a@href",
            "raw": ".item@class", "html": ".item a@html", "outer": "b@outerHtml", "value": "#in@value",
            "table": "#t@table", "links": "ul@links", "none": "#nothing", "noattr": "h1@id"
        }),
        false,
    )
    .await
    .unwrap();
    let data = &one["data"];
    assert_eq!(data["title"], "Items");
    assert_eq!(data["error"], "Anvil", "any name will do");
    assert_eq!(data["link"], site.at("/item/1"));
    assert_eq!(data["second"], site.at("/item/2"));
    assert_eq!(data["raw"], "item");
    assert_eq!(data["html"], "<span class=\"name\">Anvil</span>");
    assert_eq!(data["outer"], "<b>3</b>");
    assert_eq!(data["value"], "typed");
    assert_eq!(data["table"], json!([["Name", "Count"], ["Anvil", "3"]]));
    assert_eq!(
        data["links"][2],
        json!({"text": "Crucible", "href": "https://other.test/3"})
    );
    assert_eq!(
        (&data["none"], &data["noattr"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(one["url"], site.at("/items"));

    let all = read(json!({"names": ".name", "none": "#nothing"}), true)
        .await
        .unwrap();
    assert_eq!(
        all["data"]["names"],
        json!(["Anvil", "Bellows", "Crucible"])
    );
    assert_eq!(all["data"]["none"], json!([]));

    let status = read(json!({"x": "a[["}), false).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let failure = gearmesh_fault::Failure::of(&status);
    assert_eq!(failure.violations[0].field, "selectors.x");
    assert_eq!(
        read(json!({}), false).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(
        read(json!({"x": "@href"}), false).await.unwrap_err().code(),
        Code::InvalidArgument
    );

    // The page cannot change what reads it.
    let tamper = "document.querySelector = () => ({innerText: 'forged'}), JSON.stringify = () => 'forged', 1";
    call(&mesh, "evaluate", json!({"script": tamper}))
        .await
        .unwrap();
    assert_eq!(
        read(json!({"t": "h1"}), false).await.unwrap()["data"]["t"],
        "Items"
    );

    let grow = "document.querySelectorAll('h1')[0].textContent = 'x'.repeat(5 * 1024 * 1024), 1";
    call(&mesh, "evaluate", json!({"script": grow}))
        .await
        .unwrap();
    let status = read(json!({"t": "h1"}), false).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "PAGE_LIMIT")
    );
    mesh.stop().await;
}

#[tokio::test]
async fn pictures_and_documents() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/act").await;
    let shot = async |params: Value| call(&mesh, "screenshot", params).await;
    let view = shot(json!({})).await.unwrap();
    assert_eq!(
        (&view["format"], &view["encoding"]),
        (&json!("png"), &json!("base64"))
    );
    assert_eq!(
        (&view["width"], &view["height"]),
        (&json!(1280), &json!(800))
    );
    let png = bytes(&view, "image");
    assert!(png.starts_with(b"\x89PNG"));
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!(
        (side(16), side(20)),
        (1280, 800),
        "the picture has the size that is told"
    );
    let whole = shot(json!({"fullPage": true})).await.unwrap();
    assert!(whole["height"].as_i64().unwrap() > 3000);
    let part = shot(json!({"selector": "#far"})).await.unwrap();
    assert!(part["width"].as_i64().unwrap() < 200);
    let status = shot(json!({"selector": "#nothing"})).await.unwrap_err();
    assert_eq!(reason(&status), "ELEMENT_NOT_FOUND");
    let status = shot(json!({"selector": "#far", "fullPage": true}))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    for (params, size) in [
        (json!({}), "612"),
        (json!({"format": "Legal"}), "1008"),
        (json!({"format": "A4", "landscape": true}), "841"),
    ] {
        let printed = call(&mesh, "pdf", params.clone()).await.unwrap();
        let pdf = bytes(&printed, "pdf");
        assert!(pdf.starts_with(b"%PDF"));
        let text = String::from_utf8_lossy(&pdf);
        let media = text.split("/MediaBox").nth(1).unwrap_or_default();
        assert!(media[..40].contains(size), "{params}: {}", &media[..40]);
        assert_eq!(printed["encoding"], "base64");
    }
    let status = call(&mesh, "pdf", json!({"format": "A3"}))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    go(&mesh, "/huge").await;
    let status = shot(json!({"fullPage": true})).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "PAGE_LIMIT")
    );
    shot(json!({})).await.unwrap();
    go(&mesh, "/items").await;
    let status = shot(json!({"selector": "#none"})).await.unwrap_err();
    assert_eq!(reason(&status), "RENDER_FAILED");
    mesh.stop().await;
}

#[tokio::test]
async fn waits_for_what_is_to_come_or_to_go() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/act").await;
    let wait = async |params: Value| call(&mesh, "wait_for", params).await;
    wait(json!({"selector": "#late", "state": "attached"}))
        .await
        .unwrap();
    wait(json!({"selector": "#late"})).await.unwrap();
    wait(json!({"selector": ".spinner", "state": "hidden"}))
        .await
        .unwrap();
    let status = wait(json!({"selector": "#count", "state": "hidden", "timeout": 100}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "INTERACTION_FAILED");
    let status = wait(json!({"selector": "#x", "timeout": 100}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ELEMENT_NOT_FOUND");
    assert_eq!(
        wait(json!({"selector": "#x", "state": "gone"}))
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );

    mesh.stop().await;
}

#[tokio::test]
async fn scripts_answer_values_and_are_stopped() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/act").await;
    let run = async |params: Value| call(&mesh, "evaluate", params).await;
    for (params, result) in [
        (json!({"script": "1 + 1"}), json!(2)),
        (json!({"script": "document.title // why"}), json!("Act")),
        (
            json!({"script": "new Promise(r => setTimeout(() => r([1, {a: null}]), 50))"}),
            json!([1, {"a": null}]),
        ),
        (
            json!({"script": "args.css + 'é'", "args": {"css": "#x"}}),
            json!("#xé"),
        ),
        (json!({"script": "args"}), Value::Null),
        (json!({"script": "undefined"}), Value::Null),
        (
            json!({"script": "(() => { const a = 2; return a ** 53 - 1 })()"}),
            json!(9_007_199_254_740_991_i64),
        ),
    ] {
        assert_eq!(
            run(params.clone()).await.unwrap()["result"],
            result,
            "{params}"
        );
    }
    for script in [
        "nothing.here",
        "(() => { throw new Error('own') })()",
        "1 +",
        "Promise.reject('no')",
    ] {
        let status = run(json!({"script": script})).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Aborted, "SCRIPT_FAILED"),
            "{script}"
        );
        assert!(effect_is_unknown(&status));
    }
    let status = run(json!({"script": "'x'.repeat(9e6)"})).await.unwrap_err();
    assert_eq!(reason(&status), "PAGE_LIMIT");
    let status = run(json!({"script": "(() => { while (true) {} })()", "timeout": 300}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "TIMEOUT");
    // It was stopped: the page goes on.
    let place = call(&mesh, "current_url", json!({})).await.unwrap();
    assert_eq!(
        (&place["url"], &place["page"]),
        (&json!(site.at("/act")), &json!("p1"))
    );
    let status = call(&mesh, "click", json!({"selector": "#spin", "timeout": 500}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "TIMEOUT");
    assert_eq!(
        call(&mesh, "current_url", json!({})).await.unwrap()["page"],
        "p1"
    );
    mesh.stop().await;
}
