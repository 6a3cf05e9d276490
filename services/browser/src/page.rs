//! A page of a session.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gearmesh_runtime::CancellationToken;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::cdp::{Cdp, Event, Failure};
use crate::chrome::Chrome;
use crate::error::Error;
use crate::limit::Limit;

/// What runs inside of a page, as a function of an operation and its arguments.
const HELPER: &str = include_str!("helper.js");

/// The world that our scripts run in: the page's scripts see nothing of it.
const WORLD: &str = "gearmesh";

/// The view: a common size of a screen, so that pages show their usual shape.
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 800;

/// A page. Whoever uses it holds its `turn`.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its name within the session.
    pub(crate) name: String,
    /// Whether it goes with the call that opened it.
    pub(crate) temporary: bool,
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    /// Cancelled when the page is gone.
    pub(crate) gone: CancellationToken,
    /// Its target, which is its main frame too.
    pub(crate) target: String,
    /// The name of its session, for errors.
    session: String,
    /// The id under which it is spoken to.
    id: String,
    cdp: Cdp,
    /// Rises with each use in the session.
    used: AtomicU64,
    /// Whether it is being stopped, and will be free soon or gone.
    halting: AtomicBool,
    url: Mutex<String>,
}

impl Page {
    /// Opens an empty page in a context.
    pub(crate) async fn open(
        chrome: &Chrome,
        context: &str,
        session: &str,
        name: String,
        temporary: bool,
    ) -> Result<Self, Error> {
        let cdp = chrome.cdp.clone();
        let lost = |failure: Failure| match failure {
            Failure::Gone => Error::Lost(session.to_owned()),
            Failure::Refused(text) => Error::Protocol(text),
        };
        let create = json!({
            "url": "about:blank", "browserContextId": context,
            "newWindow": true, "width": WIDTH, "height": HEIGHT,
        });
        let created = cdp
            .call("", "Target.createTarget", create)
            .await
            .map_err(lost)?;
        let target = text(&created, "targetId");
        let gone = chrome.watch_page(&target);
        let attach = json!({"targetId": target, "flatten": true});
        let attached = cdp
            .call("", "Target.attachToTarget", attach)
            .await
            .map_err(lost)?;
        let page = Self {
            name,
            temporary,
            turn: Arc::default(),
            gone,
            target,
            session: session.to_owned(),
            id: text(&attached, "sessionId"),
            cdp,
            used: AtomicU64::new(0),
            halting: AtomicBool::new(false),
            url: Mutex::default(),
        };
        page.call("Page.enable", json!({})).await?;
        let enabled = json!({"enabled": true});
        page.call("Page.setLifecycleEventsEnabled", enabled).await?;
        let view = json!({
            "width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false,
        });
        page.call("Emulation.setDeviceMetricsOverride", view)
            .await?;
        Ok(page)
    }

    /// Answers the dialogs of the page, which would hold it for ever.
    pub(crate) async fn answer_dialogs(self: Arc<Self>) {
        let mut events = self.listen();
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.gone.cancelled() => return,
            };
            match event {
                Ok(event) if event.method == "Page.javascriptDialogOpening" => {
                    // Questions are answered with no; leaving a page is what was asked for.
                    let accept = matches!(
                        event.params["type"].as_str(),
                        Some("alert" | "beforeunload")
                    );
                    let answer = json!({"accept": accept});
                    self.cdp
                        .post(&self.id, "Page.handleJavaScriptDialog", answer);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// A command of the page.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        let answer = tokio::select! {
            answer = self.cdp.call(&self.id, method, params) => answer,
            () = self.gone.cancelled() => return Err(self.lost()),
        };
        answer.map_err(|failure| match failure {
            Failure::Gone => self.lost(),
            Failure::Refused(text) if text.contains("Session with given id not found") => {
                self.lost()
            }
            Failure::Refused(text) => Error::Protocol(format!("{method}: {text}")),
        })
    }

    fn lost(&self) -> Error {
        if self.cdp.gone().is_cancelled() {
            Error::Lost(self.session.clone())
        } else {
            Error::PageLost(self.name.clone())
        }
    }

