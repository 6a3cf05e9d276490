//! The one way to a mail server: TCP with verified TLS, bounded in time and bytes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::nesting::Nesting;
use crate::server::{Kind, Server};
use crate::starttls;

/// How long until a server is reached and TLS stands.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(15);

/// Bytes that a server may say to one command. SMTP answers are some lines.
const SMTP_SAID_MAX: usize = 256 * 1024;

/// IMAP answers hold a whole mail: 25 MB of files in base64 and its line ends.
const IMAP_SAID_MAX: usize = 48 * 1024 * 1024;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Wire {
    inner: Box<dyn Duplex>,
    peer: SocketAddr,
    /// Answers that were read already, before TLS, and are due again.
    replay: &'static [u8],
    /// Bytes that may still come before the next command.
    left: usize,
    said_max: usize,
    /// Followed for IMAP, whose answers are lists.
    nesting: Option<Nesting>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> Duplex for T {}

impl Wire {
    /// Reaches a server: TLS at once, STARTTLS, or plain where that is allowed.
    pub(crate) async fn open(server: &Server, kind: Kind) -> Result<Self, Error> {
        let opened = timeout(CONNECT_MAX, Self::reach(server, kind)).await;
        opened.unwrap_or_else(|_| {
            Err(Error::Unreachable {
                server: server.shown(),
                reason: format!("it did not answer within {} s", CONNECT_MAX.as_secs()),
            })
        })
    }

    async fn reach(server: &Server, kind: Kind) -> Result<Self, Error> {
        // A mistake in `ca` is found before anybody is called.
        let connector = connector(server)?;
        let unreachable = |e: io::Error| Error::Unreachable {
            server: server.shown(),
            reason: e.to_string(),
        };
        let mut tcp = TcpStream::connect((server.host.as_str(), server.port))
            .await
            .map_err(unreachable)?;
        let peer = tcp.peer_addr().map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let said_max = match kind {
            Kind::Smtp => SMTP_SAID_MAX,
            Kind::Imap => IMAP_SAID_MAX,
        };
        let wire = |inner: Box<dyn Duplex>, replay| Self {
            inner,
            peer,
            replay,
            left: said_max,
            said_max,
            nesting: (kind == Kind::Imap).then(Nesting::default),
        };
        if server.allow_plain {
            if !peer.ip().is_loopback() {
                return Err(tls(
                    server,
                    "TLS_REQUIRED",
                    "`allowPlain` holds for loopback alone",
                ));
            }
            return Ok(wire(Box::new(tcp), b""));
        }
        let replay: &'static [u8] = if server.secure {
            b""
        } else {
            starttls::ask(&mut tcp, server, kind).await?
        };
        let name = ServerName::try_from(server.host.clone()).map_err(|_| {
            tls(
                server,
                "TLS_HOST",
                "the host is no name that a certificate can have",
            )
        })?;
        let stream = connector
            .connect(name, tcp)
            .await
            .map_err(|e| refused(server, &e))?;
        Ok(wire(Box::new(stream), replay))
    }
}

/// Verifies by the public roots and those of the connection.
fn connector(server: &Server) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let bad = |reason: String| Error::parameter("ca", reason);
    if !server.ca.is_empty() {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(server.ca.as_bytes()) {
            let certificate =
                certificate.map_err(|e| bad(format!("`ca` is no PEM of certificates: {e}")))?;
            roots
                .add(certificate)
                .map_err(|e| bad(format!("`ca` has a certificate that cannot be used: {e}")))?;
            found = true;
        }
        if !found {
            return Err(bad("`ca` has no certificate in PEM".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Build(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// An error of TLS with one of the causes TLS_REQUIRED, TLS_PIPELINED, TLS_HOST, TLS_FAILED.
pub(crate) fn tls(server: &Server, cause: &'static str, reason: impl Into<String>) -> Error {
    Error::Tls {
        server: server.shown(),
        cause,
        reason: reason.into(),
    }
}

/// A handshake that failed: by the certificate, or by the network below.
fn refused(server: &Server, error: &io::Error) -> Error {
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(e)) => tls(
            server,
            "TLS_HOST",
            format!("its certificate is not trusted: {e:?}"),
        ),
        Some(e) => tls(server, "TLS_FAILED", e.to_string()),
        None => Error::Unreachable {
            server: server.shown(),
            reason: format!("it ended the connection while TLS was agreed: {error}"),
        },
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.replay.is_empty() {
            let (now, later) = self.replay.split_at(self.replay.len().min(buf.remaining()));
            buf.put_slice(now);
            self.replay = later;
            return Poll::Ready(Ok(()));
        }
        if self.left == 0 {
            let text = format!("it said more than {} bytes to one command", self.said_max);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let came = buf.filled().get(before..).unwrap_or_default();
        self.left = self.left.saturating_sub(came.len());
        if let Some(nesting) = &mut self.nesting
            && !nesting.follow(came)
        {
            let text = "it put too many lists into each other";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.left = self.said_max;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
