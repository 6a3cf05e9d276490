//! Every tool against real pages in a real Chromium.

mod support;

use base64::Engine;
use serde_json::{Value, json};
use support::{Site, call, effect_is_unknown, engine, go, reason};
use tonic::Code;

fn bytes(answer: &Value, name: &str) -> Vec<u8> {
    let text = answer[name].as_str().unwrap();
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn navigate_opens_waits_and_tells() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    let opened = go(&mesh, "/to").await;
    assert_eq!(opened["url"], site.at("/items"), "after the redirect");
    assert_eq!(opened["status"], 200);
    assert_eq!(opened["title"], "Items");
    assert_eq!(opened["session"], "default");
    assert_eq!(opened["page"], "p1");
    assert_eq!(opened["blocked"], json!([]));
    let missing = go(&mesh, "/missing").await;
    assert_eq!(
        (&missing["status"], &missing["title"]),
        (&json!(404), &json!("Gone"))
    );
    assert_eq!(missing["page"], "p1", "one page goes on");

    let ask = |params: Value| {
        let mut params = params;
        params["connection"] = "site".into();
        call(&mesh, "navigate", params)
    };
    let waited = ask(json!({"url": "/act", "waitForSelector": "#late"}))
        .await
        .unwrap();
    assert_eq!(waited["title"], "Act");
    let status = ask(json!({"url": "/items", "waitForSelector": "#never", "timeout": 3000}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ELEMENT_NOT_FOUND");
    let status = ask(json!({"url": "/slow", "timeout": "500ms"}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "TIMEOUT");
    // The page is free again, and what it was loading is stopped.
    assert_eq!(go(&mesh, "/items").await["page"], "p1");
    // A page that never comes to rest is open all the same.
    assert_eq!(go(&mesh, "/poll").await["title"], "Poll");
    // A page that does not come at first.
    assert_eq!(go(&mesh, "/flaky").await["title"], "At last");
    mesh.stop().await;
}

#[tokio::test]
async fn navigate_refuses_what_is_no_page() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    for (url, code) in [
        ("file:///etc/passwd", Code::InvalidArgument),
        ("chrome://version", Code::InvalidArgument),
        ("view-source:http://1.1.1.1", Code::InvalidArgument),
        ("javascript:alert(1)", Code::InvalidArgument),
        ("http://user:pw@1.1.1.1/", Code::InvalidArgument),
        ("/no/connection", Code::InvalidArgument),
    ] {
        let status = call(&mesh, "navigate", json!({"url": url}))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{url}: {status:?}");
        assert!(!status.message().contains("pw"), "{status:?}");
    }
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://1.1.1.1:22/",
    ] {
        let status = call(&mesh, "navigate", json!({"url": url}))
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "EGRESS_DENIED", "{url}");
    }
    let status = call(&mesh, "navigate", json!({"url": "http://name.invalid/"}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NAVIGATION_FAILED");
    let status = call(
        &mesh,
        "navigate",
        json!({"url": "/x", "connection": "other"}),
    )
    .await
    .unwrap_err();
    assert_eq!(reason(&status), "CONNECTION_NOT_FOUND");
    let status = call(
        &mesh,
        "extract",
        json!({"selectors": {"a": "a"}, "session": "s"}),
    )
    .await
    .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "SESSION_LOST")
    );
    mesh.stop().await;
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
async fn click_waits_for_the_element_and_the_page() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/act").await;
    let title = async || call(&mesh, "current_url", json!({})).await.unwrap()["title"].clone();
    let click = async |params: Value| call(&mesh, "click", params).await;

    let clicked = click(json!({"selector": "#late"})).await.unwrap();
    assert_eq!(clicked["selector"], "#late");
    assert_eq!(title().await, "late", "it came only later");
    click(json!({"selector": "#count"})).await.unwrap();
    click(json!({"selector": "#count"})).await.unwrap();
    assert_eq!(title().await, "n2");
    click(json!({"selector": "#far"})).await.unwrap();
    assert_eq!(title().await, "far", "scrolled to");
    click(json!({"selector": "#ask"})).await.unwrap();
    assert_eq!(
        title().await,
        "false undefined",
        "dialogs do not hold the page"
    );

    let status = click(json!({"selector": "#nothing", "timeout": 200}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ELEMENT_NOT_FOUND");
    assert!(!effect_is_unknown(&status));
    for (selector, why) in [("#off", "disabled"), ("#under", "covered by div#cover")] {
        let status = click(json!({"selector": selector, "timeout": 200}))
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "INTERACTION_FAILED");
        assert!(status.message().contains(why), "{status:?}");
        assert!(!effect_is_unknown(&status), "nothing was clicked");
    }
    let status = click(json!({"selector": "a[["})).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    let within = click(json!({"selector": "#within", "waitForNavigation": true}))
        .await
        .unwrap();
    assert_eq!(within["url"], site.at("/act#x"));
    let status = click(json!({"selector": "#count", "waitForNavigation": true, "timeout": 300}))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "TIMEOUT");
    assert!(effect_is_unknown(&status), "it was clicked");
    let followed = click(json!({"selector": "#link", "waitForNavigation": true}))
        .await
        .unwrap();
    assert_eq!(followed["url"], site.at("/items"));

    go(&mesh, "/act").await;
    click(json!({"selector": "#open"})).await.unwrap();
    let sessions = call(&mesh, "session_list", json!({})).await.unwrap();
    assert_eq!(
        sessions["sessions"][0]["pages"].as_array().unwrap().len(),
        1
    );
    mesh.stop().await;
}