    /// Asks the helper inside of the page once.
    pub(crate) async fn ask(&self, operation: &str, arguments: Value) -> Result<Value, Error> {
        let world = json!({"frameId": self.target, "worldName": WORLD});
        let world = self.call("Page.createIsolatedWorld", world).await?;
        let call = json!({
            "functionDeclaration": HELPER,
            "executionContextId": world["executionContextId"],
            "arguments": [{"value": operation}, {"value": arguments}],
            "returnByValue": true,
        });
        let answer = self.call("Runtime.callFunctionOn", call).await?;
        if let Some(details) = answer.get("exceptionDetails") {
            return Err(Error::Protocol(exception(details)));
        }
        let mut answer = answer;
        let answer = &mut answer["result"]["value"];
        match answer.get("error") {
            Some(error) => Err(refusal(error)),
            None => Ok(answer["value"].take()),
        }
    }

    /// Asks the helper, again when the page moves on under the question. For
    /// operations that change nothing.
    pub(crate) async fn read(
        &self,
        operation: &str,
        arguments: Value,
        limit: &Limit,
    ) -> Result<Value, Error> {
        loop {
            match self.ask(operation, arguments.clone()).await {
                Err(e) if e.is_moving() && !limit.over() => limit.look().await,
                answer => return answer,
            }
        }
    }

    /// Events of the page from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.cdp.listen(&self.id)
    }

    /// Where the page was at the end of the last call; empty before its first.
    pub(crate) fn url(&self) -> String {
        let url = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        url.clone()
    }

    pub(crate) fn set_url(&self, url: &str) {
        let mut own = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        url.clone_into(&mut own);
    }

    pub(crate) fn is_halting(&self) -> bool {
        self.halting.load(Ordering::SeqCst)
    }

    pub(crate) fn set_halting(&self, halting: bool) {
        self.halting.store(halting, Ordering::SeqCst);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn set_used(&self, number: u64) {
        self.used.store(number, Ordering::Relaxed);
    }

    /// Closes the page; who uses it sees it lost.
    pub(crate) fn close(&self) {
        let close = json!({"targetId": self.target});
        self.cdp.post("", "Target.closeTarget", close);
        self.gone.cancel();
        self.cdp.unlisten(&self.id);
    }

    /// Stops what the page is doing: scripts and loading.
    pub(crate) async fn halt(&self) -> Result<(), Error> {
        self.call("Runtime.terminateExecution", json!({})).await?;
        self.call("Page.stopLoading", json!({})).await?;
        // Only a page that has stopped answers this.
        self.ask("place", Value::Null).await?;
        self.note_url().await
    }

    /// Notes where the page is. The browser knows it, also of a page that is at work.
    pub(crate) async fn note_url(&self) -> Result<(), Error> {
        let history = self.call("Page.getNavigationHistory", json!({})).await?;
        let current = history["currentIndex"].as_u64().unwrap_or_default();
        let current = usize::try_from(current).unwrap_or_default();
        self.set_url(
            history["entries"][current]["url"]
                .as_str()
                .unwrap_or_default(),
        );
        Ok(())
    }
}

/// A text of an answer.
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// What an exception says, without its place in our own text.
pub(crate) fn exception(details: &Value) -> String {
    let thrown = &details["exception"];
    let said = thrown["description"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| thrown.get("value").map(ToString::to_string))
        .unwrap_or_else(|| text(details, "text"));
    let first: Vec<&str> = said.lines().take(1).collect();
    let first = first.concat();
    // A page chooses what it throws.
    first.chars().take(500).collect()
}

fn refusal(error: &Value) -> Error {
    let selector = text(error, "selector");
    let reason = text(error, "reason");
    match error["kind"].as_str() {
        Some("selector") => {
            let field = match error["field"].as_str() {
                Some(field) => field.to_owned(),
                None => "selector".to_owned(),
            };
            Error::parameter(field, format!("`{selector}` is no CSS selector"))
        }
        Some("missing") => Error::ElementNotFound { selector },
        Some("limit") => Error::PageLimit(reason),
        _ => Error::Interaction { selector, reason },
    }
}
