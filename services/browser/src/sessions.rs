//! All sessions of an instance, and the one browser below them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::{Call, Context};
use tokio::sync::Mutex;

use crate::chrome::Chrome;
use crate::config::Config;
use crate::error::Error;
use crate::gate::{Gate, Opened};
use crate::session::{Key, Session};

/// Sessions of an instance: with a page each, 2 GB.
pub(crate) const SESSIONS_MAX: usize = 32;

/// A run's session that was not used for so long gives way to a new one when
/// there are too many: most runs have ended by then, and none says so.
const IDLE_RUN_MS: i64 = 10_000;

/// The name of a session that nobody named.
const DEFAULT: &str = "default";

/// Bounds of the wait between two looks for sessions that nobody uses.
const SWEEP_MIN: Duration = Duration::from_millis(250);
const SWEEP_MAX: Duration = Duration::from_secs(60);

/// All sessions of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cx: Context,
    config: Config,
    allowed: Vec<Opened>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chrome: Option<Arc<Chrome>>,
    all: HashMap<Key, Arc<Session>>,
}

/// The session that a call means, and whether it is its run's.
pub(crate) fn key_of(call: &Call, session: &str) -> (Key, bool) {
    let owner = call.principal.clone().unwrap_or_default();
    let (name, of_run) = match (session, &call.run) {
        ("", Some(run)) => (run.clone(), true),
        ("", None) => (DEFAULT.to_owned(), false),
        (name, run) => (name.to_owned(), run.as_deref() == Some(name)),
    };
    (Key { owner, name }, of_run)
}

