//! A session: cookies and pages of its own, and who uses which page.

use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gearmesh_runtime::{CancellationToken, Context};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use crate::chrome::Chrome;
use crate::error::Error;
use crate::gate::Gate;
use crate::limit::Limit;
use crate::navigate;
use crate::page::{Page, text};
use crate::proxy::Proxy;

/// Pages of one session: each is a process of some 50 MB.
pub(crate) const PAGES_MAX: usize = 16;

/// Time for a page to stop what a call left it doing.
const HALT_MAX: Duration = Duration::from_secs(2);

/// Whose session it is, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) owner: String,
    pub(crate) name: String,
}

/// What a call does with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Opens a URL.
    Open,
    /// Looks at what is there.
    Read,
    /// Changes it.
    Act,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: Key,
    /// Whether it is the session of a run, which nobody else will ask for.
    pub(crate) of_run: bool,
    pub(crate) gate: Arc<Gate>,
    pub(crate) opened_ms: i64,
    chrome: Arc<Chrome>,
    context: String,
    cx: Context,
    used_ms: AtomicI64,
    uses: AtomicU64,
    pages: Mutex<Pages>,
    ended: CancellationToken,
}

/// A page with the right to use it.
type Turn = (Arc<Page>, OwnedMutexGuard<()>);

#[derive(Debug, Default)]
struct Pages {
    /// How many were ever opened.
    count: u32,
    /// How many are being opened.
    opening: usize,
    all: Vec<Arc<Page>>,
}

impl Session {
    /// Opens a session without pages.
    pub(crate) async fn open(
        cx: &Context,
        chrome: Arc<Chrome>,
        key: Key,
        of_run: bool,
        gate: Gate,
    ) -> Result<Self, Error> {
        let gate = Arc::new(gate);
        let ended = chrome.gone().child_token();
        let proxy = Proxy::start(cx, gate.clone(), ended.clone()).await?;
        let create = json!({
            "proxyServer": proxy.url(), "proxyBypassList": "<-loopback>", "disposeOnDetach": true,
        });
        let created = chrome.call("Target.createBrowserContext", create).await?;
        let context = text(&created, "browserContextId");
        let deny = json!({"behavior": "deny", "browserContextId": context});
        chrome.call("Browser.setDownloadBehavior", deny).await?;
        let now = cx.clock().now_ms();
        Ok(Self {
            key,
            of_run,
            gate,
            opened_ms: now,
            chrome,
            context,
            cx: cx.clone(),
            used_ms: AtomicI64::new(now),
            uses: AtomicU64::new(0),
            pages: Mutex::default(),
            ended,
        })
    }

    /// Whether the browser has ended under it.
    pub(crate) fn is_lost(&self) -> bool {
        self.chrome.gone().is_cancelled()
    }

    pub(crate) fn used_ms(&self) -> i64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    fn touch(&self) {
        let now = self.cx.clock().now_ms();
        self.used_ms.store(now, Ordering::Relaxed);
    }

    /// Whether a call uses one of its pages, or is about to.
    pub(crate) fn is_busy(&self) -> bool {
        let pages = self.lock();
        pages.opening > 0 || pages.all.iter().any(|p| p.turn.try_lock().is_err())
    }

    /// Its pages: the name, whether a call uses it, and where it is.
    pub(crate) fn pages(&self) -> Vec<(String, bool, String)> {
        let pages = self.lock();
        let shown = |p: &Arc<Page>| (p.name.clone(), p.turn.try_lock().is_err(), p.url());
        pages.all.iter().map(shown).collect()
    }

    /// Ends the session: its pages, its cookies and its way out.
    pub(crate) async fn close(&self) {
        self.ended.cancel();
        let pages = std::mem::take(&mut self.lock().all);
        for page in pages {
            page.gone.cancel();
        }
        let dispose = json!({"browserContextId": self.context});
        // A browser that has ended has no context any more.
        let _ = self
            .chrome
            .call("Target.disposeBrowserContext", dispose)
            .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page for a call, which nobody else uses until the lease ends.
    ///
    /// Named: that page, as soon as it is free. Else the page used last that is
    /// free; when none is, a further one: empty to open a URL, else at the URL of
    /// the page used last.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        name: &str,
        how: Use,
        limit: &Limit,
    ) -> Result<Lease, Error> {
        self.touch();
        if !name.is_empty() {
            return self.named(name).await;
        }
        let (free, source) = self.choose(how);
        if let Some((page, turn)) = free {
            return Ok(self.lend(page, turn));
        }
        // A page that a call left behind goes on; a copy would not know what it knows.
        if let Some(page) = source.as_ref().filter(|p| p.is_halting()) {
            return self.named(&page.name).await;
        }
        if how == Use::Open {
            return self.further(false).await;
        }
        let url = source
            .map(|page| page.url())
            .filter(|url| url.starts_with("http"))
            .ok_or_else(|| Error::NoSession(self.key.name.clone()))?;
        let lease = self.further(how == Use::Read).await?;
        navigate::open(&lease, &self.gate, self.cx.clock(), &url, limit).await?;
        lease.set_url(&url);
        Ok(lease)
    }

