//! A link over TLS to the engine that was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::Error;
use crate::link::{CONNECT_TIMEOUT, KEEPALIVE, KEEPALIVE_TIMEOUT, Link, LinkError};
use crate::peer::Peer;
use crate::spiffe::Holder;
use crate::tls::Credentials;
use crate::tls_verify::server_name;

/// A link to the engine (or `gateway`) of this name at an `https://` address of
/// the mesh. Connects at the first call, and again whenever the connection is lost;
/// each connection uses the leaf and the roots of its moment.
///
/// The process that answers must show a leaf of that engine. Calls are made with
/// the leaf of the service that makes them (the [`Peer`] of the request), each
/// service over a connection of its own.
///
/// # Errors
/// [`Error::Address`] when the text is no such address.
pub fn remote_tls(url: &str, engine: &str, credentials: Credentials) -> Result<Link, Error> {
    let target = Target::parse(url, engine, credentials)?;
    let link = RemoteTls {
        target: Arc::new(target),
        channels: Arc::default(),
    };
    Ok(BoxCloneSyncService::new(link))
}

#[derive(Debug)]
struct Target {
    url: String,
    host: String,
    port: u16,
    holder: Holder,
    credentials: Credentials,
}

/// The calling services, each with its channel.
type Channels = Arc<Mutex<BTreeMap<String, Channel>>>;

#[derive(Debug, Clone)]
struct RemoteTls {
    target: Arc<Target>,
    channels: Channels,
}

impl Target {
    fn parse(url: &str, engine: &str, credentials: Credentials) -> Result<Self, Error> {
        let address = |reason: &str| Error::Address {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|_| address("it is no URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(address("it must begin with `https://`"));
        }
        let host = uri.host().ok_or_else(|| address("it has no host"))?;
        Ok(Self {
            url: url.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(443),
            holder: Holder::of_service(engine),
            credentials,
        })
    }

    async fn connect(&self, service: &str) -> Result<TlsStream<TcpStream>, tower::BoxError> {
        let name = server_name(&self.holder, self.credentials.domain());
        let name = ServerName::try_from(name)?;
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let config = self.credentials.client(&self.holder, service)?;
        Ok(TlsConnector::from(config).connect(name, tcp).await?)
    }
}

impl RemoteTls {
    fn channel(&self, service: &str) -> Result<Channel, LinkError> {
        let mut channels = self
            .channels
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(channel) = channels.get(service) {
            return Ok(channel.clone());
        }
        // TLS is ours, so the endpoint must not know of it.
        let plain = self.target.url.replacen("https://", "http://", 1);
        let endpoint = Endpoint::from_shared(plain)
            .map_err(|e| LinkError::new(e.into()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let (target, caller) = (self.target.clone(), service.to_owned());
        let connector = tower::service_fn(move |_: Uri| {
            let (target, caller) = (target.clone(), caller.clone());
            async move { target.connect(&caller).await.map(TokioIo::new) }
        });
        let channel = endpoint.connect_with_connector_lazy(connector);
        channels.insert(service.to_owned(), channel.clone());
        Ok(channel)
    }
}

impl Service<http::Request<Body>> for RemoteTls {
    type Response = http::Response<Body>;
    type Error = LinkError;
    type Future = BoxFuture<'static, Result<Self::Response, LinkError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // A role without a leaf here shares the connection of the process.
        let role = request.extensions().get::<Peer>().map(Peer::role);
        let service = role.filter(|r| self.target.credentials.has_leaf(r));
        let channel = self.channel(service.unwrap_or_default());
        Box::pin(async move {
            channel?
                .oneshot(request)
                .await
                .map_err(|e| LinkError::new(e.into()))
        })
    }
}
