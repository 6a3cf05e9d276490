//! A link over all instances of an engine.
//!
//! A [`Pool`] watches the registry's set and sends each call to one of it:
//!
//! - to the instance that the call names (`gearmesh-instance`), and to no other;
//! - outside of a run, a call with a key that may not be repeated goes to the key's own
//!   instance: it alone can know what an earlier send of it did;
//! - else, if the engine keeps a run at one instance, to the one whose turn it is;
//! - else to the less busy one of two.
//!
//! An instance whose connection fails is left alone by its [breaker](crate::breaker).
//! A call that surely was not sent goes to another at once, [`TRIES_MAX`] in all. One that may
//! have been sent goes again only if the catalogue says that this is harmless (it
//! reads, or is IDEMPOTENT), while it can still be repeated ([`KEPT_MAX`] bytes),
//! within the [budget](crate::retry) and its deadline; AT_MOST_ONCE never.
//!
//! Without an instance a call fails at once: waiting would turn a missing engine into
//! a slow one, and who retries knows better how long. If all breakers are open, one
//! instance is tried all the same: the answer is then a true one.
//!
//! [`KEPT_MAX`]: crate::retry_body::KEPT_MAX
//! [`TRIES_MAX`]: crate::pool_call::TRIES_MAX

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use gearmesh_catalog::{Affinity, Catalog, Effect, Keyed};
use gearmesh_registry::Instance;

use crate::balance::{less_busy, whose_turn};
use crate::pool_member::{Lease, Member, now};
use crate::retry::Budget;
use crate::{Call, Error, Link};

/// How a pool comes from an instance to a link: plain, or by TLS.
pub type Connect = Arc<dyn Fn(&Instance) -> Result<Link, Error> + Send + Sync>;

/// A link over all instances of an engine. A clone is the same pool.
#[derive(Clone)]
pub struct Pool {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: String,
    connect: Connect,
    set: Mutex<watch::Receiver<Vec<Instance>>>,
    members: ArcSwap<Vec<Arc<Member>>>,
    known: ArcSwap<Known>,
    pub(crate) budget: Budget,
}

/// What the catalogue says of the engine.
#[derive(Debug, Default)]
pub(crate) struct Known {
    affinity: Affinity,
    methods: HashMap<String, Method>,
}

/// What the catalogue says of one method.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Method {
    /// A second send of it is harmless.
    pub(crate) repeatable: bool,
    /// Its answer is one message.
    pub(crate) unary: bool,
}

/// Extension of a request whose parameters make a second send harmless, though not
/// every call of its method may be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeatable;

