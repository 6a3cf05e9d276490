//! Sessions that are kept for the next mail.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gearmesh_runtime::Context;

use crate::error::Error;
use crate::server::Server;
use crate::smtp::Session;

/// Sessions kept for one connection; many servers allow a login ten.
const IDLE_MAX: usize = 4;

/// Connections for which sessions are kept.
const CONNECTIONS_MAX: usize = 64;

/// How long a session is kept: below the five minutes after which servers end it,
/// and long enough for a run that sends several.
const IDLE_TIME_US: u64 = 30_000_000;

/// A connection's name and version: a connection that was saved anew is another.
pub(crate) type Key = (String, u64);

/// SMTP sessions of this process.
pub(crate) struct Pool {
    context: Context,
    idle: Mutex<HashMap<Key, Vec<Idle>>>,
}

struct Idle {
    session: Session,
    since_us: u64,
}

impl Pool {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            idle: Mutex::default(),
        }
    }

    /// A session that answers: a kept one, else a new one.
    pub(crate) async fn take(&self, key: &Key, server: &Server) -> Result<Session, Error> {
        while let Some(mut session) = self.kept(key) {
            if session.lives().await {
                return Ok(session);
            }
        }
        let login = server.login(&self.context).await?;
        Session::open(server, login.as_ref()).await
    }

    /// Keeps a session that has served.
    pub(crate) fn give(&self, key: &Key, session: Session) {
        let since_us = self.context.clock().monotonic_us();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= CONNECTIONS_MAX && !idle.contains_key(key) {
            return;
        }
        let kept = idle.entry(key.clone()).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(Idle { session, since_us });
        }
    }

    /// Ends what is kept for a name.
    pub(crate) fn forget(&self, name: &str) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(n, _), _| n != name);
    }

    fn kept(&self, key: &Key) -> Option<Session> {
        let now = self.context.clock().monotonic_us();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(name, version), kept| {
            kept.retain(|i| now.saturating_sub(i.since_us) < IDLE_TIME_US);
            // An older version of this connection has another login.
            !kept.is_empty() && (*name != key.0 || *version == key.1)
        });
        idle.get_mut(key)?.pop().map(|i| i.session)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}
