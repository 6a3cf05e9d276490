//! The accept loop: each handshake in a task of its own, within its limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Poll_, Poll};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
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

/// Open connections of each class of peers: strangers, clients and services. One class
/// cannot take the places, nor the file descriptors, of the others.
const OPEN_MAX: usize = 1_000;

/// Open connections of strangers from one address. Clients with tokens are strangers
/// to TLS, and many may come through one proxy; it is not to shut out all the others.
const STRANGERS_PER_ADDRESS_MAX: usize = 250;

/// How long calls may go on over a connection whose leaf has ended. An honest peer has
/// a fresh leaf, and a fresh connection, long before.
const EXPIRED_GRACE: Duration = Duration::from_secs(30);

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
    /// When the peer's leaf has ended: who was let in by it is let in no longer.
    ends: Option<Pin<Box<Sleep>>>,
    /// Given back when the connection is closed.
    _place: Option<Place>,
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
        let rooms = Rooms::default();
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
            let Some(place) = rooms.unknown.enter(address.ip()) else {
                tracing::warn!(%address, "connection refused: too many in their handshake");
                continue;
            };
            let (door, connections, stop) = (door.clone(), connections.clone(), stop.clone());
            let rooms = rooms.clone();
            tracker.spawn(async move {
                let shaken = tokio::select! {
                    () = stop.cancelled() => return,
                    shaken = tokio::time::timeout(HANDSHAKE_MAX, shake(tcp, address, door)) => shaken,
                };
                drop(place);
                match shaken {
                    Ok(Ok(conn)) => match rooms.admit(conn) {
                        // Nobody takes it when the server has ended meanwhile.
                        Some(conn) => drop(connections.send(Ok(conn)).await),
                        None => {
                            tracing::warn!(%address, "connection refused: too many of its class");
                        }
                    },
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
                ends: None,
                _place: None,
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
    let (peer, ends) = match leaf {
        Some(leaf) => {
            let peer =
                Peer::of_certificate(leaf, credentials.domain()).map_err(io::Error::other)?;
            let until = Peer::valid_until(leaf).map_err(io::Error::other)?;
            // The clock by which the handshake has just judged the leaf.
            let left = until.saturating_sub(UnixTime::now().as_secs());
            let left = Duration::from_secs(left) + EXPIRED_GRACE;
            (peer, Some(Box::pin(tokio::time::sleep(left))))
        }
        None => (Peer::stranger(), None),
    };
    Ok(Conn {
        stream: Stream::Tls(Box::new(stream)),
        caller: Caller {
            peer: Some(peer),
            address,
        },
        ends,
        _place: None,
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
        let this = self.get_mut();
        if let Some(ends) = &mut this.ends
            && ends.as_mut().poll(cx).is_ready()
        {
            // As if the peer had closed it: it connects again, with the leaf that it has now.
            return Poll::Ready(Ok(()));
        }
        match &mut this.stream {
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

/// The places of a listener's connections, by what is known of the other end.
#[derive(Debug, Clone)]
struct Rooms {
    /// In their handshake.
    unknown: Room,
    strangers: Room,
    clients: Room,
    services: Room,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            unknown: Room::new(UNKNOWN_MAX, UNKNOWN_PER_ADDRESS_MAX),
            strangers: Room::new(OPEN_MAX, STRANGERS_PER_ADDRESS_MAX),
            clients: Room::new(OPEN_MAX, OPEN_MAX),
            services: Room::new(OPEN_MAX, OPEN_MAX),
        }
    }
}

impl Rooms {
    /// Gives a connection its place for as long as it is open; none when all are taken.
    /// Plain text is for this machine alone, and is not counted.
    fn admit(&self, conn: Conn) -> Option<Conn> {
        let Some(peer) = &conn.caller.peer else {
            return Some(conn);
        };
        let room = self.of(peer);
        let place = room.enter(conn.caller.address.ip())?;
        Some(Conn {
            _place: Some(place),
            ..conn
        })
    }

    fn of(&self, peer: &Peer) -> &Room {
        if peer.is_stranger() {
            &self.strangers
        } else if peer.is_service() {
            &self.services
        } else {
            &self.clients
        }
    }
}

/// Counts connections, in all and of each address.
#[derive(Debug, Clone)]
struct Room {
    max: usize,
    per_address_max: usize,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A counted connection; leaving gives its place back.
#[derive(Debug)]
struct Place {
    room: Room,
    address: IpAddr,
}

impl Room {
    fn new(max: usize, per_address_max: usize) -> Self {
        Self {
            max,
            per_address_max,
            by_address: Arc::default(),
        }
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.lock();
        let all: usize = counts.values().sum();
        let here = counts.get(&address).copied().unwrap_or_default();
        if all >= self.max || here >= self.per_address_max {
            return None;
        }
        counts.insert(address, here + 1);
        Some(Place {
            room: self.clone(),
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
        let mut counts = self.room.lock();
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

    use tokio::io::AsyncReadExt;

    #[test]
    fn one_address_cannot_take_all_places() {
        for room in [Rooms::default().unknown, Rooms::default().strangers] {
            let flood = IpAddr::from([192, 0, 2, 1]);
            let held: Vec<_> = (0..room.per_address_max)
                .map(|_| room.enter(flood).expect("a place"))
                .collect();
            assert!(room.enter(flood).is_none());
            let other = room.enter(IpAddr::from([192, 0, 2, 2]));
            assert!(other.is_some());
            drop((held, other));
            assert!(room.enter(flood).is_some());
            assert!(room.lock().is_empty());
        }
    }

    /// A connection of this peer, and its other end.
    async fn conn(peer: Peer, ends: Option<Duration>) -> (Conn, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (other, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (tcp, address) = accepted.expect("accepted");
        let conn = Conn {
            stream: Stream::Plain(tcp),
            caller: Caller {
                peer: Some(peer),
                address,
            },
            ends: ends.map(|left| Box::pin(tokio::time::sleep(left))),
            _place: None,
        };
        (conn, other.expect("connected"))
    }

    #[tokio::test]
    async fn strangers_that_hold_their_connections_do_not_keep_services_out() {
        let rooms = Rooms::default();
        let _held: Vec<_> = (0..OPEN_MAX)
            .map(|n| {
                let address = IpAddr::from([192, 0, 2, u8::try_from(n % 250).unwrap_or(0)]);
                rooms.strangers.enter(address).expect("a place")
            })
            .collect();
        assert!(rooms.admit(conn(Peer::stranger(), None).await.0).is_none());
        let service = rooms.admit(conn(Peer::local("db"), None).await.0);
        assert!(service.is_some());
        assert_eq!(rooms.services.lock().values().sum::<usize>(), 1);
        drop(service);
        assert!(rooms.services.lock().is_empty());
    }

    #[tokio::test]
    async fn connection_ends_when_its_leaf_has_ended() {
        let (mut conn, _other) = conn(Peer::local("db"), Some(Duration::from_millis(20))).await;
        let read = tokio::time::timeout(Duration::from_secs(5), conn.read(&mut [0; 8])).await;
        assert_eq!(read.expect("in time").expect("an end"), 0);
    }
}
