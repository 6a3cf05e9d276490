//! What can be reached from here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tonic::Status;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Catalog, Engines, Source};
use gearmesh_fault::Refusal;

use crate::{Call, Error, Link, Peer, Pool};

/// Where an engine's descriptors come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Built into this process.
    Own(&'static [u8]),
    /// One of ours, in another process.
    Ours(Arc<[u8]>),
    /// Anybody's server, joined by configuration under the engine's name.
    Foreign(Arc<[u8]>),
}

impl Origin {
    /// The raw descriptors.
    #[must_use]
    pub fn descriptors(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Ours(bytes) | Self::Foreign(bytes) => bytes,
        }
    }
}

/// An engine that can be reached.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its id.
    pub name: String,
    /// The way to it.
    pub link: Link,
    /// Where its descriptors come from.
    pub origin: Origin,
}

/// All engines that can be reached from this process, and their catalogue.
///
/// Readers take a snapshot; a join builds a new catalogue and swaps it whole.
#[derive(Debug, Clone)]
pub struct Mesh {
    inner: Arc<Inner>,
    /// Who calls over the links that are taken from it.
    caller: Option<Peer>,
}

#[derive(Debug)]
struct Inner {
    view: ArcSwap<View>,
    /// Engines that have several instances, by name.
    pools: ArcSwap<BTreeMap<String, Pool>>,
    /// Held while a new view is built, so that two joins do not lose one.
    joining: Mutex<()>,
}

#[derive(Debug)]
struct View {
    engines: BTreeMap<String, Engine>,
    catalog: Arc<Catalog>,
    generation: u64,
}

impl Mesh {
    /// A mesh of these engines.
    ///
    /// # Errors
    /// [`Error::Catalog`] when their descriptors contradict each other.
    pub fn new(engines: Vec<Engine>) -> Result<Self, Error> {
        let engines: BTreeMap<_, _> = engines.into_iter().map(|e| (e.name.clone(), e)).collect();
        let view = View::build(engines, 1)?;
        Ok(Self {
            inner: Arc::new(Inner {
                view: ArcSwap::from_pointee(view),
                pools: ArcSwap::default(),
                joining: Mutex::new(()),
            }),
            caller: None,
        })
    }

    /// The same mesh, as this peer sees it: calls over its links say who makes them.
    #[must_use]
    pub fn seen_by(&self, caller: Peer) -> Self {
        Self {
            inner: self.inner.clone(),
            caller: Some(caller),
        }
    }

    fn link_of(&self, engine: &Engine) -> Link {
        match &self.caller {
            Some(caller) => caller.on(engine.link.clone()),
            None => engine.link.clone(),
        }
    }

    /// Adds an engine, or replaces the one of that name.
    ///
    /// # Errors
    /// [`Error::Catalog`] when it contradicts those that are there; they stay as they were.
    pub fn join(&self, engine: Engine) -> Result<(), Error> {
        self.join_all(vec![engine])
    }

    /// Adds engines at once: one new catalogue for all of them.
    ///
    /// # Errors
    /// As [`Mesh::join`].
    pub fn join_all(&self, joining: Vec<Engine>) -> Result<(), Error> {
        let _guard = self
            .inner
            .joining
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.inner.view.load();
        let mut engines = now.engines.clone();
        engines.extend(joining.into_iter().map(|e| (e.name.clone(), e)));
        let next = View::build(engines, now.generation + 1)?;
        self.inner.view.store(Arc::new(next));
        Ok(())
    }

    /// Adds an engine that is reached by a pool, which learns from its descriptors. The
    /// link leads to the pool.
    ///
    /// # Errors
    /// As [`Mesh::join`].
    pub fn join_pool(&self, pool: &Pool, link: Link, origin: Origin) -> Result<(), Error> {
        let name = pool.engine().to_owned();
        let engine = Engine { name, link, origin };
        let name = engine.name.clone();
        self.join(engine)?;
        pool.learn(&self.catalog());
        self.inner.pools.rcu(|pools| {
            let mut pools = BTreeMap::clone(pools);
            pools.insert(name.clone(), pool.clone());
            pools
        });
        Ok(())
    }

    /// The instance of an engine to which this call would go now, for a caller that
    /// must know it before it sends: it names it in [`Call::instance`], and finds the
    /// same one again later. None when there is nothing to choose: an engine of this
    /// process, one that was joined by its address, or none at all.
    #[must_use]
    pub fn pick(&self, engine: &str, call: &Call) -> Option<String> {
        self.inner.pools.load().get(engine)?.pick(call)
    }

    /// The catalogue of all engines, as it is now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.view.load().catalog.clone()
    }

    /// Rises with each join; whoever derives something from the catalogue compares it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.view.load().generation
    }

    /// The engines, by name.
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        let view = self.inner.view.load();
        let seen = view.engines.values().map(|engine| Engine {
            link: self.link_of(engine),
            ..engine.clone()
        });
        seen.collect()
    }

    /// The way to an engine.
    ///
    /// # Errors
    /// ENGINE_UNAVAILABLE when no engine of this name is reachable.
    pub fn link(&self, engine: &str) -> Result<Link, Status> {
        match self.inner.view.load().engines.get(engine) {
            Some(engine) => Ok(self.link_of(engine)),
            None => Err(Refusal::new(
                CommonFault::EngineUnavailable,
                format!("no engine `{engine}` is reachable from here"),
            )
            .with("engine", engine)
            .into()),
        }
    }
}

impl View {
    fn build(engines: BTreeMap<String, Engine>, generation: u64) -> Result<Self, Error> {
        let names: Vec<[&str; 1]> = engines.keys().map(|n| [n.as_str()]).collect();
        let sources: Vec<Source<'_>> = engines
            .values()
            .zip(&names)
            .map(|(engine, name)| Source {
                descriptors: engine.origin.descriptors(),
                engines: match engine.origin {
                    Origin::Foreign(_) => Engines::Foreign(&engine.name),
                    Origin::Own(_) | Origin::Ours(_) => Engines::Only(name),
                },
            })
            .collect();
        let catalog = Arc::new(Catalog::build(&sources)?);
        Ok(Self {
            engines,
            catalog,
            generation,
        })
    }
}