#[tokio::test]
async fn type_presses_keys() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/form").await;
    let value = async |selector: &str| {
        let params = json!({"selectors": {"v": format!("{selector}@value")}});
        call(&mesh, "extract", params).await.unwrap()["data"]["v"].clone()
    };
    let write = async |params: Value| call(&mesh, "type", params).await;
    let typed = write(json!({"selector": "#name", "text": "Zoë 😀", "delay": 0}))
        .await
        .unwrap();
    assert_eq!(typed["textLength"], 5);
    assert_eq!(value("#name").await, "Zoë 😀");
    write(json!({"selector": "#name", "text": "!", "delay": "5ms"}))
        .await
        .unwrap();
    assert_eq!(value("#name").await, "Zoë 😀!", "at the end");
    write(json!({"selector": "#name", "text": "new", "delay": 0, "clear": true}))
        .await
        .unwrap();
    assert_eq!(value("#name").await, "new");
    let empty = write(json!({"selector": "#name", "text": "", "clear": true}))
        .await
        .unwrap();
    assert_eq!(empty["textLength"], 0);
    assert_eq!(value("#name").await, "");
    write(json!({"selector": "#note", "text": "a\nb", "delay": 0}))
        .await
        .unwrap();
    assert_eq!(value("#note").await, "a\nb");
    write(json!({"selector": "#rich", "text": "rich", "delay": 0}))
        .await
        .unwrap();
    let rich = call(&mesh, "extract", json!({"selectors": {"v": "#rich"}}))
        .await
        .unwrap();
    assert_eq!(rich["data"]["v"], "rich");
    let secret = write(json!({"selector": "#pw", "secret": "hunter2", "delay": 0}))
        .await
        .unwrap();
    assert_eq!(secret["textLength"], 0);
    assert!(!secret.to_string().contains("hunter2"));
    assert_eq!(value("#pw").await, "hunter2");

    for (params, code) in [
        (json!({"selector": "#name"}), Code::InvalidArgument),
        (
            json!({"selector": "#name", "text": "a", "secret": "b"}),
            Code::InvalidArgument,
        ),
        (
            json!({"selector": "#name", "text": "a", "delay": 1001}),
            Code::InvalidArgument,
        ),
        (json!({"selector": "#ro", "text": "a"}), Code::Aborted),
        (json!({"selector": "#send", "text": "a"}), Code::Aborted),
        (
            json!({"selector": "#nothing", "text": "a", "timeout": 100}),
            Code::NotFound,
        ),
    ] {
        let status = write(params.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{params}: {status:?}");
        assert!(!effect_is_unknown(&status));
    }
    // Enter sends the form.
    write(json!({"selector": "#name", "text": "x\n", "delay": 0}))
        .await
        .unwrap();
    call(&mesh, "wait_for", json!({"selector": "#form"}))
        .await
        .unwrap();
    mesh.stop().await;
}

#[tokio::test]
async fn form_is_filled_and_sent() {
    let site = Site::start().await;
    let mesh = engine(&site).await;
    go(&mesh, "/form").await;
    let fill = async |params: Value| call(&mesh, "form_fill", params).await;
    for (fields, code, why) in [
        (
            json!({"#name": "a", "#nothing": "b"}),
            Code::NotFound,
            "#nothing",
        ),
        (
            json!({"#name": "a", "#color": "Blue"}),
            Code::Aborted,
            "no such option",
        ),
        (
            json!({"#name": "a", "#file": "/etc/passwd"}),
            Code::Aborted,
            "cannot be filled",
        ),
        (
            json!({"#name": "a", "#ro": "b"}),
            Code::Aborted,
            "read-only",
        ),
        (json!({}), Code::InvalidArgument, "at least one"),
    ] {
        let status = fill(json!({"fields": fields, "timeout": 200}))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(why), "{status:?}");
        assert!(!effect_is_unknown(&status), "{status:?}");
    }
    let untouched = call(&mesh, "extract", json!({"selectors": {"v": "#name@value"}}))
        .await
        .unwrap();
    assert_eq!(
        untouched["data"]["v"], "",
        "nothing is filled before all is found"
    );
    let status = fill(json!({"fields": {"#n": "many"}})).await.unwrap_err();
    assert_eq!(reason(&status), "INTERACTION_FAILED");
    assert!(effect_is_unknown(&status));

    let filled = fill(json!({"fields": {"#name": "Ada L"}})).await.unwrap();
    assert_eq!(
        (&filled["fieldsCount"], &filled["submitted"]),
        (&json!(1), &json!(false))
    );
    let sent = fill(json!({
        "fields": {"#note": "hi", "#color": "Green", "#ok": "true", "#l": "true", "#n": "7"},
        "secrets": {"#pw": "hunter2"},
        "submitSelector": "#send", "submitWaitForNavigation": true,
    }))
    .await
    .unwrap();
    assert_eq!(
        (&sent["fieldsCount"], &sent["submitted"]),
        (&json!(6), &json!(true))
    );
    assert_eq!(sent["url"], site.at("/echo"));
    let echo = call(&mesh, "extract", json!({"selectors": {"form": "#form"}}))
        .await
        .unwrap();
    assert_eq!(
        echo["data"]["form"],
        "name=Ada+L&note=hi&color=g&ok=on&size=l&n=7&pw=hunter2"
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
async fn waits_scripts_and_places() {
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
