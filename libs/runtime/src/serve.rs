//! From a list of services to a serving process, and back.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::ServiceExt;
use tower::util::MapRequestLayer;

use gearmesh_link::{Engine, Link, Mesh, Origin, Peer};
use gearmesh_store::Counts;

use crate::clock::{Clock, Rng, SystemClock, SystemRng};
use crate::config::{Config, Process};
use crate::context::{Context, Inner};
use crate::dispatch::Dispatch;
use crate::error::Error;
use crate::guard::Guard;
use crate::join;
use crate::leaf::{self, Issuer, Own};
use crate::peer::Matrix;
use crate::reflection::Reflection;
use crate::register::{self, Registered};
use crate::service::{GATEWAY, Service};
use crate::siblings::Siblings;
use crate::storage::{self, Storage};
use crate::telemetry;
use crate::tls::{self, Door, accept, with_peer};
use crate::trace::traced;

/// Streams per connection: a browser or an orchestrator uses tens, a flood thousands.
const STREAMS_MAX: u32 = 200;

/// Headers of one request, in bytes: tokens and trace context fit many times.
const HEADERS_MAX: u32 = 16 * 1024;

/// Streams that a peer may open and reset before the connection is closed.
const PENDING_RESETS_MAX: usize = 20;

/// A silent connection is probed after this, and closed when the probe stays unanswered.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long calls that are under way may take when their connection has reached its age.
const CONNECTION_GRACE: Duration = Duration::from_secs(30);

/// How long drain waits for calls that are under way.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A serving process.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    secured: bool,
    mesh: Mesh,
    shutdown: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
    storage: watch::Receiver<Storage>,
    endpoint: Option<std::path::PathBuf>,
    contexts: Vec<Context>,
    registered: Registered,
}

/// What all services of a process share.
struct Shared {
    config: Arc<Config>,
    connections: Arc<std::collections::BTreeMap<String, crate::Connection>>,
    mesh: Mesh,
    ready: watch::Receiver<bool>,
    storage: watch::Receiver<Storage>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    contexts: Mutex<Vec<Context>>,
    bus: Arc<OnceCell<gearmesh_bus::Bus>>,
    siblings: Siblings,
    own: Option<Arc<Own>>,
    issuer: Arc<OnceLock<Arc<dyn Issuer>>>,
    matrix: Arc<Matrix>,
}

impl Shared {
    fn context(&self, service: &'static str) -> Context {
        let context = Context {
            inner: Arc::new(Inner {
                service,
                config: self.config.clone(),
                connections: self.connections.clone(),
                mesh: self.mesh.seen_by(Peer::local(service)),
                ready: self.ready.clone(),
                storage: self.storage.clone(),
                store: OnceCell::new(),
                base: OnceCell::new(),
                siblings: self.siblings.clone(),
                bus: self.bus.clone(),
                clock: self.clock.clone(),
                rng: self.rng.clone(),
                shutdown: self.shutdown.clone(),
                tasks: self.tasks.clone(),
                own: self.own.clone(),
                issuer: self.issuer.clone(),
                matrix: self.matrix.clone(),
            }),
        };
        let mut contexts = self
            .contexts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        contexts.push(context.clone());
        context
    }
}

/// Starts services with these settings: binds, starts each, serves.
///
/// With the gateway among them only its routes are served; the engines are
/// reached by their links alone.
///
/// # Errors
/// [`Error`] names the key, the address or the service at fault; nothing stays
/// bound then.
pub async fn start(services: &[Service], config: Config) -> Result<Running, Error> {
    start_at(services, config, Arc::new(SystemClock::default())).await
}

