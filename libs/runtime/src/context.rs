//! All that a service gets from outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use gearmesh_bus::Bus;
use gearmesh_catalog::Catalog;
use gearmesh_link::{Credentials, Link, Mesh};
use gearmesh_store::{Base, PgStore, Store};

use crate::clock::{Clock, Rng};
use crate::config::{Config, Connection};
use crate::connections::Connections;
use crate::error::Error;
use crate::leaf::{Issuer, Own};
use crate::ledger::LazyLedger;
use crate::peer::Matrix;
use crate::seals::Seals;
use crate::secrets::Secrets;
use crate::siblings::Siblings;
use crate::storage::Storage;

/// What a service gets from outside: settings, store, links, time, chance, and
/// the way to start tasks that drain waits for. There are no globals.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) service: &'static str,
    pub(crate) config: Arc<Config>,
    pub(crate) connections: Arc<BTreeMap<String, Connection>>,
    pub(crate) mesh: Mesh,
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) storage: watch::Receiver<Storage>,
    pub(crate) store: OnceCell<Store>,
    pub(crate) base: OnceCell<Base>,
    pub(crate) siblings: Siblings,
    /// One for all services of the process.
    pub(crate) bus: Arc<OnceCell<Bus>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Who this process is; none without TLS.
    pub(crate) own: Option<Arc<Own>>,
    pub(crate) issuer: Arc<OnceLock<Arc<dyn Issuer>>>,
    pub(crate) matrix: Arc<Matrix>,
}

impl Context {
    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// The service's section of the configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming what does not fit.
    pub fn config<T: DeserializeOwned + Default>(&self) -> Result<T, Error> {
        self.inner.config.section(self.inner.service)
    }

    /// The whole configuration.
    #[must_use]
    pub fn settings(&self) -> &Config {
        &self.inner.config
    }

    /// The state folder, `.gearmesh/` on a laptop.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.inner.config.folder()
    }

    /// The service's own store, opened at the first call.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be opened; the next call tries again.
    pub async fn store(&self) -> Result<&Store, Error> {
        self.inner
            .store
            .get_or_try_init(|| async {
                let store = Store::open(self.folder(), self.inner.service).await?;
                Ok(store)
            })
            .await
    }

    /// What the journal, the ledger and the stored workflows of this service stand on,
    /// opened at the first call: a schema of the server that the setting `store` names, or
    /// the file of [`Context::store`]. The URL may be a `vault://` reference.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be opened; the next call tries again.
    pub async fn base(&self) -> Result<&Base, Error> {
        self.inner
            .base
            .get_or_try_init(|| async {
                let Some(url) = self.settings().get("store").and_then(|v| v.as_str()) else {
                    return Ok(self.store().await?.clone().into());
                };
                let url = self
                    .secrets()
                    .resolve(url)
                    .await
                    .map_err(|e| Error::Config {
                        key: "store".to_owned(),
                        reason: e.message().to_owned(),
                    })?;
                // Once per process; its size must not weigh on every call.
                let opening = PgStore::open(url.expose(), self.inner.service);
                let store = Box::pin(opening).await?;
                Ok(store.into())
            })
            .await
    }

    /// The address by which others reach this process; none when it serves a gateway only.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.inner.siblings.endpoint.as_deref()
    }

    /// A link to another instance of this service.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn sibling(&self, url: &str) -> Result<Link, gearmesh_link::Error> {
        self.inner.siblings.link(self.inner.service, url)
    }

    /// The bus that the setting `bus` names, opened at the first call and one for the
    /// whole process; `local:` unless set. The URL may be a `vault://` reference.
    ///
    /// # Errors
    /// BUS_UNAVAILABLE when it cannot be opened; the next call tries again.
    pub async fn bus(&self) -> Result<&Bus, tonic::Status> {
        self.inner
            .bus
            .get_or_try_init(|| async {
                let url = self.settings().get("bus").and_then(|v| v.as_str());
                let url = self.secrets().resolve(url.unwrap_or("local:")).await?;
                let clock = self.clock().clone();
                let instance = format!("{:016x}", self.rng().number());
                let now = Arc::new(move || clock.now_ms());
                let options = gearmesh_bus::Options::new(self.folder(), instance, now);
                let (bus, driver) = Bus::open(url.expose(), options)
                    .await
                    .map_err(|e| gearmesh_fault::status(&e))?;
                self.serve(driver);
                Ok(bus)
            })
            .await
    }

    /// Closes the store, if it was opened: a clean stop makes the next start quick.
    pub(crate) async fn close_store(&self) {
        if let Some(store) = self.inner.store.get()
            && let Err(error) = store.close().await
        {
            tracing::warn!(service = self.inner.service, %error, "store not closed cleanly");
        }
        if let Some(Base::Postgres(store)) = self.inner.base.get() {
            store.close().await;
        }
    }

    pub(crate) fn ledger(&self) -> LazyLedger {
        LazyLedger::new(self.clone())
    }

    /// The connections that the service may use.
    #[must_use]
    pub fn connections(&self) -> Connections<'_> {
        Connections::of(self)
    }

    /// The way from references to values.
    #[must_use]
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets::of(self)
    }

    /// The way to values that the vault keeps for one run alone.
    #[must_use]
    pub fn seals(&self) -> Seals<'_> {
        Seals::of(self)
    }

    /// All that can be reached.
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        &self.inner.mesh
    }

    /// The way to an engine.
    ///
    /// # Errors
    /// ENGINE_UNAVAILABLE when none of this name is reachable.
    pub fn link(&self, engine: &str) -> Result<Link, tonic::Status> {
        self.inner.mesh.link(engine)
    }

    /// The catalogue of all reachable engines, as it is now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.mesh.catalog()
    }

    /// Ends when every service of the process has started.
    pub async fn ready(&self) {
        let mut ready = self.inner.ready.clone();
        // The sender lives as long as the process; without it nobody waits any more.
        let _ = ready.wait_for(|r| *r).await;
    }

    /// Whether the stores of the process take writes: there is space, and none has failed.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        *self.inner.storage.borrow() == Storage::Usable
    }

    /// Who this process is in a mesh with TLS, and whom it trusts; none in plain text.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.inner.own.as_ref().map(|own| &own.credentials)
    }

    /// Offers to sign the leaves of this process: the identity engine does, before
    /// its start ends. The first offer counts.
    pub fn offer_issuer(&self, issuer: Arc<dyn Issuer>) {
        // A second one would be a second identity engine in one process.
        let _ = self.inner.issuer.set(issuer);
    }

    pub(crate) fn issuer(&self) -> Option<&Arc<dyn Issuer>> {
        self.inner.issuer.get()
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Chance.
    #[must_use]
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.inner.rng
    }

    /// Cancelled when the process begins to drain.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// Starts a task that drain waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.inner.tasks.spawn(task)
    }

    /// Starts a task that serves others as long as they hold its handles, such as
    /// a committer. Drain does not wait for it: those whom it serves are waited for.
    pub fn serve<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place for tasks that drain must not wait for"
        )]
        drop(tokio::spawn(task));
    }
}
