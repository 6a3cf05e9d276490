//! When a page has loaded.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::Clock;
use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::cdp::Event;
use crate::error::Error;
use crate::page::Page;

/// How long a loaded page may keep its network busy: some poll for ever.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Follows the loading of a page, from the moment it is made.
#[derive(Debug)]
pub(crate) struct Loads<'a> {
    page: &'a Page,
    events: broadcast::Receiver<Event>,
    clock: Arc<dyn Clock>,
}

impl<'a> Loads<'a> {
    pub(crate) fn of(page: &'a Page, clock: &Arc<dyn Clock>) -> Self {
        Self {
            page,
            events: page.listen(),
            clock: clock.clone(),
        }
    }

    /// Ends when a document has loaded and its network is quiet: the one with
    /// this loader and those that replace it, or the next one that comes.
    pub(crate) async fn done(mut self, loader: Option<String>) -> Result<(), Error> {
        let mut current = loader;
        loop {
            let event = self.next().await?;
            if self.is_within(&event) && current.is_none() {
                return Ok(());
            }
            let Some((name, id)) = self.lifecycle(&event) else {
                continue;
            };
            match name.as_str() {
                "init" | "commit" => current = Some(id),
                "load" if current.as_deref() == Some(&id) => break,
                "networkIdle" if current.as_deref() == Some(&id) => return Ok(()),
                _ => {}
            }
        }
        let clock = self.clock.clone();
        tokio::select! {
            quiet = self.quiet(current) => quiet,
            () = clock.sleep(QUIET_MAX) => Ok(()),
        }
    }

    /// Ends when the network of the loaded document is quiet.
    async fn quiet(mut self, mut current: Option<String>) -> Result<(), Error> {
        loop {
            let event = self.next().await?;
            match self.lifecycle(&event) {
                Some((name, id)) if name == "init" || name == "commit" => current = Some(id),
                Some((name, id)) if name == "networkIdle" && current.as_ref() == Some(&id) => {
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = self.page.gone.cancelled() => Err(RecvError::Closed),
            };
            match event {
                Ok(event) => return Ok(event),
                Err(RecvError::Lagged(_)) => {}
                // Says which of page and browser it was.
                Err(RecvError::Closed) => {
                    self.page.call("Page.enable", Value::Null).await?;
                    return Err(Error::PageLost(self.page.name.clone()));
                }
            }
        }
    }

    /// A step of the main frame: its name and the loader's id.
    fn lifecycle(&self, event: &Event) -> Option<(String, String)> {
        let ours = event.method == "Page.lifecycleEvent"
            && event.params["frameId"] == self.page.target.as_str();
        let text = |name: &str| event.params[name].as_str().map(str::to_owned);
        ours.then(|| Some((text("name")?, text("loaderId")?)))?
    }

    /// A move within the document, which loads nothing.
    fn is_within(&self, event: &Event) -> bool {
        event.method == "Page.navigatedWithinDocument"
            && event.params["frameId"] == self.page.target.as_str()
    }
}
