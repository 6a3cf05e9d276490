//! The link itself, local and remote.

use std::time::Duration;

use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::Error;
use crate::retry::Way;

/// A way to an engine: takes a gRPC request, gives its response.
pub type Link = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, LinkError>;

/// Why nobody answered.
///
/// A type of its own, since a boxed error here would keep the compiler from
/// seeing that a future which calls through a link is `Send`.
#[derive(Debug)]
pub struct LinkError(pub(crate) tower::BoxError);

impl LinkError {
    pub(crate) fn new(cause: tower::BoxError) -> Self {
        Self(cause)
    }

    /// Whether the engine surely has not seen the call: it may be sent again, whatever it
    /// does.
    #[must_use]
    pub fn unsent(&self) -> bool {
        Way::of(&*self.0).unsent()
    }
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// How long a TCP connection may take; a host on a network answers far sooner.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections are probed, so that a dead peer is noticed within half a minute.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long a probe may stay unanswered.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A link to a service in this process: no socket, no copy of the bytes.
#[must_use]
pub fn local(routes: Routes) -> Link {
    BoxCloneSyncService::new(ServiceExt::<http::Request<Body>>::map_err(
        routes.prepare(),
        |never| match never {},
    ))
}

/// A link to a server at an `http://` address. Connects at the first call, and
/// again whenever the connection is lost.
///
/// # Errors
/// [`Error::Address`] when the text is no such address.
pub fn remote(url: &str) -> Result<Link, Error> {
    let address = |reason: String| Error::Address {
        url: url.to_owned(),
        reason,
    };
    if !url.starts_with("http://") {
        return Err(address("it must begin with `http://`".into()));
    }
    let channel = Endpoint::from_shared(url.to_owned())
        .map_err(|e| address(e.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .tcp_nodelay(true)
        .connect_lazy();
    Ok(BoxCloneSyncService::new(
        ServiceExt::<http::Request<Body>>::map_err(channel, |e| LinkError(e.into())),
    ))
}
