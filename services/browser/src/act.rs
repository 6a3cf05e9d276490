//! Acting on a page as a person would: with the mouse and the keyboard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::{Clock, Context, Secret};
use serde_json::{Value, json};

use crate::error::Error;
use crate::limit::Limit;
use crate::loads::Loads;
use crate::page::{Page, text};

/// What an element is waited to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Visible,
    Attached,
    Hidden,
}

/// Waits until a selector finds an element in a state.
pub(crate) async fn wait_for(
    page: &Page,
    selector: &str,
    state: State,
    limit: &Limit,
) -> Result<(), Error> {
    let mut last = None;
    loop {
        let look = page.read("look", json!({"selector": selector}), limit);
        let seen = match (limit.within("waiting for the element", look).await, last) {
            (Err(Error::Timeout { .. }), Some(last)) => return Err(late(selector, &last)),
            (seen, _) => seen?,
        };
        let (found, visible) = (seen["found"] == true, seen["visible"] == true);
        let reached = match state {
            State::Visible => visible,
            State::Attached => found,
            State::Hidden => !visible,
        };
        if reached {
            return Ok(());
        }
        last = Some(seen);
        limit.look().await;
    }
}

/// What to say when an element was not in time what it should be.
fn late(selector: &str, seen: &Value) -> Error {
    let selector = selector.to_owned();
    if seen["found"] == true {
        let reason = seen["reason"].as_str();
        let reason = reason.unwrap_or("it did not come to rest, or can still be seen");
        let reason = reason.to_owned();
        return Error::Interaction { selector, reason };
    }
    Error::ElementNotFound { selector }
}

/// Waits until an element can be acted on: seen, enabled, at rest and on top.
async fn ready(page: &Page, selector: &str, limit: &Limit) -> Result<(f64, f64), Error> {
    let (mut before, mut last) = (None, None);
    loop {
        let look = page.read("reach", json!({"selector": selector}), limit);
        let seen = match (limit.within("waiting for the element", look).await, last) {
            (Err(Error::Timeout { .. }), Some(last)) => return Err(late(selector, &last)),
            (seen, _) => seen?,
        };
        let place = seen["x"].as_f64().zip(seen["y"].as_f64());
        match place {
            Some(place) if before == Some(place) => return Ok(place),
            place => before = place,
        }
        last = Some(seen);
        limit.look().await;
    }
}

/// Clicks an element; with `follow` waits for the page that opens.
pub(crate) async fn click(
    page: &Page,
    clock: &Arc<dyn Clock>,
    selector: &str,
    follow: bool,
    limit: &Limit,
) -> Result<(), Error> {
    let place = ready(page, selector, limit).await?;
    press(page, clock, place, follow, &limit.again())
        .await
        .map_err(Error::begun)
}

/// Presses and releases the mouse.
async fn press(
    page: &Page,
    clock: &Arc<dyn Clock>,
    (x, y): (f64, f64),
    follow: bool,
    limit: &Limit,
) -> Result<(), Error> {
    let loads = Loads::of(page, clock);
    let mouse = async |kind: &str, buttons: u32| {
        let event = json!({
            "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1,
        });
        let sent = page.call("Input.dispatchMouseEvent", event);
        limit.within("clicking", sent).await
    };
    let moved = json!({"type": "mouseMoved", "x": x, "y": y});
    page.call("Input.dispatchMouseEvent", moved).await?;
    mouse("mousePressed", 1).await?;
    match mouse("mouseReleased", 0).await {
        // The page went away under the finger, which is what a link does.
        Err(e) if e.is_moving() => {}
        released => {
            released?;
        }
    }
    if follow {
        limit
            .within("loading the page after the click", loads.done(None))
            .await?;
    }
    Ok(())
}

/// How text is typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typing {
    pub(crate) delay: Duration,
    pub(crate) clear: bool,
}

/// Types text into an element, key by key.
pub(crate) async fn type_text(
    page: &Page,
    clock: &Arc<dyn Clock>,
    selector: &str,
    typed: &Secret,
    typing: Typing,
    limit: &Limit,
) -> Result<(), Error> {
    ready(page, selector, limit).await?;
    let focus = json!({"selector": selector, "clear": typing.clear});
    page.ask("focus", focus).await?;
    let typed = async {
        if typing.clear {
            key(page, "Backspace", "", 8).await?;
        }
        for letter in typed.expose().replace("\r\n", "\n").chars() {
            match letter {
                '\n' | '\r' => key(page, "Enter", "\r", 13).await?,
                '\t' => key(page, "Tab", "", 9).await?,
                letter => key(page, &letter.to_string(), &letter.to_string(), 0).await?,
            }
            if !typing.delay.is_zero() {
                clock.sleep(typing.delay).await;
            }
        }
        Ok(())
    };
    typed.await.map_err(Error::begun)
}

/// Presses and releases a key.
async fn key(page: &Page, name: &str, text: &str, code: u32) -> Result<(), Error> {
    let mut down = json!({"type": "keyDown", "key": name});
    if text.is_empty() {
        down["type"] = "rawKeyDown".into();
    } else {
        down["text"] = text.into();
        down["unmodifiedText"] = text.into();
    }
    let mut up = json!({"type": "keyUp", "key": name});
    if code != 0 {
        for event in [&mut down, &mut up] {
            event["windowsVirtualKeyCode"] = code.into();
            event["code"] = name.into();
        }
    }
    page.call("Input.dispatchKeyEvent", down).await?;
    match page.call("Input.dispatchKeyEvent", up).await {
        // Enter may have sent the form.
        Err(e) if e.is_moving() => Ok(()),
        sent => sent.map(drop),
    }
}

/// Fills the fields of a form in the order of the page.
pub(crate) async fn fill(
    page: &Page,
    fields: &HashMap<String, Secret>,
    limit: &Limit,
) -> Result<(), Error> {
    for selector in fields.keys() {
        wait_for(page, selector, State::Attached, limit).await?;
    }
    let fields: Vec<Value> = fields
        .iter()
        .map(|(selector, value)| json!([selector, value.expose()]))
        .collect();
    let filled = page.ask("fill", json!({"fields": fields}));
    let answer = limit.within("filling the form", filled).await?;
    // What does not fit is found before the first field is touched, but for
    // what only shows when it is.
    match answer["late"].as_str() {
        Some(reason) => Err(Error::Interaction {
            selector: text(&answer, "selector"),
            reason: reason.to_owned(),
        }
        .begun()),
        None => Ok(()),
    }
}

/// The values of a form, the secret ones resolved.
pub(crate) async fn fields(
    cx: &Context,
    plain: HashMap<String, String>,
    secret: HashMap<String, String>,
) -> Result<HashMap<String, Secret>, Error> {
    if plain.is_empty() && secret.is_empty() {
        let text = "give at least one field, in `fields` or `secrets`";
        return Err(Error::parameter("fields", text));
    }
    if let Some(both) = plain.keys().find(|s| secret.contains_key(*s)) {
        let text = format!("`{both}` is in `fields` and in `secrets`");
        return Err(Error::parameter("secrets", text));
    }
    let references: Vec<&str> = secret.values().map(String::as_str).collect();
    let resolved = cx.secrets().resolve_all(&references).await?;
    let secret = secret.keys().cloned().zip(resolved);
    let plain = plain.into_iter().map(|(k, v)| (k, Secret::new(v)));
    Ok(plain.chain(secret).collect())
}