    async fn named(self: &Arc<Self>, name: &str) -> Result<Lease, Error> {
        let gone = || Error::NoPage {
            session: self.key.name.clone(),
            page: name.to_owned(),
        };
        let page = self.lock().all.iter().find(|p| p.name == name).cloned();
        let page = page.ok_or_else(gone)?;
        let turn = page.turn.clone().lock_owned().await;
        if page.gone.is_cancelled() {
            return Err(gone());
        }
        Ok(self.lend(page, turn))
    }

    /// The page used last that is free, and the page used last. A page that never
    /// opened a URL is there to open one, not to be read.
    fn choose(&self, how: Use) -> (Option<Turn>, Option<Arc<Page>>) {
        let mut pages = self.lock();
        pages.all.retain(|p| !p.gone.is_cancelled());
        let mut all: Vec<Arc<Page>> = pages.all.iter().filter(|p| !p.temporary).cloned().collect();
        all.sort_by_key(|p| std::cmp::Reverse(p.used()));
        let opened = |page: &Arc<Page>| page.url().starts_with("http");
        let some_opened = all.iter().any(opened);
        let free = all
            .iter()
            .filter(|page| how == Use::Open || !some_opened || opened(page))
            .find_map(|p| Some((p.clone(), p.turn.clone().try_lock_owned().ok()?)));
        (
            free,
            all.into_iter()
                .find(|page| opened(page) || page.is_halting()),
        )
    }

    /// Opens a further page.
    async fn further(self: &Arc<Self>, temporary: bool) -> Result<Lease, Error> {
        let opening = Opening::new(self)?;
        let name = opening.name.clone();
        let page = Page::open(&self.chrome, &self.context, &self.key.name, name, temporary).await?;
        let page = Arc::new(page);
        self.cx.serve(page.clone().answer_dialogs());
        let turn = page.turn.clone().lock_owned().await;
        self.lock().all.push(page.clone());
        Ok(self.lend(page, turn))
    }

    fn lend(self: &Arc<Self>, page: Arc<Page>, turn: OwnedMutexGuard<()>) -> Lease {
        self.chrome.busy.fetch_add(1, Ordering::SeqCst);
        page.set_used(self.uses.fetch_add(1, Ordering::Relaxed) + 1);
        Lease {
            session: self.clone(),
            page,
            turn: Some(turn),
        }
    }

    fn forget(&self, page: &Arc<Page>) {
        page.close();
        self.lock().all.retain(|p| !Arc::ptr_eq(p, page));
    }
}

/// The place of a page that is being opened.
struct Opening<'a> {
    session: &'a Session,
    name: String,
}

impl<'a> Opening<'a> {
    fn new(session: &'a Session) -> Result<Self, Error> {
        let mut pages = session.lock();
        if pages.all.len() + pages.opening >= PAGES_MAX {
            return Err(Error::ContextLimit(format!(
                "session `{}` has {PAGES_MAX} pages in use, which is the most",
                session.key.name
            )));
        }
        pages.opening += 1;
        pages.count += 1;
        let name = format!("p{}", pages.count);
        Ok(Self { session, name })
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.session.lock().opening -= 1;
    }
}

/// The use of a page by one call. Dropped before its end, as by a caller that
/// left, it stops the page, and closes one that does not stop.
#[derive(Debug)]
pub(crate) struct Lease {
    session: Arc<Session>,
    page: Arc<Page>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Deref for Lease {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

impl Lease {
    /// The page, beyond the use.
    pub(crate) fn page(&self) -> Arc<Page> {
        self.page.clone()
    }

    /// Ends the use; the page is free after it. A call that ran out of time
    /// leaves the page as one that was cancelled does.
    pub(crate) async fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let timed_out = |e: &Error| match e {
            Error::Begun(cause) => matches!(**cause, Error::Timeout { .. }),
            e => matches!(e, Error::Timeout { .. }),
        };
        if result.as_ref().err().is_some_and(timed_out) {
            return result;
        }
        if self.page.temporary || self.page.gone.is_cancelled() {
            self.session.forget(&self.page);
        } else {
            // A page that is lost now is told to the next call.
            let _ = self.page.note_url().await;
        }
        self.session.touch();
        self.turn = None;
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (session, page) = (self.session.clone(), self.page.clone());
        if let Some(turn) = self.turn.take() {
            let cx = session.cx.clone();
            page.set_halting(true);
            cx.serve(async move {
                let clock = session.cx.clock().clone();
                let halted = !page.temporary
                    && tokio::select! {
                        halted = page.halt() => halted.is_ok(),
                        () = clock.sleep(HALT_MAX) => false,
                    };
                if !halted {
                    session.forget(&page);
                }
                page.set_halting(false);
                drop(turn);
            });
        }
        self.session.chrome.busy.fetch_sub(1, Ordering::SeqCst);
    }
}