/// Where a call may go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    /// To this instance alone.
    pub(crate) instance: Option<&'a str>,
    /// With all calls of this run, if the engine keeps them together.
    pub(crate) run: Option<&'a str>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("engine", &self.inner.engine)
            .field("members", &self.members().len())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool over a set that changes. Connections are made at the first call.
    #[must_use]
    pub fn new(engine: &str, set: watch::Receiver<Vec<Instance>>, connect: Connect) -> Self {
        let mut set = set;
        // The first look finds all of them new.
        set.mark_changed();
        Self {
            inner: Arc::new(Inner {
                engine: engine.to_owned(),
                connect,
                set: Mutex::new(set),
                members: ArcSwap::default(),
                known: ArcSwap::default(),
                budget: Budget::default(),
            }),
        }
    }

    /// The engine's id.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.inner.engine
    }

    /// As a link.
    #[must_use]
    pub fn link(&self) -> Link {
        Link::new(self.clone())
    }

    /// Takes from the catalogue which calls may be repeated, and which keep together.
    /// Before, none may and none do.
    pub fn learn(&self, catalog: &Catalog) {
        let engine = &self.inner.engine;
        let affinity = catalog
            .engines()
            .iter()
            .find(|e| e.id == *engine)
            .map(|e| e.affinity.clone())
            .unwrap_or_default();
        let methods = catalog
            .tools()
            .iter()
            .filter(|tool| tool.engine == *engine)
            .map(|tool| {
                let harmless = tool.effect == Effect::Read || tool.keyed == Keyed::Idempotent;
                let method = Method {
                    repeatable: harmless && !tool.client_streaming && !tool.foreign,
                    unary: !tool.streaming && !tool.client_streaming,
                };
                (tool.path.clone(), method)
            })
            .collect();
        self.inner
            .known
            .store(Arc::new(Known { affinity, methods }));
    }

    /// The instance to which this call would go now: the one that it names, if it is
    /// there, else the one that would be chosen.
    #[must_use]
    pub fn pick(&self, call: &Call) -> Option<String> {
        let wish = Wish {
            instance: call.instance.as_deref(),
            run: call.run.as_deref(),
        };
        let members = self.members();
        let chosen = match wish.instance {
            Some(id) => members.iter().find(|m| m.instance.id == id),
            None => {
                let open: Vec<_> = admitted(&members, &[], now()).collect();
                let candidates = if open.is_empty() {
                    members.iter().collect()
                } else {
                    open
                };
                self.choose(&candidates, wish)
            }
        };
        chosen.map(|m| m.instance.id.clone())
    }

    pub(crate) fn method(&self, path: &str) -> Method {
        let known = self.inner.known.load();
        known.methods.get(path).copied().unwrap_or_default()
    }

    /// A place for the call at an instance that was not tried yet.
    pub(crate) fn enter(&self, wish: Wish<'_>, tried: &[Arc<Member>]) -> Option<Lease> {
        let now = now();
        let members = self.members();
        if let Some(id) = wish.instance {
            let member = members.iter().find(|m| m.instance.id == id)?;
            return Some(member.force(now));
        }
        let mut candidates: Vec<_> = admitted(&members, tried, now).collect();
        while let Some(member) = self.choose(&candidates, wish) {
            match member.enter(now) {
                Some(lease) => return Some(lease),
                // Another call has just taken the probe's place.
                None => {
                    let taken = Arc::clone(member);
                    candidates.retain(|m| !Arc::ptr_eq(m, &taken));
                }
            }
        }
        if tried.is_empty() {
            let all: Vec<_> = members.iter().collect();
            return self.choose(&all, wish).map(|m| m.force(now));
        }
        None
    }

    /// The instance that keeps a caller's key; none when there is nothing to choose.
    /// One that does not answer keeps its keys until it leaves the set.
    pub(crate) fn keeper(&self, key: &str) -> Option<String> {
        let members = self.members();
        let keeper = whose_turn(&members, key, |m| &m.instance.id)?;
        (members.len() > 1).then(|| keeper.instance.id.clone())
    }

    fn choose<'a>(
        &self,
        candidates: &[&'a Arc<Member>],
        wish: Wish<'_>,
    ) -> Option<&'a Arc<Member>> {
        // KEY needs the request itself decoded, which no engine asks for yet: as NONE.
        let key = match self.inner.known.load().affinity {
            Affinity::Run => wish.run,
            Affinity::None | Affinity::Key(_) => None,
        };
        match key {
            Some(key) => whose_turn(candidates, key, |m| &m.instance.id),
            None => less_busy(candidates, |m| m.busy(), |n| fastrand::usize(..n)),
        }
        .copied()
    }

    /// The instances as the registry has them now.
    pub(crate) fn members(&self) -> Arc<Vec<Arc<Member>>> {
        {
            let mut set = self
                .inner
                .set
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // A registry that has ended changes no more; the last set stays.
            if set.has_changed().unwrap_or(false) {
                let instances = set.borrow_and_update().clone();
                self.replace(&instances);
            }
        }
        self.inner.members.load_full()
    }

    fn replace(&self, instances: &[Instance]) {
        let now = self.inner.members.load();
        let members = instances.iter().filter_map(|instance| {
            let same = |m: &&Arc<Member>| m.instance.id == instance.id && m.instance.url == instance.url;
            if let Some(member) = now.iter().find(same) {
                return Some(member.clone());
            }
            match (self.inner.connect)(instance) {
                Ok(link) => Some(Arc::new(Member::new(instance.clone(), link))),
                Err(error) => {
                    tracing::error!(engine = self.inner.engine, id = instance.id, %error, "instance left out");
                    None
                }
            }
        });
        let members = members.collect();
        self.inner.members.store(Arc::new(members));
    }
}

fn admitted<'a>(
    members: &'a [Arc<Member>],
    tried: &'a [Arc<Member>],
    now: Instant,
) -> impl Iterator<Item = &'a Arc<Member>> {
    members
        .iter()
        .filter(move |m| m.breaker.admits(now) && tried.iter().all(|t| !Arc::ptr_eq(t, m)))
}
