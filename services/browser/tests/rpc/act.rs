//! Clicks, keys and forms.

use serde_json::{Value, json};
use tonic::Code;

use crate::support::{Site, call, effect_is_unknown, engine, go, reason};

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