impl Sessions {
    pub(crate) fn new(cx: Context, config: Config) -> Result<Self, Error> {
        let allowed: Result<Vec<_>, _> = config.allow.iter().map(|a| Opened::parse(a)).collect();
        let sessions = Self {
            inner: Arc::new(Inner {
                cx: cx.clone(),
                allowed: allowed?,
                config,
                state: Mutex::default(),
            }),
        };
        let sweeper = sessions.clone();
        let shutdown = cx.shutdown().clone();
        cx.spawn(async move {
            tokio::select! {
                () = sweeper.sweep_for_ever() => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(sessions)
    }

    /// The session of a call, opened when it is not there. The opening goes on when its
    /// caller leaves: a browser that is half started would be nobody's to end.
    pub(crate) async fn open(&self, call: &Call, session: &str) -> Result<Arc<Session>, Error> {
        let (key, of_run) = key_of(call, session);
        if let Some(found) = self.inner.state.lock().await.found(&key)? {
            return Ok(found);
        }
        let sessions = self.clone();
        let opening = (self.inner.cx).spawn(async move { sessions.make(key, of_run).await });
        opening
            .await
            .unwrap_or_else(|e| Err(Error::Unavailable(format!("its start broke off: {e}"))))
    }

    async fn make(&self, key: Key, of_run: bool) -> Result<Arc<Session>, Error> {
        let inner = &*self.inner;
        let mut state = inner.state.lock().await;
        if let Some(found) = state.found(&key)? {
            return Ok(found);
        }
        if state.all.len() >= SESSIONS_MAX {
            let idle = state.give_way(inner.cx.clock().now_ms());
            match idle {
                Some(session) => session.close().await,
                None => {
                    let text = format!("{SESSIONS_MAX} sessions are open here, which is the most");
                    return Err(Error::ContextLimit(text));
                }
            }
        }
        let chrome = match &state.chrome {
            Some(chrome) if !chrome.gone().is_cancelled() => chrome.clone(),
            _ => {
                let chrome = Chrome::launch(&inner.cx, &inner.config).await?;
                state.chrome = Some(chrome.clone());
                chrome
            }
        };
        let gate = Gate::new(&inner.config.ports, inner.allowed.clone());
        let opened = Session::open(&inner.cx, chrome, key.clone(), of_run, gate).await?;
        let opened = Arc::new(opened);
        state.all.insert(key, opened.clone());
        Ok(opened)
    }

    /// The session of a call, which must be there.
    pub(crate) async fn get(&self, call: &Call, session: &str) -> Result<Arc<Session>, Error> {
        let (key, _) = key_of(call, session);
        let mut state = self.inner.state.lock().await;
        let found = state.found(&key)?;
        found.ok_or(Error::NoSession(key.name))
    }

    /// Forgets a session that was lost, once its caller knows.
    pub(crate) async fn told(&self, session: &Arc<Session>) {
        let mut state = self.inner.state.lock().await;
        let same = |found: &Arc<Session>| Arc::ptr_eq(found, session);
        if session.is_lost() && state.all.get(&session.key).is_some_and(same) {
            state.all.remove(&session.key);
        }
    }

    /// Closes the session of a call; gives it when it was there.
    pub(crate) async fn close(&self, call: &Call, session: &str) -> (String, Option<Arc<Session>>) {
        let (key, _) = key_of(call, session);
        let found = self.inner.state.lock().await.all.remove(&key);
        let found = found.filter(|s| !s.is_lost());
        (key.name, found)
    }

    /// The sessions of a caller, by name.
    pub(crate) async fn list(&self, call: &Call) -> Vec<Arc<Session>> {
        let owner = call.principal.clone().unwrap_or_default();
        let state = self.inner.state.lock().await;
        let mut all: Vec<_> = state
            .all
            .values()
            .filter(|s| s.key.owner == owner && !s.is_lost())
            .cloned()
            .collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    async fn sweep_for_ever(&self) {
        let idle = Duration::from_secs(self.inner.config.idle_seconds);
        let wait = (idle / 4).clamp(SWEEP_MIN, SWEEP_MAX);
        loop {
            self.inner.cx.clock().sleep(wait).await;
            self.sweep(idle).await;
        }
    }

    /// Closes sessions that nobody used for `idle`, and a browser without sessions.
    async fn sweep(&self, idle: Duration) {
        let now = self.inner.cx.clock().now_ms();
        let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        let mut state = self.inner.state.lock().await;
        let old: Vec<Key> = state
            .all
            .values()
            .filter(|s| now.saturating_sub(s.used_ms()) >= idle && !s.is_busy())
            .map(|s| s.key.clone())
            .collect();
        for key in old {
            if let Some(session) = state.all.remove(&key) {
                tracing::info!(session = %key.name, "idle session of the browser closed");
                session.close().await;
            }
        }
        if state.all.is_empty()
            && let Some(chrome) = state.chrome.take()
        {
            chrome.stop().await;
        }
    }
}

impl State {
    /// The session, when it lives. A lost one is told once, and then forgotten.
    fn found(&mut self, key: &Key) -> Result<Option<Arc<Session>>, Error> {
        match self.all.get(key) {
            Some(session) if session.is_lost() => {
                self.all.remove(key);
                Err(Error::Lost(key.name.clone()))
            }
            found => Ok(found.cloned()),
        }
    }

    /// Takes out the run's session that was not used for longest.
    fn give_way(&mut self, now: i64) -> Option<Arc<Session>> {
        self.all.retain(|_, s| !s.is_lost());
        let oldest = self
            .all
            .values()
            .filter(|s| s.of_run && now.saturating_sub(s.used_ms()) >= IDLE_RUN_MS && !s.is_busy())
            .min_by_key(|s| s.used_ms())?;
        let key = oldest.key.clone();
        self.all.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_named_else_the_runs_else_the_callers() {
        let name = |principal: Option<&str>, run: Option<&str>, session: &str| {
            let call = Call {
                principal: principal.map(str::to_owned),
                run: run.map(str::to_owned),
                ..Call::default()
            };
            let (key, of_run) = key_of(&call, session);
            (key.owner, key.name, of_run)
        };
        let is = |o: &str, n: &str, r| (o.to_owned(), n.to_owned(), r);
        assert_eq!(name(None, None, ""), is("", "default", false));
        assert_eq!(name(Some("ada"), None, ""), is("ada", "default", false));
        assert_eq!(
            name(Some("ada"), Some("run_1"), ""),
            is("ada", "run_1", true)
        );
        assert_eq!(name(Some("ada"), Some("run_1"), "x"), is("ada", "x", false));
        assert_eq!(name(None, None, "run_1"), is("", "run_1", false));
    }
}