/// As [`start`], by a clock of the caller's: what depends on time can be driven.
///
/// # Errors
/// As [`start`].
pub async fn start_at(
    services: &[Service],
    config: Config,
    clock: Arc<dyn Clock>,
) -> Result<Running, Error> {
    crate::process::arm_sites()?;
    let process = config.process()?;
    let registry = join::registry(&process, &config)?;
    let own = own(&process, services, config.folder())?;
    let listener = bind(&process, services).await?;
    let (set_ready, ready) = watch::channel(false);
    let (set_storage, storage) = watch::channel(Storage::Usable);
    let (scheme, connect) = match &own {
        Some(own) => ("https", tls::secured(own.credentials.clone())),
        None => ("http", join::plain()),
    };
    let shared = Shared {
        siblings: Siblings {
            endpoint: register::endpoint(&process, services, scheme, &listener),
            connect: connect.clone(),
        },
        connections: Arc::new(config.connections()?),
        config: Arc::new(config),
        mesh: Mesh::new(Vec::new())?,
        ready,
        storage,
        clock,
        rng: Arc::new(SystemRng),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
        contexts: Mutex::default(),
        bus: Arc::default(),
        matrix: Arc::new(Matrix::new(own.is_some())?),
        issuer: Arc::default(),
        own,
    };
    let routes = start_services(services, &shared, set_storage).await?;
    let runtime_context = shared.context("runtime");
    if let Some(own) = &shared.own {
        leaf::keep_all(own, services, &runtime_context).await;
    }
    for engine in registry.engines() {
        // One registry setting may serve all processes: what is here is reached here.
        if services.iter().all(|s| s.name != engine) {
            let set = registry.watch(&engine);
            let joining = join::join_ours(runtime_context.clone(), engine, set, connect.clone());
            shared.tasks.spawn(joining);
        }
    }
    for (name, joined) in &process.engines {
        let (name, url) = (name.clone(), joined.url.clone());
        let joining = join::join_foreign(runtime_context.clone(), name, url);
        shared.tasks.spawn(joining);
    }
    let door = Door::of(shared.own.as_deref(), services, &shared.mesh);
    let mut running = serve(listener, door, routes, &shared, &process)?;
    let folder = shared.config.folder();
    let place = (scheme, running.address);
    match Registered::enter(registry, services, &process, place, folder) {
        Ok(registered) => running.registered = registered,
        Err(error) => {
            running.stop().await;
            return Err(error);
        }
    }
    // The receivers live in the contexts; a process without services has none.
    let _ = set_ready.send(true);
    Ok(running)
}

/// Who the process is, when the settings have a section `[mesh]`.
fn own(process: &Process, services: &[Service], folder: &Path) -> Result<Option<Arc<Own>>, Error> {
    let Some(mesh) = &process.mesh else {
        return Ok(None);
    };
    let instance = register::id(process, folder)?;
    Own::open(mesh, services, instance).map(|own| Some(Arc::new(own)))
}

async fn bind(process: &Process, services: &[Service]) -> Result<TcpListener, Error> {
    let address = process
        .listen
        .clone()
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let local = address
        .parse::<SocketAddr>()
        .is_ok_and(|a| a.ip().is_loopback());
    if !local && process.mesh.is_none() {
        let names: Vec<_> = services.iter().map(|s| s.name).collect();
        return Err(Error::Insecure {
            key: "listen".into(),
            reason: format!(
                "`{address}` would serve {} without login; give a loopback address, or a section [mesh] of `gearmesh init`",
                names.join(", ")
            ),
        });
    }
    TcpListener::bind(&address)
        .await
        .map_err(|source| Error::Bind { address, source })
}

async fn start_services(
    services: &[Service],
    shared: &Shared,
    set_storage: watch::Sender<Storage>,
) -> Result<Routes, Error> {
    let mut contexts = Vec::new();
    let mut guards = Vec::new();
    let mut engines = Vec::new();
    let mut gateway = None;
    let (health, health_server) = tonic_health::server::health_reporter();
    for service in services {
        let context = shared.context(service.name);
        contexts.push(context.clone());
        let routes = (service.start)(context.clone())
            .await
            .map_err(|source| Error::Service {
                service: service.name,
                source,
            })?;
        if service.name == GATEWAY {
            gateway = Some(routes);
            continue;
        }
        let ledger = context.ledger();
        let routes = routes.add_service(ledger.clone().server());
        let guard = Guard::new(routes, ledger, context);
        engines.push(Engine {
            name: service.name.to_owned(),
            link: traced(
                Link::new(ServiceExt::<http::Request<tonic::body::Body>>::map_err(
                    guard.clone(),
                    |never| match never {},
                )),
                service.name,
            ),
            origin: Origin::Own((service.descriptors)()),
        });
        guards.push((service.name, guard));
    }
    shared.mesh.join_all(engines)?;
    let catalog = shared.mesh.catalog();
    let mut dispatched = Vec::new();
    for (name, guard) in guards {
        let services: Vec<String> = catalog
            .engines()
            .iter()
            .filter(|e| e.id == name)
            .flat_map(|e| e.services.clone())
            .collect();
        for service in &services {
            health
                .set_service_status(service.clone(), tonic_health::ServingStatus::Serving)
                .await;
        }
        dispatched.push((name, services, guard));
    }
    let names = dispatched.iter().flat_map(|(_, services, _)| services);
    let names = names.cloned().collect();
    let watching = storage::watch(contexts, set_storage, health, names);
    shared.tasks.spawn(watching);
    if let Some(routes) = gateway {
        return Ok(routes);
    }
    let names = dispatched.iter().map(|(n, ..)| (*n).to_owned()).collect();
    let reflection = Reflection::of(shared.mesh.clone(), names);
    let health = Routes::new(health_server);
    Ok(Dispatch::new(dispatched, health, reflection, shared.matrix.clone()).into_routes())
}

