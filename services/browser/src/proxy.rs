//! The one way out of a session: an HTTP proxy on loopback that asks the gate.
//!
//! The proxy resolves names itself and connects to the address that it has
//! checked, so a name that changes its address in between gains nothing. It is
//! the only listener of an engine, and it is the browser's: there is no other
//! interface by which Chromium lets every request be seen, those of workers,
//! sockets and prefetches included.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gearmesh_runtime::{CancellationToken, Context};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::gate::{Gate, Refused};

/// Time to connect to a server.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Connections of one session at once: a page asks for six per host; more than
/// this is no page that a person reads.
const CONNECTIONS_MAX: usize = 256;

type Body = BoxBody<Bytes, hyper::Error>;

/// The proxy of a session. It ends with its token.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct Way {
    cx: Context,
    gate: Arc<Gate>,
    stop: CancellationToken,
}

impl Proxy {
    /// Listens on a free port of loopback until `stop`.
    pub(crate) async fn start(
        cx: &Context,
        gate: Arc<Gate>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::Proxy)?;
        let address = listener.local_addr().map_err(Error::Proxy)?;
        let way = Way {
            cx: cx.clone(),
            gate,
            stop: stop.clone(),
        };
        cx.serve(async move {
            tokio::select! {
                () = way.clone().accept(listener) => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(Self { address })
    }

    /// As the browser takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Way {
    async fn accept(self, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let way = self.clone();
                    self.cx.serve(async move {
                        way.serve(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "connection of the browser not accepted");
                    self.cx.clock().sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        let way = self.clone();
        let service = service_fn(move |request| {
            let way = way.clone();
            async move { way.answer(request).await }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::select! {
            // An error is the browser that went away, or our own cut.
            _ = served => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Answers a request; an error cuts the connection, which the page sees as a
    /// server that does not answer.
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let tunnel = request.method() == Method::CONNECT;
        let Some((host, port)) = target(request.uri(), tunnel) else {
            return Ok(plain(StatusCode::BAD_REQUEST));
        };
        let answered = match self.connect(&host, port).await {
            Ok(stream) if tunnel => Ok(self.clone().tunnel(stream, request)),
            Ok(stream) => self.forward(stream, request).await,
            Err(refused) => Err(refused),
        };
        answered.or_else(|refused| {
            self.gate.refuse(format!("{host}:{port}"), refused);
            if tunnel {
                Ok(plain(StatusCode::BAD_GATEWAY))
            } else {
                Err(Cut)
            }
        })
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Refused> {
        let addresses = self.gate.resolve(host, port).await?;
        let connect = TcpStream::connect(&*addresses);
        tokio::select! {
            connected = connect => connected.map_err(|e| Refused::Unreached(e.to_string())),
            () = self.cx.clock().sleep(CONNECT_MAX) => {
                Err(Refused::Unreached(format!("no connection within {} s", CONNECT_MAX.as_secs())))
            }
        }
    }

    /// Bytes in both directions, as TLS and WebSockets need it.
    fn tunnel(self, mut server: TcpStream, request: Request<Incoming>) -> Response<Body> {
        let Self { cx, stop, .. } = self;
        cx.serve(async move {
            let copy = async {
                if let Ok(browser) = hyper::upgrade::on(request).await {
                    let mut browser = TokioIo::new(browser);
                    // Either side may go at any time.
                    let _ = tokio::io::copy_bidirectional(&mut browser, &mut server).await;
                }
            };
            tokio::select! {
                () = copy => {}
                () = stop.cancelled() => {}
            }
        });
        plain(StatusCode::OK)
    }

    /// One request over a connection of its own.
    async fn forward(
        &self,
        server: TcpStream,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Refused> {
        let unreached = |e: hyper::Error| Refused::Unreached(e.to_string());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(server))
            .await
            .map_err(unreached)?;
        let stop = self.stop.clone();
        self.cx.serve(async move {
            tokio::select! {
                // The request sees what goes wrong.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
        let own = origin(request.uri());
        if let Some(authority) = request.uri().authority().cloned()
            && let Ok(host) = HeaderValue::try_from(authority.as_str())
        {
            request.headers_mut().insert(HOST, host);
        }
        *request.uri_mut() = own;
        strip(request.headers_mut());
        let mut response = sender.send_request(request).await.map_err(unreached)?;
        strip(response.headers_mut());
        Ok(response.map(BodyExt::boxed))
    }
}

/// Ends the connection to the browser without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

/// Host and port that are asked for.
fn target(uri: &Uri, tunnel: bool) -> Option<(String, u16)> {
    let host = uri.host()?.to_owned();
    let port = match (uri.port_u16(), tunnel) {
        (Some(port), _) => port,
        (None, true) => 443,
        (None, false) if uri.scheme_str() == Some("http") => 80,
        (None, false) => return None,
    };
    Some((host, port))
}

/// The path and query alone, as a server takes it.
fn origin(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    path.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// Removes what is meant for the next hop alone (RFC 9110, 7.6.1).
fn strip(headers: &mut hyper::HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
    headers.remove(UPGRADE);
    for name in [
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
    ] {
        headers.remove(name);
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let never = |e: Infallible| match e {};
    let mut response = Response::new(Empty::new().map_err(never).boxed());
    *response.status_mut() = status;
    response
}
