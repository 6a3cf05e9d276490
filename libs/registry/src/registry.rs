//! The registry, of whichever kind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::consul::{Client, Options};
use crate::dns::Pattern;
use crate::local::Table;
use crate::register::Registration;
use crate::task::Task;
use crate::watch::watch_consul;
use crate::{Error, Instance, dns};

/// What a registry's URL does not hold.
#[derive(Clone, Default)]
pub struct Settings {
    /// ACL token of the Consul agent.
    pub token: Option<String>,
    /// Engines that may exist, for kinds that cannot list them.
    pub engines: Vec<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("token", &self.token.is_some())
            .field("engines", &self.engines)
            .finish()
    }
}

/// Who serves what. A clone is the same registry.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: Kind,
    engines: Vec<String>,
    watched: Mutex<BTreeMap<String, Watched>>,
}

#[derive(Debug)]
enum Kind {
    /// `local:`.
    Local(Arc<Table>),
    /// `static:`.
    Static(Table),
    /// `consul:`.
    Consul(Client),
    /// `dns:`.
    Dns(Pattern),
}

/// A set that a task keeps up to date.
#[derive(Debug)]
struct Watched {
    set: watch::Receiver<Vec<Instance>>,
    _task: Task,
}

impl Registry {
    /// A registry by its URL. Nothing is asked yet, so that it may come up later
    /// than those who need it.
    ///
    /// # Errors
    /// [`Error::Setting`] when the text is no registry.
    pub fn open(url: &str, settings: Settings) -> Result<Self, Error> {
        let expected = "give `local:`, `static:NAME=URL,..`, `consul:http://127.0.0.1:8500` or `dns:{engine}.svc.example:8443`";
        let kind = match url.split_once(':') {
            Some(("local", "")) => Kind::Local(Arc::default()),
            Some(("static", list)) => Kind::Static(Table::parse(list)?),
            Some(("consul", agent)) => {
                Kind::Consul(Client::new(Options::parse(agent)?, settings.token)?)
            }
            Some(("dns", pattern)) => Kind::Dns(Pattern::parse(pattern)?),
            _ => return Err(Error::setting(url, expected)),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                kind,
                engines: settings.engines,
                watched: Mutex::default(),
            }),
        })
    }

    /// The instances of an engine, now and from now on. Empty until the first answer.
    #[must_use]
    pub fn watch(&self, engine: &str) -> watch::Receiver<Vec<Instance>> {
        match &self.inner.kind {
            Kind::Local(table) => table.watch(engine),
            Kind::Static(table) => table.watch(engine),
            Kind::Consul(client) => self.watched(engine, |set| {
                Task::start(watch_consul(client.clone(), engine.to_owned(), set))
            }),
            Kind::Dns(pattern) => self.watched(engine, |set| {
                Task::start(dns::watch(pattern.clone(), engine.to_owned(), set))
            }),
        }
    }

    /// One task per engine, however many watch.
    fn watched(
        &self,
        engine: &str,
        start: impl FnOnce(watch::Sender<Vec<Instance>>) -> Task,
    ) -> watch::Receiver<Vec<Instance>> {
        let watched = self.inner.watched.lock();
        let mut watched = watched.unwrap_or_else(PoisonError::into_inner);
        let entry = watched.entry(engine.to_owned()).or_insert_with(|| {
            let (sender, set) = watch::channel(Vec::new());
            Watched {
                set,
                _task: start(sender),
            }
        });
        entry.set.clone()
    }

    /// The engines that may have instances: those it lists, or those that the
    /// settings name where it cannot list them.
    #[must_use]
    pub fn engines(&self) -> Vec<String> {
        match &self.inner.kind {
            Kind::Local(table) => table.engines(),
            Kind::Static(table) => table.engines(),
            Kind::Consul(_) | Kind::Dns(_) => self.inner.engines.clone(),
        }
    }

    /// Says that this instance serves. The registry is told in the background, again
    /// and again until it knows, and again whenever it has forgotten.
    ///
    /// `static:` and `dns:` are kept by others: there this does nothing.
    #[must_use]
    pub fn register(&self, instance: Instance) -> Registration {
        match &self.inner.kind {
            Kind::Local(table) => Registration::local(table.clone(), instance),
            Kind::Consul(client) => Registration::consul(client.clone(), instance),
            Kind::Static(_) | Kind::Dns(_) => Registration::nothing(),
        }
    }

    /// Whether [`Registry::register`] is heard by anybody else: then others need a
    /// moment until they have heard of a deregistration.
    #[must_use]
    pub fn spreads(&self) -> bool {
        matches!(self.inner.kind, Kind::Consul(_))
    }
}