fn serve(
    listener: TcpListener,
    door: Door,
    routes: Routes,
    shared: &Shared,
    process: &Process,
) -> Result<Running, Error> {
    let unusable = |source| Error::Bind {
        address: "the listener".into(),
        source,
    };
    let address = listener.local_addr().map_err(unusable)?;
    let stop = CancellationToken::new();
    let incoming = accept(listener, door, stop.clone(), &shared.tasks);
    let mut server = Server::builder();
    if let Some(own) = &shared.own {
        server = server
            .max_connection_age(own.connection_age)
            .max_connection_age_grace(CONNECTION_GRACE);
    }
    let server = server
        .layer(MapRequestLayer::new(with_peer))
        .accept_http1(true)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    shared.tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "server ended");
        }
    });
    if let Some(path) = &process.endpoint {
        let scheme = if shared.own.is_some() {
            "https"
        } else {
            "http"
        };
        write_endpoint(path, &format!("{scheme}://{address}"))?;
    }
    Ok(Running {
        address,
        secured: shared.own.is_some(),
        mesh: shared.mesh.clone(),
        shutdown: shared.shutdown.clone(),
        stop,
        tasks: shared.tasks.clone(),
        storage: shared.storage.clone(),
        endpoint: process.endpoint.clone(),
        contexts: shared
            .contexts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone(),
        registered: Registered::default(),
    })
}

/// Writes `{"pid", "url"}` whole or not at all: readers poll for the file.
fn write_endpoint(path: &Path, url: &str) -> Result<(), Error> {
    let failed = |source| Error::Folder {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::json!({"pid": std::process::id(), "url": url}).to_string();
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL: `https://` in a mesh with TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secured { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What can be reached from it.
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// What each service's store has cost; services that never opened theirs are
    /// not among them.
    #[must_use]
    pub fn stores(&self) -> Vec<(&'static str, Counts)> {
        self.contexts
            .iter()
            .filter_map(|cx| {
                let counts = match (cx.inner.base.get(), cx.inner.store.get()) {
                    (Some(base), _) => base.counts(),
                    (None, Some(store)) => store.counts(),
                    (None, None) => return None,
                };
                Some((cx.service(), counts))
            })
            .collect()
    }

    /// Ends when a store has failed: the process must end too, and not as if all were well.
    pub fn failed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut storage = self.storage.clone();
        async move {
            let failed = storage.wait_for(|s| *s == Storage::Failed).await.is_ok();
            if !failed {
                // Nobody looks any more: the process stops.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Cancelled when drain begins, by whoever begins it.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Drains: leaves the registry, takes no further connection, lets running calls
    /// end within 10 s, stops.
    pub async fn stop(mut self) {
        self.registered.leave().await;
        if let Some(path) = &self.endpoint {
            // Gone already when somebody tidied up; either way nobody finds us there.
            let _ = std::fs::remove_file(path);
        }
        self.shutdown.cancel();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN_MAX, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(open = self.tasks.len(), "drain ended with tasks still open");
        }
        for context in self.contexts {
            context.close_store().await;
        }
        telemetry::flush().await;
    }
}
