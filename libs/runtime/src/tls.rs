//! The accept loop: each handshake in a task of its own, within its limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Poll_, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected;

use gearmesh_link::tls::{Clients, Http};
use gearmesh_link::{Connect, Credentials, Mesh, Peer, remote_tls};
use gearmesh_registry::Instance;

use crate::leaf::Own;
use crate::peer::Matrix;
use crate::service::{GATEWAY, Service};

/// A handshake takes two round trips; who needs longer holds a place for nothing.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Connections of one address that may be in their handshake at once.
const UNKNOWN_PER_ADDRESS_MAX: usize = 100;

/// Connections in their handshake at once, of all addresses: each costs a task and
/// some 20 KiB for at most 5 s.
const UNKNOWN_MAX: usize = 1_000;

/// Accepted connections that wait for the server to take them.
const WAITING: usize = 64;

/// Pause after an accept that failed for want of something, as of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// From an instance to a link with TLS, which checks that the engine asked for answers.
pub(crate) fn secured(credentials: Credentials) -> Connect {
    Arc::new(move |instance: &Instance| {
        remote_tls(&instance.url, &instance.engine, credentials.clone())
    })
}

/// How a listener treats those who connect.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Plain text, for this machine alone.
    Plain,
    /// TLS with the leaves of this process.
    Tls {
        credentials: Credentials,
        clients: Clients,
        http: Http,
    },
}

impl Door {
    /// The door of a process.
    pub(crate) fn of(own: Option<&Own>, services: &[Service], mesh: &Mesh) -> Self {
        let Some(own) = own else {
            return Self::Plain;
        };
        let gateway = services.iter().any(|s| s.name == GATEWAY);
        let strangers = gateway || Matrix::admits_strangers(&mesh.catalog());
        Self::Tls {
            credentials: own.credentials.clone(),
            clients: if strangers {
                Clients::Optional
            } else {
                Clients::Required
            },
            http: if gateway { Http::OneAndTwo } else { Http::Two },
        }
    }
}

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: Stream,
    caller: Caller,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Who is at the other end of a connection: an extension of each of its requests.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is; none over plain text.
    pub peer: Option<Peer>,
    /// From where.
    pub address: SocketAddr,
}

/// Accepts until `stop`; gives the connections that passed their handshake.
pub(crate) fn accept(
    listener: TcpListener,
    door: Door,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> ReceiverStream<io::Result<Conn>> {
    let (connections, accepted) = mpsc::channel(WAITING);
    let tracker = tasks.clone();
    tasks.spawn(async move {
        let unknown = Unknown::default();
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = listener.accept() => next,
            };
            let (tcp, address) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Small messages must not wait for each other's acknowledgements; without
            // it the connection is slow, not wrong.
            let _ = tcp.set_nodelay(true);
            let Some(place) = unknown.enter(address.ip()) else {
                tracing::warn!(%address, "connection refused: too many in their handshake");
                continue;
            };
            let (door, connections, stop) = (door.clone(), connections.clone(), stop.clone());
            tracker.spawn(async move {
                let shaken = tokio::select! {
                    () = stop.cancelled() => return,
                    shaken = tokio::time::timeout(HANDSHAKE_MAX, shake(tcp, address, door)) => shaken,
                };
                drop(place);
                match shaken {
                    // Nobody takes it when the server has ended meanwhile.
                    Ok(Ok(conn)) => drop(connections.send(Ok(conn)).await),
                    Ok(Err(error)) => tracing::warn!(%address, %error, "handshake refused"),
                    Err(_) => tracing::warn!(%address, "handshake not ended within 5 s"),
                }
            });
        }
    });
    ReceiverStream::new(accepted)
}

async fn shake(tcp: TcpStream, address: SocketAddr, door: Door) -> io::Result<Conn> {
    let (credentials, clients, http) = match door {
        Door::Plain => {
            return Ok(Conn {
                stream: Stream::Plain(tcp),
                caller: Caller {
                    peer: None,
                    address,
                },
            });
        }
        Door::Tls {
            credentials,
            clients,
            http,
        } => (credentials, clients, http),
    };
    let config = credentials
        .server(clients, http)
        .map_err(io::Error::other)?;
    let stream = TlsAcceptor::from(config).accept(tcp).await?;
    let leaf = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    let peer = match leaf {
        Some(leaf) => Peer::of_certificate(leaf, credentials.domain()).map_err(io::Error::other)?,
        None => Peer::stranger(),
    };
    Ok(Conn {
        stream: Stream::Tls(Box::new(stream)),
        caller: Caller {
            peer: Some(peer),
            address,
        },
    })
}

/// Puts the [`Peer`] of the connection on a request.
pub(crate) fn with_peer<B>(mut request: http::Request<B>) -> http::Request<B> {
    let peer = request
        .extensions()
        .get::<Caller>()
        .and_then(|c| c.peer.clone());
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    request
}

impl Connected for Conn {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Poll_<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Poll_<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Poll_<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Poll_<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Poll_<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// Counts the connections whose other end is not known yet.
#[derive(Debug, Clone, Default)]
struct Unknown {
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A counted connection; leaving gives its place back.
#[derive(Debug)]
struct Place {
    unknown: Unknown,
    address: IpAddr,
}

impl Unknown {
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.lock();
        let all: usize = counts.values().sum();
        let here = counts.get(&address).copied().unwrap_or_default();
        if all >= UNKNOWN_MAX || here >= UNKNOWN_PER_ADDRESS_MAX {
            return None;
        }
        counts.insert(address, here + 1);
        Some(Place {
            unknown: self.clone(),
            address,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_address
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.unknown.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let unknown = Unknown::default();
        let flood = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<_> = (0..UNKNOWN_PER_ADDRESS_MAX)
            .map(|_| unknown.enter(flood).expect("a place"))
            .collect();
        assert!(unknown.enter(flood).is_none());
        let other = unknown.enter(IpAddr::from([192, 0, 2, 2]));
        assert!(other.is_some());
        drop((held, other));
        assert!(unknown.enter(flood).is_some());
        assert!(unknown.lock().is_empty());
    }
}
