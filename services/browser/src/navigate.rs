//! Opening a URL.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::Clock;
use serde_json::{Value, json};
use url::Url;

use crate::act;
use crate::error::Error;
use crate::gate::{Gate, Refused, shown};
use crate::limit::Limit;
use crate::loads::Loads;
use crate::page::{Page, text};

/// How often a page is tried.
const ATTEMPTS: u32 = 3;

/// Wait before the second attempt, and twice that before the third.
const PAUSE: Duration = Duration::from_millis(250);

/// Hosts that an answer names as blocked.
const BLOCKED_MAX: usize = 20;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) status: i32,
    pub(crate) blocked: Vec<String>,
}

/// Opens a URL, waits until it has loaded, and for a selector if there is one.
pub(crate) async fn navigate(
    page: &Page,
    gate: &Gate,
    clock: &Arc<dyn Clock>,
    url: &Url,
    selector: &str,
    limit: &Limit,
) -> Result<Opened, Error> {
    let mark = gate.count();
    let work = async {
        let mut attempt = 1;
        loop {
            match open(page, gate, clock, url.as_str(), limit).await {
                Err(Error::Navigation { .. }) if attempt < ATTEMPTS => {
                    limit.pause(PAUSE * attempt).await;
                    attempt += 1;
                }
                opened => break opened,
            }
        }
    };
    limit.within("opening the page", work).await?;
    if !selector.is_empty() {
        act::wait_for(page, selector, act::State::Attached, limit).await?;
    }
    let place = page.read("place", Value::Null, limit).await?;
    let mut blocked: Vec<String> = Vec::new();
    for (server, refused) in gate.since(mark) {
        if matches!(refused, Refused::Denied(_))
            && blocked.len() < BLOCKED_MAX
            && !blocked.contains(&server)
        {
            blocked.push(server);
        }
    }
    let status = place["status"].as_i64().unwrap_or_default();
    Ok(Opened {
        url: text(&place, "url"),
        title: text(&place, "title"),
        status: i32::try_from(status).unwrap_or_default(),
        blocked,
    })
}

/// Opens a URL once and waits until it has loaded.
pub(crate) async fn open(
    page: &Page,
    gate: &Gate,
    clock: &Arc<dyn Clock>,
    url: &str,
    limit: &Limit,
) -> Result<(), Error> {
    let parsed = Url::parse(url).map_err(|e| Error::parameter("url", e.to_string()))?;
    gate.check(&parsed).await?;
    let mark = gate.count();
    let loads = Loads::of(page, clock);
    let begun = page.call("Page.navigate", json!({"url": url}));
    let begun = limit.within("opening the page", begun).await?;
    if let Some(failure) = begun["errorText"].as_str() {
        return Err(failed(gate, mark, &parsed, failure));
    }
    // Without a loader the page moved within its document.
    if let Some(loader) = begun["loaderId"].as_str() {
        let loaded = loads.done(Some(loader.to_owned()));
        limit.within("loading the page", loaded).await?;
    }
    Ok(())
}

/// Why the browser could not open a page: what the proxy knows says more than
/// what the browser saw.
fn failed(gate: &Gate, mark: u64, url: &Url, failure: &str) -> Error {
    let refusals = gate.since(mark);
    let denied = refusals.iter().find_map(|(server, refused)| match refused {
        Refused::Denied(reason) => Some(format!("it leads to {server}: {reason}")),
        Refused::Unreached(_) => None,
    });
    let url = shown(url);
    if let Some(reason) = denied {
        return Error::Denied { url, reason };
    }
    let reason = refusals.into_iter().find_map(|(_, refused)| match refused {
        Refused::Unreached(reason) => Some(reason),
        Refused::Denied(_) => None,
    });
    let reason = reason.unwrap_or_else(|| failure.to_owned());
    Error::Navigation { url, reason }
}
